"""Where a table is wrong: a slow second look at a file that the fast parser refused."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from portanet.data.cells import complaint, is_text, quoted
from portanet.data.csv.header import Header
from portanet.errors import DataError

_BLANKS = 100_000


def read_names(lines: Iterable[list[str]]) -> list[str]:
    """The cells of the first line that is not blank; none at the end of the file."""
    return next(without_blanks(lines), [])


def without_blanks(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    """Yield the lines that are not blank; csv.Error where too many in a row are."""
    blanks = 0
    for cells in lines:
        blanks = blanks + 1 if is_blank(cells) else 0
        if blanks > _BLANKS:
            raise csv.Error(f"over {_BLANKS:,} blank lines")
        if not blanks:
            yield cells


def is_blank(cells: list[str]) -> bool:
    """Whether a line holds nothing but spaces."""
    return not cells or (len(cells) == 1 and not cells[0].strip())


def find_fault(path: str | Path, header: Header, *, regress: bool, sound: int) -> DataError | None:
    """The first fault with its row (1 is the first below the header), line and column; None without one.

    The first `sound` rows are known to be without fault.
    """
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = csv.reader(file, strict=True)
        row = 0
        try:
            read_names(lines)
            for cells in without_blanks(lines) if len(header.names) > 1 else lines:
                row += 1
                if row > sound and (fault := next(_faults(cells or [""], header, regress), None)):
                    return DataError(f"{path}: row {row} (line {lines.line_num}){fault[0]}.", remedy=fault[1])
        except csv.Error as error:
            return DataError(f"{path}: row {row + 1} (line {lines.line_num}): {error}.")
    return None


def _faults(cells: list[str], header: Header, regress: bool) -> Iterator[tuple[str, str]]:
    """What is wrong with a row, and the remedy."""
    if len(cells) != len(header.names):
        yield f": {len(cells)} cells, but the header has {len(header.names)}", "give every row as many"
        return
    for i in header.numbers:
        if found := complaint(cells[i], pixel=header.image is not None):
            remedy = "if it is the label, name it with label=NAME" if _text(cells[i]) else ""
            yield f", column {quoted(header.names[i])}: {found}", remedy
    if header.label is not None and (found := _wrong_label(cells[header.label], regress)):
        yield f", column {quoted(header.names[header.label])}: {found}", ""
    if not is_text("".join(cells)):
        yield ": not UTF-8 text", "save the file as UTF-8"


def _wrong_label(cell: str, regress: bool) -> str | None:
    if regress:
        return complaint(cell, pixel=False)
    return None if cell.strip() else "the label is empty"


def _text(cell: str) -> bool:
    return cell.strip().isalpha()
