"""Who computes the parts of a sum: the caller alone, or threads beside it. The sum's bits are the same."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from portanet._typing import Array
from portanet.xp import namespace

T = TypeVar("T")
Part = Callable[[int], tuple[Array, ...]]


class Workers(Protocol):
    """Anything that can compute part(0), ..., part(count - 1)."""

    size: int

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        """part(0), ..., part(count - 1), in this order."""

    def sum(self, part: Part, count: int) -> list[Array]:
        """The sum of each array over part(0), ..., part(count - 1), added in this order.

        What `part` gives may be overwritten when the same thread calls it again.
        """

    def both(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        """Calls both, at the same time where there is somebody to."""


class Solo:
    """The caller computes every part."""

    size = 1

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        return map(part, range(count))

    def sum(self, part: Part, count: int) -> list[Array]:
        return add(map(part, range(count)))

    def both(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        first()
        second()


class Threads:
    """The caller and `size - 1` threads beside it, which wait for work all the time."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="portanet", initializer=_quiet)
        self._helpers = [_Helper() for _ in range(size - 1)]

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        return self._pool.map(part, range(count)) if count > 1 else map(part, range(count))

    def sum(self, part: Part, count: int) -> list[Array]:
        total = _Total(part, count)
        started = [helper.start(total.work) for helper in self._helpers[: count - 1]]
        try:
            total.work()
        finally:
            for done in started:
                _wait(done)
        return total.arrays

    def both(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        done = self._helpers[0].start(second)
        try:
            first()
        finally:
            _wait(done)


_Done = SimpleQueue["BaseException | None"]


class _Helper:
    """A thread that does what it is given, one thing after the other."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[tuple[Callable[[], Any], _Done]] = SimpleQueue()
        threading.Thread(target=self._work, name="portanet-helper", daemon=True).start()

    def _work(self) -> None:
        _quiet()
        while True:
            task, done = self._tasks.get()
            try:
                task()
            except BaseException as error:  # raised again by who waits
                done.put(error)
            else:
                done.put(None)

    def start(self, task: Callable[[], Any]) -> _Done:
        """Begins with a task, and returns what to `wait` for."""
        done: _Done = SimpleQueue()
        self._tasks.put((task, done))
        return done


def _wait(done: _Done) -> None:
    """Until a task has ended; raises what it raised."""
    if (error := done.get()) is not None:
        raise error


class _Total:
    """A sum of parts that any thread may compute: each is added when all before it are."""

    def __init__(self, part: Part, count: int) -> None:
        self.arrays: list[Array] = []
        self._part, self._numbers = part, iter(range(count))
        self._early: dict[int, tuple[Array, ...]] = {}
        self._added, self._lock = 0, threading.Lock()

    def work(self) -> None:
        """Computes parts until none is left."""
        try:
            while (number := self._next()) is not None:
                self._take(number, self._part(number))
        except BaseException:
            self._numbers = iter(())  # so that the others end too
            raise

    def _next(self) -> int | None:
        with self._lock:
            return next(self._numbers, None)

    def _take(self, number: int, arrays: tuple[Array, ...]) -> None:
        with self._lock:
            if number != self._added:
                self._early[number] = tuple(map(_copy, arrays))
                return
            ready: tuple[Array, ...] | None = arrays
            while ready is not None:
                self.arrays = _added(self.arrays, ready)
                self._added += 1
                ready = self._early.pop(self._added, None)


def _quiet() -> None:
    """No warnings of infinite numbers from NumPy: whoever trains looks for them, and says where they began."""
    import numpy as np

    np.seterr(over="ignore", invalid="ignore", divide="ignore")


@functools.cache
def workers(size: int) -> Workers:
    """This many workers, the same ones each time; threads if there are several."""
    return Solo() if size == 1 else Threads(size)


if hasattr(os, "register_at_fork"):  # a child process has none of its parent's threads
    os.register_at_fork(after_in_child=workers.cache_clear)


def add(parts: Iterable[tuple[Array, ...]]) -> list[Array]:
    """The sum of each array over all parts, added in the order given, so its bits do not depend on who computed."""
    return functools.reduce(_added, parts, [])


def _added(totals: list[Array], part: tuple[Array, ...]) -> list[Array]:
    """The totals with one more part, of which nothing is kept."""
    return [_add(total, array) for total, array in zip(totals, part, strict=True)] if totals else [*map(_copy, part)]


def _add(total: Array, array: Array) -> Array:
    total += array
    return total


def _copy(array: Array) -> Array:
    return namespace(array).asarray(array, copy=True)
