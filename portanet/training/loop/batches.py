"""The row indices of each step: shuffled on the host for each epoch, and sent to the device in one copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from portanet._typing import Array, HostArray
from portanet.rng import NOISE, SHUFFLE, generator
from portanet.xp import namespace

_RUNS = 16  # an epoch is split into about this many runs of steps; progress is shown between them

NoiseKey = tuple[int, int]


class Run(NamedTuple):
    """A run of steps that a backend takes in one call.

    rows  (steps, batch) int32 row indices; None if every step takes all rows
    keys  the noise key of each step
    """

    rows: Array | None
    keys: list[NoiseKey]


@dataclass(frozen=True)
class Batches:
    """The batches of each epoch over `rows` rows; without a size, every step takes all rows in their order."""

    rows: int
    size: int | None
    seed: int

    @property
    def steps(self) -> int:
        """The number of steps in an epoch."""
        return 1 if self.size is None else -(-self.rows // self.size)

    def runs(self, epoch: int, put: Callable[[HostArray], Array], first: int = 0) -> Iterator[Run]:
        """The runs of an epoch from step `first`, which must begin a run; a short last batch is a separate run.

        `put` sends the order of the rows, in one copy, to the memory in which the steps read it.
        """
        noise = self._noise(epoch)
        if self.size is None:
            yield Run(None, self._keys(noise, 0, 1))
            return
        order = put(self.order(epoch))
        full = self.rows // self.size
        end = full * self.size
        reshape = namespace(order).reshape
        batches = reshape(order[:end], (full, self.size))
        length = max(1, -(-full // _RUNS))
        for start in range(first, full, length):
            stop = min(start + length, full)
            yield Run(batches[start:stop, ...], self._keys(noise, start, stop))
        if end < self.rows:
            yield Run(reshape(order[end:], (1, self.rows - end)), self._keys(noise, full, full + 1))

    def step(self, number: int) -> tuple[HostArray | None, NoiseKey]:
        """The row indices and the noise key of one step of the run; None stands for all rows."""
        epoch, place = divmod(number, self.steps)
        [key] = self._keys(self._noise(epoch), place, place + 1)
        if self.size is None:
            return None, key
        return self.order(epoch)[place * self.size : (place + 1) * self.size], key

    def order(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The order of the rows in this epoch, the same on every backend."""
        return generator(self.seed, SHUFFLE, epoch).permutation(self.rows)

    def _noise(self, epoch: int) -> int:
        """The noise seed of this epoch."""
        return int(generator(self.seed, NOISE, epoch).integers(-(2**31), 2**31))

    def _keys(self, noise: int, start: int, stop: int) -> list[NoiseKey]:
        """The noise key of each step: the epoch's seed, and the position of the step's first sample."""
        return [(noise, step * (self.size or self.rows)) for step in range(start, stop)]
