"""The confusion matrix, and the precision, recall and F1 of each class."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from portanet import metrics
from portanet._typing import HostArray
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_MATRIX = 25  # classes, at most
_LISTED = 100
_PAIRS = 10
_LEVELS = 8  # of colour


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """Return the content of templates/confusion.html.j2; None for a regression model."""
    if evidence is None or evidence.has_numbers:
        return None
    if not evidence.has_one_class:
        return {"matrix": None, "pairs": [], "classes": _multi_label(evidence), "hidden": 0, "names": (), "rows": ""}
    true, predicted, count = evidence.targets.astype(np.int64), evidence.predicted, len(evidence.classes)
    hits = true[true == predicted]
    rows = _listed(evidence, *(np.bincount(each, minlength=count) for each in (hits, predicted, true)))
    small = count <= _MATRIX
    return {
        "matrix": _cells(matrix(evidence)) if small else None,
        "pairs": [] if small else _pairs(true, predicted, evidence.classes),
        "names": evidence.classes,
        "classes": rows[:_LISTED],
        "described": evidence.described,
        "hidden": max(0, len(rows) - _LISTED),
    }


def matrix(evidence: Evidence) -> HostArray:
    """The confusion matrix, (K, K): rows are true classes, columns predicted ones."""
    true: Any = evidence.targets.astype(np.int32)
    predicted: Any = evidence.predicted.astype(np.int32)
    counts: Any = metrics.confusion_matrix(predicted, true, len(evidence.classes))
    return np.asarray(counts)


def _cells(counts: HostArray) -> list[list[Object]]:
    """Each count with its fraction of the row, and a CSS class whose colour shows that."""
    totals = np.maximum(1, counts.sum(axis=1, keepdims=True))
    fractions = counts / totals
    return [
        [
            {
                "rows": int(counts[i, j]),
                "style": _style(float(fractions[i, j]), hit=i == j),
                "fraction": f"{fractions[i, j]:.1%}",
            }
            for j in range(len(counts))
        ]
        for i in range(len(counts))
    ]


def _style(fraction: float, *, hit: bool) -> str:
    level = math.ceil(_LEVELS * (fraction if hit else math.sqrt(fraction)))
    return f"{'hit' if hit else 'miss'}-{level}" if level else "none"


def _pairs(true: HostArray, predicted: HostArray, names: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """The pairs of classes that are confused most often, counted without a matrix, which may be large."""
    wrong = true != predicted
    pairs, counts = np.unique(true[wrong] * len(names) + predicted[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_PAIRS]
    confused = [(divmod(int(pairs[k]), len(names)), int(counts[k])) for k in order]
    return [(names[i], names[j], count) for (i, j), count in confused]


def _multi_label(evidence: Evidence) -> list[Object]:
    true, predicted = evidence.targets > 0.5, evidence.outputs > 0.5
    rows = _listed(evidence, (true & predicted).sum(axis=0), predicted.sum(axis=0), true.sum(axis=0))
    return rows[:_LISTED]


def _listed(evidence: Evidence, hits: HostArray, predicted: HostArray, true: HostArray) -> list[Object]:
    """The measures of each class; lowest F1 first if not all are shown."""
    numbers: list[Any] = [np.asarray(values, np.float64) for values in (hits, predicted, true)]
    measures: Any = metrics.precision_recall_f1_from(*numbers)
    rows: list[Object] = [
        {"name": name, "rows": int(count), "precision": float(p), "recall": float(r), "f1": float(f)}
        for name, count, p, r, f in zip(evidence.classes, true, *measures, strict=True)
    ]
    return rows if len(rows) <= _LISTED else sorted(rows, key=lambda row: row["f1"])
