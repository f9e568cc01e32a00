"""Lazy row selection: selecting stores indices, indexing reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._typing import HostArray


class Rows:
    """Rows of a memory map: `rows[2:5]` and `rows[numbers]` read those and no others, into an array of their own.

    array  (M, ...) on the host
    index  (N,) which of its rows are meant, in their order; without it all of them

    `np.asarray(rows)` reads all of them into memory.
    """

    def __init__(self, array: HostArray, index: HostArray | None = None) -> None:
        self.array, self.index = np.asarray(array), index
        self.shape: tuple[int, ...] = (len(array) if index is None else len(index), *array.shape[1:])
        self.dtype, self.ndim = array.dtype, array.ndim

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
        block = self.array[numbers] if isinstance(numbers, slice) else np.take(self.array, numbers, axis=0)
        return block if rest in ([], [Ellipsis]) else block[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self[:], dtype)

    def select(self, rows: Any) -> Rows:
        """The rows that a slice or an array of numbers names among these; nothing is read."""
        index = np.arange(len(self.array)) if self.index is None else self.index
        return Rows(self.array, index[rows])


def as_rows(x: Any) -> Rows | None:
    """Return the rows of a memory map, or Rows unchanged; None for anything that is in memory, or empty."""
    if isinstance(x, np.memmap) and x.ndim and len(x):
        return Rows(x)
    return x if isinstance(x, Rows) else None
