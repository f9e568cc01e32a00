"""Large arrays and files a block at a time, in constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

BLOCK_BYTES = 2**22  # read at once: large enough that a call costs nothing, small enough for a processor's cache


def blocks(x: Any) -> Iterator[Any]:
    """Yield all rows of a host array, or of Rows, in order, `BLOCK_BYTES` at a time."""
    size = block_rows(x)
    for start in range(0, x.shape[0], size):
        yield x[start : min(start + size, x.shape[0])]


def block_rows(x: Any) -> int:
    """Return how many rows of `x` make `BLOCK_BYTES`, at least one."""
    return max(1, BLOCK_BYTES // max(1, math.prod(x.shape[1:]) * x.dtype.itemsize))
