"""Lazy row selection: selecting stores indices, indexing reads."""

from __future__ import annotations

import contextlib
import os
from typing import Any, NamedTuple

import numpy as np

from portanet._typing import HostArray
from portanet.errors import DataError


class MappedFile(NamedTuple):
    """The file behind a memory map, and the number of bytes that the map needs."""

    path: str
    inode: int
    needed: int

    @classmethod
    def of(cls, array: HostArray) -> MappedFile | None:
        """Return the file of a memory map; None for other arrays, and if the file has been removed."""
        if not (isinstance(array, np.memmap) and array.filename):
            return None
        with contextlib.suppress(OSError):
            return cls(str(array.filename), os.stat(array.filename).st_ino, array.offset + array.nbytes)
        return None

    def require_whole(self) -> None:
        """Raise DataError if the file has been truncated: reading beyond its end would kill the process."""
        with contextlib.suppress(OSError):  # a removed file stays readable through the map
            status = os.stat(self.path)
            if status.st_ino == self.inode and status.st_size < self.needed:
                raise DataError(f"{self.path} was cut short while it was read; it must not change meanwhile.")


class Rows:
    """Rows of a memory map: `rows[2:5]` and `rows[indices]` read only those, into a new array.

    array  (M, ...) on the host
    index  (N,) row indices into it, in order; all rows by default

    `np.asarray(rows)` reads all of them into memory. Raises DataError if the map's file was truncated meanwhile.
    """

    def __init__(self, array: HostArray, index: HostArray | None = None, file: MappedFile | None = None) -> None:
        self.array, self.index = np.asarray(array), index
        self._file = MappedFile.of(array) if file is None else file
        self.shape: tuple[int, ...] = (len(array) if index is None else len(index), *array.shape[1:])
        self.dtype, self.ndim = array.dtype, array.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Rows(shape={self.shape}, dtype={self.dtype})"

    def __getitem__(self, key: Any) -> Any:
        """Read the rows of a slice or an index array, or a single row; the rest of a tuple indexes within each row."""
        rows, *rest = key if isinstance(key, tuple) else (key,)
        if rows is Ellipsis:
            return self[:][key]
        if not isinstance(rows, slice):
            rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
            if rows.ndim == 0:
                return self[rows[None]][(0, *rest)]
        if self._file is not None:
            self._file.require_whole()
        numbers = rows if self.index is None else self.index[rows]
        block = self.array[numbers] if isinstance(numbers, slice) else np.take(self.array, numbers, axis=0)
        return block if rest in ([], [Ellipsis]) else block[(slice(None), *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self[:], dtype)

    def select(self, rows: Any) -> Rows:
        """Select rows by a slice or an index array, without reading them."""
        if self.index is not None:
            return Rows(self.array, self.index[rows], self._file)
        numbers = np.arange(len(self.array))[rows] if isinstance(rows, slice) else np.asarray(rows)
        return Rows(self.array, numbers, self._file)


def as_rows(x: Any) -> Rows | None:
    """Return the rows of a memory map, or Rows unchanged; None for data in memory, and for an empty map."""
    if isinstance(x, np.memmap) and x.ndim and len(x):
        return Rows(x)
    return x if isinstance(x, Rows) else None
