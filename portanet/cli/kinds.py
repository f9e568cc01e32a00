"""The columns of a table as lines of text: the kind and the content of each."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._text import plain
from portanet.storage.schema import CATEGORY, DATE, NUMBER, YES_NO, Column, Schema

_SHOWN = 60  # columns at most, and characters of a column's content
_SAMPLE = 100_000  # rows at most, whose numbers are summarised


def lines(table: Schema, x: Any, most: int = _SHOWN, *, learned: bool = False) -> list[str]:
    """A line for each of `most` columns: its name, its kind, and its values or why it is left out.

    With `learned`, only those that the model uses.
    """
    sample = np.asarray(x[: min(len(x), _SAMPLE), ...])
    place, rows = 0, []
    for column in table.columns:
        parts = len(column.parts)
        if parts or not learned:
            rows.append((plain(column.name), column.kind, _holds(column, sample[:, place : place + parts])))
        place += parts
    shown = rows[:most]
    width, kind_width = (max(len(row[i]) for row in shown) for i in (0, 1))
    more = [f"  and {len(rows) - most} more columns"] if len(rows) > most else []
    return [f"  {name:{width}}  {kind:{kind_width}}  {holds}".rstrip() for name, kind, holds in shown] + more


def _holds(column: Column, values: Any) -> str:
    if column.kind in (CATEGORY, YES_NO):
        count = len(column.values)
        text = f"{count:,} value{'s' if count > 1 else ''}: {', '.join(map(plain, column.values[:20]))}"
        text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        return text + _gaps(float((values == 0).mean()))
    if column.kind == NUMBER and not np.isnan(values).all():
        return f"{np.nanmin(values):.6g} to {np.nanmax(values):.6g}{_gaps(float(np.isnan(values).mean()))}"
    if column.kind == DATE:
        return f"{column.form}{_gaps(float(np.isnan(values[:, 0]).mean()))}"
    return f"left out: {column.why}"


def _gaps(share: float) -> str:
    return f", {max(share, 0.01):.0%} missing" if share else ""
