"""Faults of a table: a slow second pass over a refused file that finds all of them."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from portanet.data.cells import is_text, quoted
from portanet.data.csv.dialect import split
from portanet.data.csv.text import first_row, opened, without_blanks
from portanet.errors import DataError
from portanet.storage.schema import Dialect

_CELLS = 2**22  # examined at most
_SHOWN = 8  # faults in a message

_QUOTES = {
    "": "a quote ends inside of a cell; in a cell with quotes around it, one of its own is written twice",
    "unexpected end of data": "a quote begins a cell, and none ends it before the end of the file",
}
"""Explanations of the csv module's errors, by the start of their message."""

Check = Callable[[str], str | None]
"""Returns the fault of a cell; None if it is valid."""


@dataclass
class Fault:
    """A fault that some rows share: the first row, the fault in words, and the number of rows."""

    row: int
    line: int
    words: str
    count: int = 0

    def __str__(self) -> str:
        more = f" and {self.count - 1:,} more" if self.count > 1 else ""
        return f"row {self.row} (line {self.line}){self.words}{more}"


def find_faults(
    path: str | Path,
    name: str,
    dialect: Dialect,
    names: Sequence[str],
    checks: Mapping[int, Check],
    *,
    valid_rows: int = 0,
) -> DataError | None:
    """One error with all faults, their first rows (1 is the first below the header) and lines; None without faults.

    The first `valid_rows` are known to be valid. `checks` maps positions of columns to their checks.
    """
    faults: dict[object, Fault] = {}
    row, left, widest = 0, _CELLS, len(names)
    with opened(path, dialect) as text:
        rows = split(text, dialect, strict=True)
        known = {position: lru_cache(2**16)(check) for position, check in checks.items()}
        try:
            if dialect.header:
                first_row(rows)
            for cells in without_blanks(rows) if len(names) > 1 else rows:
                row += 1
                widest = max(widest, len(cells)) if row == 1 else widest
                if row <= valid_rows:
                    continue
                for key, words in _faults(cells or [""], names, widest, known):
                    fault = faults.setdefault(key, Fault(row, rows.line_num + text.skipped, words))
                    fault.count += 1
                left -= len(cells)
                if faults and left < 0:
                    break
        except csv.Error as error:
            words = _QUOTES.get(str(error).partition("'")[0].strip(), str(error))
            faults["csv"] = Fault(row + 1, rows.line_num + text.skipped, f": {words}", 1)
    return _error(name, list(faults.values())) if faults else None


def well_formed_rows(path: str | Path, dialect: Dialect, width: int) -> Iterator[list[str]]:
    """The rows with as many cells as the header, up to the first unreadable row or a limit on cells."""
    left = _CELLS // 8
    with opened(path, dialect) as text, contextlib.suppress(csv.Error):
        rows = split(text, dialect)
        if dialect.header:
            first_row(rows)
        for cells in without_blanks(rows):
            if (left := left - width) < 0:
                return
            if len(cells) >= width and not any(cell.strip() for cell in cells[width:]):
                yield cells[:width]


def _error(file: str, faults: Sequence[Fault]) -> DataError:
    faults = sorted(faults, key=lambda fault: fault.row)
    more = f"; and faults of {len(faults) - _SHOWN} more columns" if len(faults) > _SHOWN else ""
    remedy = ""
    if any("cells, but" in fault.words for fault in faults):
        remedy = "give every row as many"
    elif any("UTF-8" in fault.words for fault in faults):
        remedy = 'save the file as UTF-8, or name its encoding, as in encoding="cp1252"'
    elif any("not a number" in fault.words for fault in faults):
        remedy = "take such cells as missing with coerce=True; where they count, train with kinds=... for the columns"
    return DataError(f"{file}: {'; '.join(map(str, faults[:_SHOWN]))}{more}.", remedy=remedy)


def _faults(
    cells: Sequence[str], names: Sequence[str], widest: int, checks: Mapping[int, Check]
) -> Iterator[tuple[object, str]]:
    """The faults of a row, each with a key that equal faults of other rows share; extra empty cells are allowed."""
    width = len(names)
    if not width <= len(cells) <= widest or any(cell.strip() for cell in cells[width:]):
        yield "cells", f": {len(cells)} cells, but the header has {width}"
        return
    for position, check in checks.items():
        if words := check(cells[position]):
            yield position, f", column {quoted(names[position])}: {words}"
    if not is_text("".join(cells)):
        yield "text", ": not UTF-8 text"
