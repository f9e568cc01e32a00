"""The form of an explorer page: a field for each column of a table, with its range or categories."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._tree import tree_items
from portanet._typing import HostArray, Params
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import NUMBER, Column

_UNKNOWN = (0.0, 1.0)  # the default center and scale of a column
_SCALES = 3.0  # from the center to each end of a range
_TAIL = 1.0  # per cent of the rows outside a range, on each side


def fields_of(card: ModelCard, params: Params, rows: HostArray | None) -> list[dict[str, Any]]:
    """Return a field for each column: its position in a row, kind, categories, range and a typical value.

    card    the card of the model, with the columns and their kinds
    params  the model's arrays on the host; without rows, the ranges follow from its preprocessing
    rows    (N, D) some rows of the data; None where there are none
    """
    found, first, known = [], 0, _standardised(params, int(np.prod(card.input_shape)), card.offsets)
    for column in _columns(card):
        parts = len(column.parts)
        block = None if rows is None else np.asarray(rows[:, first : first + parts], np.float64)
        found.append(
            {
                "name": column.name, "kind": column.kind, "values": list(column.values), "form": column.form,
                "sign": column.sign,
                "first": first, "parts": parts, **_numbers(column, parts, block, known[first]),
            }
        )  # fmt: skip
        first += parts
    return found


def _columns(card: ModelCard) -> tuple[Column, ...]:
    if card.table is not None:
        return card.table.used
    count = int(np.prod(card.input_shape))
    return tuple(map(Column, card.columns or [f"column {number}" for number in range(1, count + 1)]))


def _standardised(params: Params, count: int, offsets: tuple[float, ...]) -> list[tuple[float, float]]:
    """The center and the scale of each column, if the first layer has them."""
    found = {path[-1]: np.asarray(array, np.float64) for path, array in reversed(list(tree_items(params)))}
    center, scale = found.get("mean"), found.get("deviation")
    if center is None and "center" in found:
        center, scale = found["center"], 1.0 / np.maximum(found["factor"], 1e-12)
    if center is None or scale is None or center.shape != (count,):
        return [_UNKNOWN] * count
    return list(zip((center + (np.array(offsets) if offsets else 0.0)).tolist(), scale.tolist(), strict=True))


def _numbers(column: Column, parts: int, block: HostArray | None, standardised: tuple[float, float]) -> dict[str, Any]:
    """The range of a numeric column, and a typical value for each of its parts."""
    center, scale = standardised
    ends = [center - _SCALES * scale, center + _SCALES * scale]
    known = None if block is None else block[np.isfinite(block).all(axis=1)]
    if known is None or not len(known):
        return {"range": ends, "typical": [1.0 if column.values else center] * parts, "whole": False}
    middle = known[np.argsort(known[:, min(3, parts - 1)], kind="stable")[len(known) // 2]]
    if column.kind != NUMBER:
        codes, counts = np.unique(known[:, 0], return_counts=True)
        typical = [float(codes[counts.argmax()])] if column.values else middle.tolist()
        return {"range": ends, "typical": typical, "whole": False}
    low, high = np.percentile(known, [_TAIL, 100 - _TAIL]).tolist()
    low, high = (low, high) if low < high else (low - 1, high + 1)
    whole = bool((known == np.trunc(known)).all())
    return {"range": [low, high], "typical": [float(np.median(known))], "whole": whole}
