"""What counts as a number, and the smallest of our two dtypes that holds it."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?[0-9]{1,300}")

MISSING = frozenset({"", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "none"})
"""What stands for a value that is not there, in lower case: the one set for numbers, categories and labels."""

# From here on float32 rounds to infinity: half a step above its largest number.
_OVERFLOW = 2.0**128 - 2.0**103


def quoted(text: str) -> str:
    """The same between quotes."""
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."


def is_missing(text: str) -> bool:
    """Whether a cell is empty or one of the words for a missing value, in upper or lower case."""
    return text.strip().lower() in MISSING


def is_text(text: str) -> bool:
    """Whether text that was decoded with "surrogateescape" was UTF-8."""
    return text.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in text)


def as_uint8(values: HostArray) -> HostArray | None:
    """The values as uint8, or None where one of them is not a whole number from 0 to 255."""
    if values.dtype == np.uint8:
        return values
    with np.errstate(invalid="ignore"):
        small = values.astype(np.uint8)
    return small if np.array_equal(small, values) else None


def as_float32(values: HostArray) -> HostArray | None:
    """The values as float32, or None where one is NaN, infinite, or too large for float32."""
    with np.errstate(over="ignore"):
        single = values.astype(np.float32, copy=False)
    return single if bool(np.isfinite(single).all()) else None


@lru_cache(1024)
def complaint(cell: str, *, pixel: bool) -> str | None:
    """What is wrong with a table's cell that should hold a number; None where nothing is."""
    text = cell.strip(" \t")
    if not text:
        return "the cell is empty"
    if not NUMBER.fullmatch(text):
        return f"{quoted(text)} is not a number"
    value = float(text)
    if pixel and not (0 <= value <= 255 and value.is_integer()):
        return f"{plain(text)} is not a pixel value; pixels are whole numbers from 0 to 255"
    if abs(value) >= _OVERFLOW or (abs(value) >= 2**63 and INTEGER.fullmatch(text)):
        return f"{quoted(text)} is too large"
    return None
