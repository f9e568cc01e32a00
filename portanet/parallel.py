"""Who computes the parts of a sum: the caller alone, or a pool of threads. The sum's bits are the same."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from portanet._typing import Array

T = TypeVar("T")


class Workers(Protocol):
    """Anything that can compute part(0), ..., part(count - 1) and give them back in this order."""

    size: int

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        """part(0), ..., part(count - 1)."""


class Solo:
    """The caller computes every part."""

    size = 1

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        return map(part, range(count))


class Threads:
    """A pool of threads computes the parts."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="portanet", initializer=_quiet)

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        return self._pool.map(part, range(count)) if count > 1 else map(part, range(count))


def _quiet() -> None:
    """No warnings of infinite numbers from NumPy: whoever trains looks for them, and says where they began."""
    import numpy as np

    np.seterr(over="ignore", invalid="ignore", divide="ignore")


@functools.cache
def workers(size: int) -> Workers:
    """This many workers, the same ones each time; threads if there are several."""
    return Solo() if size == 1 else Threads(size)


def add(parts: Iterable[tuple[Array, ...]]) -> list[Array]:
    """The sum of each array over all parts, added in the order given, so its bits do not depend on who computed."""
    parts = iter(parts)
    totals = list(next(parts))
    for part in parts:
        totals = [_add(total, array) for total, array in zip(totals, part, strict=True)]
    return totals


def _add(total: Array, array: Array) -> Array:
    total += array
    return total


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
