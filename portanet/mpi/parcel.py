"""The byte layout of one shard's messages: to each rank a slice of the gradient, with the small sums before it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from portanet._typing import HostArray

Form = list[tuple[str, tuple[int, ...]]]
"""The dtype and shape of each array of a shard: a vector, then small ones."""

_ALIGNED = 64  # bytes


def form_of(arrays: Sequence[HostArray]) -> Form:
    """Return the form of a shard's arrays."""
    return [(array.dtype.str, array.shape) for array in arrays]


class Parcel:
    """The byte layout of a shard's message to each rank: the small arrays, then the rank's slice of the vector.

    bounds  the start of each rank's slice of the vector, and the end of the last
    """

    def __init__(self, form: Form, ranks: int) -> None:
        (dtype, (length,)), *self._small = form
        self.dtype, self.ranks = np.dtype(dtype), ranks
        step = _ALIGNED * math.ceil(length / (_ALIGNED * ranks))
        self.bounds = [min(length, rank * step) for rank in range(ranks + 1)]
        sizes = [np.dtype(kind).itemsize * math.prod(shape) for kind, shape in self._small]
        self._ends = list(itertools.accumulate(sizes))
        self._head = _ALIGNED * math.ceil(sum(sizes) / _ALIGNED)

    def width(self, rank: int) -> int:
        """Return the bytes of a shard's message to a rank."""
        return self._head + (self.bounds[rank + 1] - self.bounds[rank]) * self.dtype.itemsize

    def outbox(self, shards: int) -> tuple[HostArray, list[HostArray]]:
        """Return a send buffer and its view for each rank, (shards, width)."""
        ends = list(itertools.accumulate((shards * self.width(rank) for rank in range(self.ranks)), initial=0))
        buffer = np.empty(ends[-1], np.uint8)
        parts = [buffer[a:b].reshape(shards, self.width(rank)) for rank, (a, b) in enumerate(itertools.pairwise(ends))]
        return buffer, parts

    def write(self, parts: Sequence[HostArray], shard: int, arrays: Sequence[HostArray]) -> None:
        """Write the arrays of a shard into row `shard` of each part of an outbox."""
        vector, *small = arrays
        head = np.frombuffer(b"".join(array.tobytes() for array in small), np.uint8)
        for rank, part in enumerate(parts):
            part[shard, : head.size] = head
            part[shard, self._head :].view(self.dtype)[...] = vector[self.bounds[rank] : self.bounds[rank + 1]]

    def read(self, row: HostArray) -> list[HostArray]:
        """Return the arrays in a received row: a slice of the vector, and the small arrays."""
        starts = [0, *self._ends]
        small = [
            row[a:b].view(kind).reshape(shape)
            for (a, b), (kind, shape) in zip(itertools.pairwise(starts), self._small, strict=True)
        ]
        return [row[self._head :].view(self.dtype), *small]
