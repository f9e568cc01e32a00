"""The form of an explorer page: a field for each column of a table, with what it may hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import NUMBER, Column

_UNKNOWN = (-3.0, 3.0)  # the range of a column of which no rows are at hand
_TAIL = 1.0  # per cent of the rows that lie outside of a range, on each side


def fields_of(card: ModelCard, rows: HostArray | None) -> list[dict[str, Any]]:
    """Return a field for each column: its place in a row, its kind, its categories, its range and a typical value.

    rows  (N, D) some rows of the data; None where there are none
    """
    found, first = [], 0
    for column in _columns(card):
        parts = len(column.parts)
        block = None if rows is None else np.asarray(rows[:, first : first + parts], np.float64)
        found.append(
            {
                "name": column.name, "kind": column.kind, "values": list(column.values), "form": column.form,
                "first": first, "parts": parts, **_numbers(column, parts, block),
            }
        )  # fmt: skip
        first += parts
    return found


def _columns(card: ModelCard) -> tuple[Column, ...]:
    if card.table is not None:
        return card.table.used
    count = int(np.prod(card.input_shape))
    return tuple(map(Column, card.columns or [f"column {number}" for number in range(1, count + 1)]))


def _numbers(column: Column, parts: int, block: HostArray | None) -> dict[str, Any]:
    """The range of a number, and for each part of a column a value as in the middle of the data."""
    known = None if block is None else block[np.isfinite(block).all(axis=1)]
    if known is None or not len(known):
        return {"range": list(_UNKNOWN), "typical": [1.0 if column.values else 0.0] * parts, "whole": False}
    middle = known[np.argsort(known[:, min(3, parts - 1)], kind="stable")[len(known) // 2]]
    if column.kind != NUMBER:
        codes, counts = np.unique(known[:, 0], return_counts=True)
        typical = [float(codes[counts.argmax()])] if column.values else middle.tolist()
        return {"range": list(_UNKNOWN), "typical": typical, "whole": False}
    low, high = np.percentile(known, [_TAIL, 100 - _TAIL]).tolist()
    low, high = (low, high) if low < high else (low - 1, high + 1)
    whole = bool((known == np.trunc(known)).all())
    return {"range": [low, high], "typical": [float(np.median(known))], "whole": whole}
