"""Column offsets, subtracted in float64 before the cast to float32, for columns that float32 would merge."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet._typing import HostArray, Shape
from portanet.data.blocks import blocks
from portanet.errors import DataError

_FEW, _FEW_WHOLE = 2.0**20, 2.0**22  # float32 numbers within a column's spread; centred, it has 2^24
_ROUNDING = 2.0**-40  # relative to the values; a smaller spread is a constant with rounding errors
_SMALLEST = float(np.finfo(np.float32).tiny)
_HALF = 2.0**32
_EXACT = ("bool", "uint8", "int8", "uint16", "int16", "float16", "bfloat16", "float32")


def find_offsets(rows: Any) -> HostArray | None:
    """Return the offsets of host rows (N, ...), in float64 and in the shape of a row; None if all are 0.

        offset = the middle of a column        if it has values that are not float32 numbers, and
                                               largest - smallest < n * (distance of float32 numbers at the largest)

    n is 2^20, for integers 2^22: dates such as 20230101, seconds since 1970, ids, metres of a map's grid. All other
    columns, such as ordinary data and pixels, have the offset 0, so their float32 numbers stay the same.
    A column is a position in a row; in an image (C, H, W) it is a channel. The rows are read once, block by block, in
    constant memory. The middle of integers is an integer, and differences of numbers of similar size are exact
    (Sterbenz 1974, theorem 4.3.1), so no value loses a bit before the cast.
    Raises DataError for a column of numbers too small for float32.
    """
    low, high, exact, whole = _columns(rows)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = subtract(high, low)
        low, high = low.astype(np.float64), high.astype(np.float64)
        largest = np.maximum(np.abs(low), np.abs(high))
        numbers = spread / np.spacing(largest.astype(np.float32))
        few = numbers < np.where(whole, _FEW_WHOLE, _FEW)
        merges = few & ~exact & (spread > np.where(whole, 0.0, _ROUNDING * largest))
        middle = low + spread / 2
        _require_large_enough(np.where(merges, spread / 2, largest))
    offsets: HostArray = np.where(merges, np.where(whole, np.rint(middle), middle), 0.0)
    return offsets if merges.any() else None


def subtract(block: HostArray, offsets: HostArray) -> HostArray:
    """Return block - offsets in float64, rounded only once, even for 64-bit integers."""
    if block.dtype.kind not in "ui" or block.dtype.itemsize < 8:
        difference: HostArray = block.astype(np.float64) - offsets
        return difference
    (high, low), (high_offset, low_offset) = _halves(block), _halves(offsets)
    return (high - high_offset) * _HALF + (low - low_offset)


def _halves(x: HostArray) -> tuple[HostArray, HostArray]:
    """Numbers split as high * 2^32 + low, both float64: exact for 64-bit integers, unlike a single float64."""
    if x.dtype.kind in "ui":
        return (x >> 32).astype(np.float64), (x & 0xFFFFFFFF).astype(np.float64)
    high: HostArray = np.floor(x / _HALF)
    return high, x - high * _HALF


def in_a_row(offsets: Sequence[float], row: Shape) -> HostArray | None:
    """Return the offsets of a model's card in the shape of a row; None if it has none."""
    shape = (row[0], 1, 1) if len(row) == 3 else row
    return np.asarray(offsets, np.float64).reshape(shape) if offsets else None


def is_wide(dtype: Any) -> bool:
    """Whether numbers of this dtype, of any library, may not fit float32 exactly."""
    return name_of(dtype) not in _EXACT


def name_of(dtype: Any) -> str:
    """Return the NumPy name of a dtype of any library."""
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2]


_Columns = tuple[HostArray, HostArray, HostArray, HostArray]
"""The smallest and the largest value of each column, whether all are float32 numbers, and whether all are whole."""


def _columns(rows: Any) -> _Columns:
    low, high, exact, whole = functools.reduce(_merged, map(_of_block, blocks(rows)))
    shape = (rows.shape[1], 1, 1) if rows.ndim == 4 else rows.shape[1:]
    return low.reshape(shape), high.reshape(shape), exact.reshape(shape), whole.reshape(shape)


def _merged(one: _Columns, other: _Columns) -> _Columns:
    return np.fmin(one[0], other[0]), np.fmax(one[1], other[1]), one[2] & other[2], one[3] & other[3]


def _of_block(block: HostArray) -> _Columns:
    """Those of a block; NaN does not count."""
    axes = (0, 2, 3) if block.ndim == 4 else (0,)
    low, high = (function.reduce(block, axis=axes) for function in (np.fmin, np.fmax))
    if block.dtype.kind in "ui":
        return low, high, (low >= -(2**24)) & (high <= 2**24), np.ones_like(low, bool)
    missing = np.isnan(block)
    with np.errstate(over="ignore", invalid="ignore"):
        exact, whole = block.astype(np.float32) == block, np.floor(block) == block
    return low, high, (exact | missing).all(axis=axes), (whole | missing).all(axis=axes)


def _require_large_enough(sizes: HostArray) -> None:
    small = np.argwhere((sizes > 0) & (sizes < _SMALLEST))
    if small.size:
        position = tuple(small[0].tolist())
        raise DataError(
            f"x holds numbers too small for float32, up to {sizes[position]:.4g} in column {position[0]} (from 0); "
            "scale its columns, or train with dtype='float64'."
        )
