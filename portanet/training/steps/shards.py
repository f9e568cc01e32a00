"""Deterministic parallel sums: the same bits whether the caller computes alone or with further threads."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.xp import copied

T = TypeVar("T")
Part = Callable[[int], tuple[Array, ...]]


class Workers(Protocol):
    """Something that can compute part(0), ..., part(count - 1)."""

    size: int

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        """part(0), ..., part(count - 1), in this order."""

    def sum(self, part: Part, count: int) -> list[Array]:
        """The sum of each array over part(0), ..., part(count - 1), added in this order.

        The arrays that `part` returns may be overwritten when the same thread calls it again.
        """

    def run_pair(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        """Call both, concurrently if there is a second thread."""


class Serial:
    """The caller computes every part."""

    size = 1

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        return map(part, range(count))

    def sum(self, part: Part, count: int) -> list[Array]:
        return add(map(part, range(count)))

    def run_pair(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        first()
        second()


class Threads:
    """The caller and `size - 1` threads, which are kept between calls."""

    def __init__(self, size: int) -> None:
        self.size = size
        try:
            self._workers = [Worker() for _ in range(size - 1)]
        except RuntimeError as error:
            raise ConfigError(f"the system starts no {size - 1} threads ({error}).", remedy="try workers=1") from error

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        results: dict[int, T] = {}
        self._share(part, count, results.__setitem__)
        return map(results.pop, range(count))

    def sum(self, part: Part, count: int) -> list[Array]:
        total = OrderedSum()
        self._share(part, count, total.add)
        return total.arrays

    def run_pair(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        self._together(first, [second])

    def _share(self, part: Callable[[int], T], count: int, done: Callable[[int, T], None]) -> None:
        """Call `done(i, part(i))` for each i, in any order and on any thread."""
        numbers, lock = iter(range(count)), threading.Lock()

        def next_number() -> int | None:
            with lock:
                return next(numbers, None)

        def work() -> None:
            try:
                while (number := next_number()) is not None:
                    done(number, part(number))
            except BaseException:
                with lock:
                    list(numbers)  # exhausted, so the other threads end too
                raise

        self._together(work, [work] * min(count - 1, self.size - 1))

    def _together(self, own: Callable[[], Any], others: list[Callable[[], Any]]) -> None:
        """Call `own` in this thread and the others on the workers, wait for all, then raise the first error."""
        started = [worker.start(task) for worker, task in zip(self._workers, others, strict=False)]
        try:
            own()
        finally:
            errors = [done.get() for done in started]
        for error in errors:
            if error is not None:
                raise error


class Worker:
    """A thread that runs its tasks in turn."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[tuple[Callable[[], Any], SimpleQueue[BaseException | None]]] = SimpleQueue()
        threading.Thread(target=self._work, name="portanet-worker", daemon=True).start()

    def start(self, task: Callable[[], Any]) -> SimpleQueue[BaseException | None]:
        """Start a task; when it ends, the queue gets None or the exception that it raised."""
        done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._tasks.put((task, done))
        return done

    def _work(self) -> None:
        _ignore_infinities()
        while True:
            task, done = self._tasks.get()
            try:
                task()
            except BaseException as error:  # raised again in the waiting thread
                done.put(error)
            else:
                done.put(None)


class OrderedSum:
    """A sum of numbered parts that arrive in any order: each is added once all before it are."""

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self._early: dict[int, tuple[Array, ...]] = {}
        self._added, self._lock = 0, threading.Lock()

    def add(self, number: int, arrays: tuple[Array, ...]) -> None:
        """Add the part with this number, or keep a copy until it is its turn."""
        with self._lock:
            if number != self._added:
                self._early[number] = tuple(map(copied, arrays))
                return
            ready: tuple[Array, ...] | None = arrays
            while ready is not None:
                self.arrays = _added(self.arrays, ready)
                self._added += 1
                ready = self._early.pop(self._added, None)


def _ignore_infinities() -> None:
    """Silence NumPy's warnings in this thread: training itself checks for infinite numbers and finds their origin."""
    import numpy as np

    np.seterr(over="ignore", invalid="ignore", divide="ignore")


@functools.cache
def workers(size: int) -> Workers:
    """Return `size` workers, the same ones for each call; threads if there are several."""
    return Serial() if size == 1 else Threads(size)


if hasattr(os, "register_at_fork"):  # a forked process does not have its parent's threads
    os.register_at_fork(after_in_child=workers.cache_clear)


def add(parts: Iterable[tuple[Array, ...]]) -> list[Array]:
    """The sum of each array over all parts, added in the order given, so its bits do not depend on the threads."""
    return functools.reduce(_added, parts, [])


def _added(totals: list[Array], part: tuple[Array, ...]) -> list[Array]:
    """The totals with one more part added; the part may be overwritten afterwards."""
    return [_add(total, array) for total, array in zip(totals, part, strict=True)] if totals else [*map(copied, part)]


def _add(total: Array, array: Array) -> Array:
    total += array
    return total
