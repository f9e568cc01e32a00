"""Measuring which of two ways to compute the same is faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

TRIES = 15
"""Calls measured for each way."""


class Trial:
    """Times two ways, called True and False: first some calls one way, then as many the other way.

    Alternating them would time each with the caches as the other leaves them, not as it leaves them itself.
    """

    def __init__(self) -> None:
        self._seconds: dict[bool, list[float]] = {True: [], False: []}

    def run(self, compute: Callable[[bool], object]) -> float | None:
        """Compute one way; return the seconds that True gains in the median, or None until enough calls are timed."""
        first, other = self._seconds.values()
        way = len(first) < TRIES
        start = time.perf_counter()
        compute(way)
        self._seconds[way].append(time.perf_counter() - start)
        return median(other) - median(first) if len(other) == TRIES else None
