"""Which of two ways to compute the same is faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import mean

TRIES = 15
"""Of each way."""


class Trial:
    """Times two ways in turn, called True and False."""

    def __init__(self) -> None:
        self._seconds: dict[bool, list[float]] = {True: [], False: []}

    def run(self, compute: Callable[[bool], object]) -> float | None:
        """Compute in one way; returns how many seconds True gains once that is known, and None before.

        They are means without the slowest call: a way that now and then waits for a busy core is slower for it.
        """
        first, other = self._seconds.values()
        way = len(first) <= len(other)
        start = time.perf_counter()
        compute(way)
        self._seconds[way].append(time.perf_counter() - start)
        return _typical(other) - _typical(first) if len(other) == TRIES else None


def _typical(seconds: list[float]) -> float:
    return mean(sorted(seconds)[:-1])
