"""Which rows each step takes: drawn anew for each epoch on the host, and sent to the device in one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from portanet._typing import Array, HostArray
from portanet.rng import NOISE, SHUFFLE, generator
from portanet.xp import namespace

_RUNS = 16  # an epoch is cut into about so many runs of steps, between which progress is shown


@dataclass(frozen=True)
class Batches:
    """The batches of each epoch over `rows` rows; without a size, every step takes all rows in their order."""

    rows: int
    size: int | None
    seed: int

    @property
    def steps(self) -> int:
        """How many steps an epoch has."""
        return 1 if self.size is None else -(-self.rows // self.size)

    def epoch(self, number: int, put: Callable[[HostArray], Array], first: int = 0) -> Iterator[Array | None]:
        """Runs of steps: the rows of one step in each row of a 2-D int32 array; a last short batch by itself.

        From step `first` of the epoch on, which must be where a run begins. `put` brings the order of the rows, in one
        piece, to where the steps need it.
        """
        if self.size is None:
            yield None
            return
        order = put(self.order(number))
        whole = self.rows // self.size
        in_whole = whole * self.size
        reshape = namespace(order).reshape
        batches = reshape(order[:in_whole], (whole, self.size))
        run = max(1, -(-whole // _RUNS))
        for start in range(first, whole, run):
            yield batches[start : min(start + run, whole), ...]
        if in_whole < self.rows:
            yield reshape(order[in_whole:], (1, self.rows - in_whole))

    def keys(self, epoch: int, first: int, count: int) -> list[tuple[int, int]]:
        """What noise is made from in `count` steps from step `first` of the epoch: its number, and a position."""
        value = int(generator(self.seed, NOISE, epoch).integers(-(2**31), 2**31))
        return [(value, step * (self.size or self.rows)) for step in range(first, first + count)]

    def order(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The order of the rows in this epoch, the same on every backend."""
        return generator(self.seed, SHUFFLE, epoch).permutation(self.rows)
