"""Which of two ways to compute the same is faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

TRIES = 15
"""Of each way."""


class Trial:
    """Times two ways, called True and False: first some calls in one way, then as many in the other.

    In turns each would find in the caches what the other has left there, and never what it leaves there itself.
    """

    def __init__(self) -> None:
        self._seconds: dict[bool, list[float]] = {True: [], False: []}

    def run(self, compute: Callable[[bool], object]) -> float | None:
        """Compute in one way; returns how many seconds True gains in the median once that is known, and None before."""
        first, other = self._seconds.values()
        way = len(first) < TRIES
        start = time.perf_counter()
        compute(way)
        self._seconds[way].append(time.perf_counter() - start)
        return median(other) - median(first) if len(other) == TRIES else None
