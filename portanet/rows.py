"""Rows of an array that may be larger than memory: a choice of them is its numbers, and reading waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from portanet._typing import Array
from portanet.xp import namespace

_BLOCK = 2**24  # bytes


class Rows:
    """Rows of a memory map: `rows[2:5]` and `rows[numbers]` read those and no others, into an array of their own.

    array   (M, ...) on the host
    index   (N,) which of its rows are meant, in their order; without it all of them
    change  done to rows as they are read; it keeps their number

    `np.asarray(rows)` reads all of them into memory.
    """

    def __init__(
        self, array: npt.NDArray[Any], index: npt.NDArray[Any] | None = None, change: Callable[[Any], Any] | None = None
    ) -> None:
        self.array, self.index, self.change = np.asarray(array), index, change
        first = self[:1]
        self.shape: tuple[int, ...] = (len(array) if index is None else len(index), *first.shape[1:])
        self.dtype, self.ndim = first.dtype, first.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Rows(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, key: Any) -> Any:
        """The rows of a slice, of an array of numbers, or a single one; in a tuple, what follows is for each row."""
        rows, *rest = key if isinstance(key, tuple) else (key,)
        if rows is Ellipsis:
            return self[:][key]
        if not isinstance(rows, slice):
            rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
            if rows.ndim == 0:
                return self[rows[None]][(0, *rest)]
        numbers = rows if self.index is None else self.index[rows]
        found = self.array[numbers] if isinstance(numbers, slice) else np.take(self.array, numbers, axis=0)
        found = found if self.change is None else self.change(found)
        return found if rest in ([], [Ellipsis]) else found[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self[:], dtype)

    def chosen(self, rows: Any) -> Rows:
        """The rows that a slice or an array of numbers names among these; nothing is read."""
        index = np.arange(len(self.array)) if self.index is None else self.index
        return Rows(self.array, index[rows], self.change)

    def through(self, change: Callable[[Any], Any]) -> Rows:
        """The same rows with one more change, which is done when they are read."""
        before = self.change
        return Rows(self.array, self.index, change if before is None else lambda rows: change(before(rows)))


def gather(x: Any, numbers: Any) -> Array:
    """The rows that `numbers` names, of an array of any library or of Rows on the host."""
    return x[np.asarray(numbers)] if isinstance(x, Rows) else namespace(x).take(x, numbers, axis=0)


def blocks(x: Any) -> Iterator[Any]:
    """All rows of an array on the host, or of Rows, in their order, some megabytes of them at a time."""
    size = max(1, _BLOCK // max(1, math.prod(x.shape[1:]) * x.dtype.itemsize))
    for start in range(0, x.shape[0], size):
        yield x[start : min(start + size, x.shape[0]), ...]
