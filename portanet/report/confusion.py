"""Which classes are taken for which: the confusion matrix, and precision, recall and F1 of each class."""

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
    """What templates/confusion.html.j2 shows; None for a model of numbers."""
    if evidence is None or evidence.has_numbers:
        return None
    if not evidence.has_one_class:
        return {"matrix": None, "pairs": [], "classes": _of_several(evidence), "hidden": 0, "names": (), "rows": ""}
    true, guessed, count = evidence.targets.astype(np.int64), evidence.predicted, len(evidence.classes)
    hits = true[true == guessed]
    rows = _listed(evidence, *(np.bincount(each, minlength=count) for each in (hits, guessed, true)))
    small = count <= _MATRIX
    return {
        "matrix": _cells(matrix(evidence)) if small else None,
        "pairs": [] if small else _pairs(true, guessed, evidence.classes),
        "names": evidence.classes,
        "classes": rows[:_LISTED],
        "hidden": max(0, len(rows) - _LISTED),
    }


def matrix(evidence: Evidence) -> HostArray:
    """(K, K) counts: row = true, column = predicted."""
    true: Any = evidence.targets.astype(np.int32)
    guessed: Any = evidence.predicted.astype(np.int32)
    counts: Any = metrics.confusion_matrix(guessed, true, len(evidence.classes))
    return np.asarray(counts)


def _cells(counts: HostArray) -> list[list[Object]]:
    """Each count with the class of its colour: stronger for a larger share of its row."""
    totals = np.maximum(1, counts.sum(axis=1, keepdims=True))
    shares = counts / totals
    return [
        [
            {
                "rows": int(counts[i, j]),
                "style": _style(float(shares[i, j]), hit=i == j),
                "share": f"{shares[i, j]:.1%}",
            }
            for j in range(len(counts))
        ]
        for i in range(len(counts))
    ]


def _style(share: float, *, hit: bool) -> str:
    level = math.ceil(_LEVELS * (share if hit else math.sqrt(share)))
    return f"{'hit' if hit else 'miss'}-{level}" if level else "none"


def _pairs(true: HostArray, guessed: HostArray, names: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """The pairs of classes that are confused most often; counted without a matrix, which may be large."""
    wrong = true != guessed
    pairs, counts = np.unique(true[wrong] * len(names) + guessed[wrong], return_counts=True)
    found = [
        (divmod(int(pairs[place]), len(names)), int(counts[place])) for place in np.argsort(-counts, kind="stable")
    ]
    return [(names[i], names[j], count) for (i, j), count in found[:_PAIRS]]


def _of_several(evidence: Evidence) -> list[Object]:
    true, guessed = evidence.targets > 0.5, evidence.outputs > 0.5
    rows = _listed(evidence, (true & guessed).sum(axis=0), guessed.sum(axis=0), true.sum(axis=0))
    return rows[:_LISTED]


def _listed(evidence: Evidence, hits: HostArray, guessed: HostArray, true: HostArray) -> list[Object]:
    """The measures of each class; the weakest first where not all are shown."""
    numbers: list[Any] = [np.asarray(values, np.float64) for values in (hits, guessed, true)]
    measures: Any = metrics.precision_recall_f1_from(*numbers)
    rows: list[Object] = [
        {"name": name, "rows": int(count), "precision": float(p), "recall": float(r), "f1": float(f)}
        for name, count, p, r, f in zip(evidence.classes, true, *measures, strict=True)
    ]
    return rows if len(rows) <= _LISTED else sorted(rows, key=lambda row: row["f1"])
