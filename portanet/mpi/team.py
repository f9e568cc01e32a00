"""Sums over the shards of a batch, dealt to ranks: with the bits of one process, or by MPI's own sum."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from typing import Any, Protocol, TypeVar

import numpy as np

from portanet._typing import Array, HostArray
from portanet.backends.base import Backend
from portanet.mpi.parcel import Form, Parcel, form_of
from portanet.mpi.ranks import FAST, Ranks

T = TypeVar("T")
Part = Callable[[int], tuple[Array, ...]]

_OUTBOX = 2**26  # bytes that a rank sends at once, unless four shards are more
_LEAST = 4


class Local(Protocol):
    """The threads of one rank: `portanet.training.shards.Workers`."""

    size: int

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        """As there."""

    def sum(self, part: Part, count: int) -> list[Array]:
        """As there."""

    def run_pair(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        """As there."""


class Team:
    """Ranks, with their threads, as workers that share the parts of a sum.

    Every rank calls the same methods in the same order and gets the same result. The ordered sum of a vector of n
    numbers over parts 0, 1, 2, ...:

        Alltoall    rank j gets the j-th slice of every part, from the rank that computed it
        add         part 0 + part 1 + part 2 + ...      in this order, as one process does, so to the same bits
        Allgather   every rank gets all slices

    A rank has a run of neighbouring parts, and of a memory map so reads rows that no other rank reads.

    local    the threads of this rank
    numbers  in the vector that a part gives
    """

    def __init__(self, ranks: Ranks, local: Local, backend: Backend, numbers: int = 0) -> None:
        self._ranks, self._local, self._backend = ranks, local, backend
        self._at_once = ranks.size * max(_LEAST, _OUTBOX // (8 * max(1, numbers)))
        self.size = local.size

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        """part(0), ..., part(count - 1), in this order; parts that give numbers and host arrays."""
        own = deal(range(count), self._ranks.size)[self._ranks.rank]
        results = list(self._local.map(lambda i: part(own[i]), len(own)))
        return chain.from_iterable(self._ranks.gather(results))

    def sum(self, part: Part, count: int) -> list[Array]:
        """The sum of each array over all parts: of a vector, and of small arrays behind it."""
        if self._ranks.reduce == FAST:
            return self._added_by_mpi(part, count)
        total: list[HostArray] = []
        form: Form | None = None
        for first in range(0, count, self._at_once):
            form, rows = self._exchange(part, range(first, min(first + self._at_once, count)), form)
            parcel = Parcel(form, self._ranks.size)
            for row in rows:
                arrays = parcel.read(row)
                total = [_add(*pair) for pair in zip(total, arrays, strict=True)] if total else [*map(np.array, arrays)]
        assert form is not None
        return self._on_backend([self._whole(total[0], form), *total[1:]])

    def run_pair(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        """Call both, at the same time if there is a second thread."""
        self._local.run_pair(first, second)

    def _exchange(self, part: Part, numbers: range, form: Form | None) -> tuple[Form, HostArray]:
        """Compute this rank's parts; the form of each, and of all parts in order the bytes that are for this rank."""
        dealt, rank = deal(numbers, self._ranks.size), self._ranks.rank
        outbox = _Outbox(self._ranks.size, len(dealt[rank]))
        for _ in self._local.map(lambda i: outbox.put(i, self._on_host(part(dealt[rank][i]))), len(dealt[rank])):
            pass
        form = form or outbox.form
        if not dealt[-1]:  # a rank without parts does not know what one gives
            form = self._ranks.gather(form)[0]
        assert form is not None
        parcel = Parcel(form, self._ranks.size)
        sent = [len(dealt[rank]) * parcel.width(other) for other in range(self._ranks.size)]
        rows = np.empty((len(numbers), parcel.width(rank)), np.uint8)
        received = [len(own) * parcel.width(rank) for own in dealt]
        self._ranks.move(lambda on: on.Ialltoallv([outbox.whole, sent], [rows, received]))
        return form, rows

    def _whole(self, own: HostArray, form: Form) -> HostArray:
        """The vector of which each rank has a slice."""
        bounds = Parcel(form, self._ranks.size).bounds
        sizes = np.diff(bounds) * own.itemsize
        vector = np.empty(bounds[-1], own.dtype)
        self._ranks.move(lambda on: on.Iallgatherv(own.view(np.uint8), [vector.view(np.uint8), sizes.tolist()]))
        return vector

    def _added_by_mpi(self, part: Part, count: int) -> list[Array]:
        """The sum by Allreduce, of what each rank has added up by itself."""
        dealt, rank = deal(range(count), self._ranks.size), self._ranks.rank
        own = dealt[rank]
        arrays = self._on_host(self._local.sum(lambda i: part(own[i]), len(own))) if own else []
        if not dealt[-1]:
            form = self._ranks.gather(form_of(arrays))[0]
            arrays = arrays or [np.zeros(shape, dtype) for dtype, shape in form]
        totals = [np.empty_like(array) for array in arrays]
        for pair in zip(arrays, totals, strict=True):
            self._ranks.move(functools.partial(_sum, *pair, self._ranks.mpi.SUM))
        return self._on_backend(totals)

    def _on_host(self, arrays: Any) -> list[HostArray]:
        return [np.asarray(self._backend.to_numpy(array)) for array in arrays]

    def _on_backend(self, arrays: list[HostArray]) -> list[Array]:
        return [self._backend.as_device_array(array) for array in arrays]


class _Outbox:
    """What a rank sends of its parts, which any thread may put in."""

    def __init__(self, ranks: int, parts: int) -> None:
        self.form: Form | None = None
        self.whole: HostArray = np.empty(0, np.uint8)
        self._ranks, self._parts, self._lock = ranks, parts, threading.Lock()

    def put(self, number: int, arrays: list[HostArray]) -> None:
        """Copy the arrays of a part."""
        with self._lock:
            if self.form is None:
                self.form = form_of(arrays)
                self._parcel = Parcel(self.form, self._ranks)
                self.whole, self._rows = self._parcel.outbox(self._parts)
        self._parcel.write(self._rows, number, arrays)


def deal(numbers: range, ranks: int) -> list[range]:
    """Return neighbouring numbers for each rank, in the order of ranks; where there are too few, the last get none."""
    ends = [math.ceil(rank * len(numbers) / ranks) for rank in range(ranks + 1)]
    return [numbers[start:end] for start, end in pairwise(ends)]


def _sum(array: HostArray, total: HostArray, operation: Any, communicator: Any) -> Any:
    return communicator.Iallreduce(array, total, operation)


def _add(total: HostArray, array: HostArray) -> HostArray:
    total += array
    return total
