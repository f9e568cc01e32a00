"""Reading rows and files in blocks, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

BLOCK_BYTES = 2**22  # read at once: large enough that a call costs nothing, small enough for a processor's cache


@dataclass(frozen=True)
class Blocks:
    """Consecutive blocks of rows, read on demand: by position, also from several threads, or in order, repeatedly."""

    read: Callable[[slice], Any]
    rows: int
    size: int

    def __len__(self) -> int:
        return -(-self.rows // self.size)

    def __getitem__(self, i: int) -> Any:
        start = i * self.size
        return self.read(slice(start, min(start + self.size, self.rows)))

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


def blocks(x: Any, read: Callable[[slice], Any] | None = None) -> Blocks:
    """Return all rows of a host array, or of Rows, `BLOCK_BYTES` at a time; `read` changes them as they are read."""
    size = max(1, BLOCK_BYTES // max(1, math.prod(x.shape[1:]) * x.dtype.itemsize))
    return Blocks(read or x.__getitem__, x.shape[0], size)
