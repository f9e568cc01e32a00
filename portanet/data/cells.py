"""Parsing and narrowing numeric cells."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray
from portanet.data.signs import sign_of, without_sign
from portanet.storage.schema import Dialect

NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INTEGER = re.compile(r"[+-]?[0-9]{1,300}")

MISSING = frozenset({"", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "none"})
"""Texts that mean a missing value, in lower case: the same for numbers, categories and labels."""

LARGEST = float(np.finfo(np.float32).max)

# From this value on, half a step above the largest float32, conversion to float32 gives infinity.
_OVERFLOW = 2.0**128 - 2.0**103


def quoted(text: str) -> str:
    """The text in quotes, shortened."""
    return repr(text) if len(text) <= 40 else f"{text[:40]!r}..."


def is_missing(text: str) -> bool:
    """Whether a cell is empty or one of the texts for a missing value, ignoring case."""
    return text.strip().lower() in MISSING


def is_gap(text: str, dialect: Dialect) -> bool:
    """Whether a cell is missing: by its text, by a lone "-", or by the dialect's own missing values."""
    return is_missing(text) or text == "-" or text.lower() in (dialect.missing or ())


def number_of(text: str, dialect: Dialect, sign: str = "") -> float | None:
    """The number in a cell in the file's number format, with or without the sign; None if the cell is not a number."""
    text = without_sign(text, sign) if sign else text.strip()
    mark = dialect.thousands or (sign and {".": ",", ",": "."}[dialect.decimal])
    if mark and mark in text:
        grouped = rf"[+-]?\d{{1,3}}([{mark}]\d{{2,3}})*[{mark}]\d{{3}}([{dialect.decimal}]\d*)?"
        text = text.replace(mark, "" if re.fullmatch(grouped, text) else "x")
    if dialect.decimal != ".":
        text = text.replace(".", "x").replace(dialect.decimal, ".")
    return float(text) if NUMBER.fullmatch(text) else None


def signed_number(text: str, dialect: Dialect) -> tuple[float | None, str]:
    """The number in a cell, or None, and its currency sign, percent sign or unit, or ""."""
    number = number_of(text, dialect)
    if number is not None or not (sign := sign_of(text)):
        return number, ""
    number = number_of(text, dialect, sign)
    return number, sign if number is not None else ""


def is_text(text: str) -> bool:
    """Whether text decoded with "surrogateescape" was valid UTF-8."""
    return text.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in text)


def as_uint8(values: HostArray) -> HostArray | None:
    """The values as uint8, or None if one of them is not a whole number from 0 to 255."""
    if values.dtype == np.uint8:
        return values
    with np.errstate(invalid="ignore"):
        small = values.astype(np.uint8)
    return small if np.array_equal(small, values) else None


def as_float32(values: HostArray) -> HostArray | None:
    """The values as float32, or None if one is NaN, infinite, or too large for float32."""
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32, copy=False)
    return single if bool(np.isfinite(single).all()) else None


def as_floats(values: HostArray) -> HostArray | None:
    """The values (N, ...) as float32 if the values of each column stay distinct, else as float64.

    Whole numbers, such as the date 20230101, must also stay exact. None if a value is NaN, infinite, or too large for
    float32.
    """
    single = as_float32(values)
    if single is None or values.dtype == np.float32 or _are_apart(single, values):
        return single
    return values.astype(np.float64, copy=False)


def _are_apart(single: HostArray, values: HostArray) -> bool:
    """Whether float32 keeps whole numbers exact and merges no two distinct values of a column."""
    changed = single != values
    if not changed.any():
        return True
    inexact = values[changed]
    if ((inexact == np.trunc(inexact)) & (np.abs(inexact) < 2**53)).any():
        return False
    wide = np.sort(values.reshape(len(values), -1)[:, changed.reshape(len(values), -1).any(axis=0)], axis=0)
    narrow = wide.astype(np.float32)
    return not bool(((narrow[1:] == narrow[:-1]) & (wide[1:] != wide[:-1])).any())


@lru_cache(1024)
def cell_error(cell: str, *, pixel: bool) -> str | None:
    """The fault of a cell that should hold a number; None if it is valid."""
    text = cell.strip(" \t")
    if not text:
        return "the cell is empty"
    if not NUMBER.fullmatch(text):
        return f"{quoted(text)} is not a number"
    value = float(text)
    if pixel and not (0 <= value <= 255 and value.is_integer()):
        return f"{plain(text)} is not a pixel value; pixels are integers from 0 to 255"
    if abs(value) >= _OVERFLOW or (abs(value) >= 2**63 and INTEGER.fullmatch(text)):
        return f"{quoted(text)} is too large"
    return None
