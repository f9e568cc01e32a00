"""Rows to look at: the worst mistakes, those the model is least sure of, and examples of each class."""

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

_BUDGET = 180_000  # bytes of the pictures of one group, before they are compressed
_MISTAKES, _UNSURE, _EXAMPLES = 96, 16, 8
_TABLE_ROWS, _TABLE_COLUMNS = 12, 8
_FIRST = 27  # of a group's pictures; the others are folded away
_CLASSES = 20  # that have examples


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """What templates/gallery.html.j2 shows; None where the rows cannot be shown."""
    if evidence is None or not (evidence.has_images or evidence.columns):
        return None
    groups = _of_numbers(evidence) if evidence.has_numbers else _of_classes(evidence)
    shown = _pictures if evidence.has_images else _table
    groups = [group | shown(evidence, group["numbers"]) for group in groups if len(group["numbers"])]
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
    among = f"{len(wrong):,} of {len(evidence):,} {evidence.rows} rows are answered wrongly, the surest first."
    groups = [
        {"key": "mistakes", "title": "The worst mistakes", "note": among if len(wrong) else "",
         "numbers": wrong[: _most(evidence, _MISTAKES)]},
        {"key": "unsure", "title": "The least sure", "note": "", "numbers": unsure},
    ]  # fmt: skip
    if len(evidence.classes) <= _CLASSES:
        groups.append(
            {"key": "examples", "title": "Examples of each class", "note": "", "numbers": _examples(evidence)}
        )
    return groups


def _of_numbers(evidence: Evidence) -> list[Object]:
    spread = evidence.targets.std(axis=0) if evidence.targets.shape[1] > 1 else np.ones(1)  # of several, in one unit
    size = (np.abs(evidence.targets - evidence.outputs) / np.where(spread > 0, spread, 1.0)).mean(axis=1)
    worst = np.argsort(-size, kind="stable")[: _most(evidence, _UNSURE)]
    return [{"key": "mistakes", "title": "The largest errors", "note": "", "numbers": worst}]


def _examples(evidence: Evidence) -> HostArray:
    """Rows of each class at even distances."""
    each = min(_EXAMPLES if evidence.has_images else 2, max(1, _most(evidence, 200) // len(evidence.classes)))
    places = [np.flatnonzero(evidence.targets == label) for label in range(len(evidence.classes))]
    picked = [rows[np.linspace(0, len(rows) - 1, min(each, len(rows))).astype(np.int64)] for rows in places]
    return np.concatenate(picked)


def _most(evidence: Evidence, wanted: int) -> int:
    """How many rows can be shown."""
    if not evidence.has_images:
        return min(wanted, _TABLE_ROWS)
    image = png.picture(evidence.x[0], 0.0, 1.0)
    return max(4, min(wanted, _BUDGET // image.size))


def _pictures(evidence: Evidence, numbers: HostArray) -> Object:
    low, high = (0.0, 255.0) if evidence.x.dtype == np.uint8 else (float(evidence.x.min()), float(evidence.x.max()))
    return {
        "first": _FIRST,
        "pictures": [
            _told(evidence, row) | {"uri": png.as_uri(png.picture(evidence.x[row], low, high)), "row": row}
            for row in numbers.tolist()
        ],
    }


def _table(evidence: Evidence, numbers: HostArray) -> Object:
    columns = _important(evidence)
    rows = [_told(evidence, row) | {"cells": [evidence.cell(row, c) for c in columns]} for row in numbers.tolist()]
    return {
        "columns": [column.name for column in columns],
        "hidden": len(evidence.columns) - len(columns),
        "lines": rows,
    }


def _important(evidence: Evidence) -> Sequence[Column]:
    """The columns that matter most, in their order."""
    order = sorted(evidence.columns, key=lambda column: -evidence.importance.get(column.name, 0.0))
    chosen = {column.name for column in order[:_TABLE_COLUMNS]}
    return [column for column in evidence.columns if column.name in chosen]


def _told(evidence: Evidence, row: int) -> Object:
    """What is said of a row: its true answer, the model's, and how sure or how far off that is."""
    if evidence.has_numbers:
        true, guessed = (values[row].tolist() for values in (evidence.targets, evidence.outputs))
        off: Any = [a - b for a, b in zip(guessed, true, strict=True)]
        texts = [", ".join(number(value) for value in values) for values in (true, guessed, off)]
        return {"true": texts[0], "answer": texts[1], "sure": texts[2], "style": "plain", "pair": ""}
    label, answer = int(evidence.targets[row]), int(evidence.predicted[row])
    names = evidence.classes
    return {
        "true": names[label], "answer": names[answer], "sure": f"{evidence.confidence[row]:.1%}",
        "style": "right" if label == answer else "wrong", "pair": f"{label}-{answer}",
    }  # fmt: skip
