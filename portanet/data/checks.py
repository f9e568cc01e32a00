"""Checks of table cells, which describe faults in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from portanet.data import dates
from portanet.data.cells import INTEGER, cell_error, is_gap, number_of, quoted
from portanet.data.labels import is_no_label
from portanet.data.signs import sign_of
from portanet.storage.schema import DATE, NUMBER, Column, Dialect

Check = Callable[[str], str | None]
"""Returns the fault of a cell; None if it is valid."""


def check(column: Column, dialect: Dialect) -> Check:
    """The check for the cells of a column."""

    def number(cell: str) -> str | None:
        return None if is_gap(cell.strip(), dialect) else number_error(cell, dialect, column.sign)

    def date(cell: str) -> str | None:
        known = is_gap(cell.strip(), dialect) or dates.parse(cell, column.form) is not None
        return None if known else f"{quoted(cell)} is not a date"

    return number if column.kind == NUMBER else date if column.kind == DATE else lambda cell: None


def number_error(cell: str, dialect: Dialect, sign: str = "") -> str | None:
    """The fault of a cell that should hold a number in the file's format, with this sign or none; None if valid."""
    value = number_of(cell, dialect, sign)
    if value is None and sign:
        return f"{quoted(cell)} is not a number in {sign}"
    if value is None:
        return (
            cell_error(cell if dialect.decimal == "." else f" {cell}", pixel=False) or f"{quoted(cell)} is not a number"
        )
    return cell_error(repr(value), pixel=False) and f"{quoted(cell)} is too large"


def label_check(regress: bool | None, classes: Sequence[str], dialect: Dialect, *, some: bool = False) -> Check:
    """The check for labels: numbers to predict, or classes, some of which may look like a missing label.

    some  whether rows may lack a label, so that a missing one is not a fault
    """

    def number(cell: str) -> str | None:
        return (
            None
            if some and is_gap(cell.strip(), dialect)
            else number_error(cell, dialect, sign_of(cell)) or _merged(cell)
        )

    def name(cell: str) -> str | None:
        return "no label" if is_no_label(cell) and cell.strip() not in classes and (cell.strip() or not some) else None

    return number if regress else name


def _merged(cell: str) -> str | None:
    if INTEGER.fullmatch(text := cell.strip()) and abs(int(text)) >= 2**53:
        return f"{quoted(text)} is beyond 2**53, where float64 makes one of two neighbours"
    return None
