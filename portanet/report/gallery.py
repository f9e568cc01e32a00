"""Rows to look at: the worst mistakes, the least confident predictions, and examples of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.report import png
from portanet.report.chart import number
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord
from portanet.storage.schema import Column

_BUDGET = 180_000  # bytes of the pictures of one group, before compression
_MISTAKES, _UNSURE, _EXAMPLES = 96, 16, 8
_TABLE_ROWS, _TABLE_COLUMNS = 12, 8
_FIRST = 27  # pictures of a group; the others are folded away
_CLASSES = 20  # with examples, at most


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """Return the content of templates/gallery.html.j2; None if the rows cannot be shown."""
    if evidence is None or not (evidence.has_images or evidence.columns):
        return None
    groups = _of_numbers(evidence) if evidence.has_numbers else _of_classes(evidence)
    content = _pictures if evidence.has_images else _table
    groups = [group | content(evidence, group["indices"]) for group in groups if len(group["indices"])]
    for group in groups:
        if group["key"] == "examples" and evidence.has_images:
            names = list(dict.fromkeys(picture["true"] for picture in group["pictures"]))
            group["examples"] = [(name, [p for p in group["pictures"] if p["true"] == name]) for name in names]
    return {"groups": groups} if groups else None


def _of_classes(evidence: Evidence) -> list[Object]:
    if not evidence.has_one_class:
        return []
    wrong = np.flatnonzero(evidence.predicted != evidence.targets)
    wrong = wrong[np.argsort(-evidence.confidence[wrong], kind="stable")]
    unsure = np.argsort(evidence.confidence, kind="stable")[: _most(evidence, _UNSURE)]
    note = f"{len(wrong):,} of {len(evidence):,} {evidence.rows} rows are predicted wrongly; most confident first."
    groups = [
        {"key": "mistakes", "title": "Worst mistakes", "note": note if len(wrong) else "",
         "indices": wrong[: _most(evidence, _MISTAKES)]},
        {"key": "unsure", "title": "Least confident predictions", "note": "", "indices": unsure},
    ]  # fmt: skip
    if len(evidence.classes) <= _CLASSES:
        groups.append(
            {"key": "examples", "title": "Examples of each class", "note": "", "indices": _examples(evidence)}
        )
    return groups


def _of_numbers(evidence: Evidence) -> list[Object]:
    spread = evidence.targets.std(axis=0) if evidence.targets.shape[1] > 1 else np.ones(1)  # of several, in one unit
    size = (np.abs(evidence.targets - evidence.outputs) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
    worst = np.argsort(-size, kind="stable")[: _most(evidence, _UNSURE)]
    return [{"key": "mistakes", "title": "Largest errors", "note": "", "indices": worst}]


def _examples(evidence: Evidence) -> HostArray:
    """Rows of each class at even distances."""
    count = min(_EXAMPLES if evidence.has_images else 2, max(1, _most(evidence, 200) // len(evidence.classes)))
    by_class = [np.flatnonzero(evidence.targets == label) for label in range(len(evidence.classes))]
    examples = [rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)] for rows in by_class]
    return np.concatenate(examples)


def _most(evidence: Evidence, wanted: int) -> int:
    """The number of rows to show, at most `wanted`."""
    if not evidence.has_images:
        return min(wanted, _TABLE_ROWS)
    image = png.picture(evidence.x[0], 0.0, 1.0)
    return max(4, min(wanted, _BUDGET // image.size))


def _pictures(evidence: Evidence, indices: HostArray) -> Object:
    low, high = (0.0, 255.0) if evidence.x.dtype == np.uint8 else (float(evidence.x.min()), float(evidence.x.max()))
    return {
        "first": _FIRST,
        "pictures": [
            _caption(evidence, row) | {"uri": png.as_uri(png.picture(evidence.x[row], low, high)), "row": row}
            for row in indices.tolist()
        ],
    }


def _table(evidence: Evidence, indices: HostArray) -> Object:
    columns = _important(evidence)
    rows = [_caption(evidence, row) | {"cells": [evidence.cell(row, c) for c in columns]} for row in indices.tolist()]
    return {
        "columns": [column.name for column in columns],
        "hidden": len(evidence.columns) - len(columns),
        "lines": rows,
    }


def _important(evidence: Evidence) -> Sequence[Column]:
    """The most important columns, in the order of the table."""
    order = sorted(evidence.columns, key=lambda column: -evidence.importance.get(column.name, 0.0))
    names = {column.name for column in order[:_TABLE_COLUMNS]}
    return [column for column in evidence.columns if column.name in names]


def _caption(evidence: Evidence, row: int) -> Object:
    """The true and the predicted value of a row, with the confidence or the error."""
    if evidence.has_numbers:
        true, predicted = (values[row].tolist() for values in (evidence.targets, evidence.outputs))
        errors: Any = [a - b for a, b in zip(predicted, true, strict=True)]
        texts = [", ".join(number(value) for value in values) for values in (true, predicted, errors)]
        return {"true": texts[0], "predicted": texts[1], "sure": texts[2], "style": "plain", "pair": ""}
    label, predicted = int(evidence.targets[row]), int(evidence.predicted[row])
    names = evidence.classes
    return {
        "true": names[label], "predicted": names[predicted], "sure": f"{evidence.confidence[row]:.1%}",
        "style": "right" if label == predicted else "wrong", "pair": f"{label}-{predicted}",
    }  # fmt: skip
