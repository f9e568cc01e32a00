"""The rows of each step: shuffled for each epoch on the host, and sent to the device in one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from portanet._typing import Array, HostArray
from portanet.rng import NOISE, SHUFFLE, generator
from portanet.xp import namespace

_RUNS = 16  # an epoch is cut into about this many runs of steps, between which progress is shown

NoiseKey = tuple[int, int]


class Run(NamedTuple):
    """Steps that a backend takes in one call.

    rows  the row numbers of one step in each row of a 2-D int32 array; None where every step takes all rows
    keys  what noise is made from, for each step
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
        """How many steps an epoch has."""
        return 1 if self.size is None else -(-self.rows // self.size)

    def runs(self, epoch: int, put: Callable[[HostArray], Array], first: int = 0) -> Iterator[Run]:
        """The runs of an epoch from its step `first`, where a run must begin; a last short batch is a run by itself.

        `put` sends the order of the rows, in one piece, to where the steps need it.
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
        """The rows and the noise key of one step of the whole training; None for all rows."""
        epoch, place = divmod(number, self.steps)
        [key] = self._keys(self._noise(epoch), place, place + 1)
        if self.size is None:
            return None, key
        return self.order(epoch)[place * self.size : (place + 1) * self.size], key

    def order(self, epoch: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The order of the rows in this epoch, the same on every backend."""
        return generator(self.seed, SHUFFLE, epoch).permutation(self.rows)

    def _noise(self, epoch: int) -> int:
        """The number that the noise of this epoch is made from."""
        return int(generator(self.seed, NOISE, epoch).integers(-(2**31), 2**31))

    def _keys(self, noise: int, start: int, stop: int) -> list[NoiseKey]:
        """The number of the epoch, and the position of the step's first sample in it."""
        return [(noise, step * (self.size or self.rows)) for step in range(start, stop)]
