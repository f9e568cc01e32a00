"""Sums over the shards of a batch, which are dealt to ranks: with the bits of one process, or by MPI's own sum."""

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

_OUTBOX = 2**26  # bytes that a rank sends in one exchange, or more for _LEAST shards
_LEAST = 4  # shards


class Local(Protocol):
    """The threads of one rank: `portanet.training.steps.shards.Workers`."""

    size: int

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        """As there."""

    def sum(self, part: Part, count: int) -> list[Array]:
        """As there."""

    def run_pair(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        """As there."""


class Team:
    """Ranks and their threads as workers that share the parts of a sum.

    Every rank calls the same methods in the same order and gets the same results. The ordered sum of a vector over
    parts 0, 1, 2, ...:

        Alltoall    rank j gets the j-th slice of every part, from the rank that computed it
        add         part 0 + part 1 + part 2 + ...      in this order, as one process does, so to the same bits
        Allgather   every rank gets all slices

    A rank has consecutive parts, so no two ranks read the same rows of a memory map.

    local   the threads of this rank
    length  of the vector that a part returns
    """

    def __init__(self, ranks: Ranks, local: Local, backend: Backend, length: int = 0) -> None:
        self._ranks, self._local, self._backend = ranks, local, backend
        self._at_once = ranks.size * max(_LEAST, _OUTBOX // (8 * max(1, length)))
        self.size = local.size

    def map(self, part: Callable[[int], T], count: int) -> Iterator[T]:
        """part(0), ..., part(count - 1), in this order; a part returns plain data and host arrays."""
        mine = deal(range(count), self._ranks.size)[self._ranks.rank]
        results = list(self._local.map(lambda i: part(mine[i]), len(mine)))
        return chain.from_iterable(self._ranks.gather(results))

    def sum(self, part: Part, count: int) -> list[Array]:
        """The sums over all parts of each of their arrays: a vector, then small arrays."""
        if self._ranks.reduce == FAST:
            return self._all_reduce(part, count)
        total: list[HostArray] = []
        form: Form | None = None
        for first in range(0, count, self._at_once):
            form, rows = self._exchange(part, range(first, min(first + self._at_once, count)), form)
            parcel = Parcel(form, self._ranks.size)
            for row in rows:
                arrays = parcel.read(row)
                total = [_add(*pair) for pair in zip(total, arrays, strict=True)] if total else [*map(np.array, arrays)]
        assert form is not None
        return self._on_backend([self._all_gather(total[0], form), *total[1:]])

    def run_pair(self, first: Callable[[], Any], second: Callable[[], Any]) -> None:
        """Call both functions, at the same time if there is a second thread."""
        self._local.run_pair(first, second)

    def _exchange(self, part: Part, indices: range, form: Form | None) -> tuple[Form, HostArray]:
        """Compute this rank's parts; return the form of a part, and this rank's bytes of all parts in order."""
        dealt, rank = deal(indices, self._ranks.size), self._ranks.rank
        outbox = _Outbox(self._ranks.size, len(dealt[rank]))
        for _ in self._local.map(lambda i: outbox.put(i, self._on_host(part(dealt[rank][i]))), len(dealt[rank])):
            pass
        form = form or outbox.form
        if not dealt[-1]:  # a rank without parts does not know their form
            form = self._ranks.gather(form)[0]
        assert form is not None
        parcel = Parcel(form, self._ranks.size)
        sent = [len(dealt[rank]) * parcel.width(other) for other in range(self._ranks.size)]
        rows = np.empty((len(indices), parcel.width(rank)), np.uint8)
        received = [len(parts) * parcel.width(rank) for parts in dealt]
        self._ranks.move(lambda on: on.Ialltoallv([outbox.buffer, sent], [rows, received]))
        return form, rows

    def _all_gather(self, piece: HostArray, form: Form) -> HostArray:
        """The vector of which each rank has one slice."""
        bounds = Parcel(form, self._ranks.size).bounds
        sizes = np.diff(bounds) * piece.itemsize
        vector = np.empty(bounds[-1], piece.dtype)
        self._ranks.move(lambda on: on.Iallgatherv(piece.view(np.uint8), [vector.view(np.uint8), sizes.tolist()]))
        return vector

    def _all_reduce(self, part: Part, count: int) -> list[Array]:
        """The sum by Allreduce of the sums of each rank."""
        dealt, rank = deal(range(count), self._ranks.size), self._ranks.rank
        mine = dealt[rank]
        arrays = self._on_host(self._local.sum(lambda i: part(mine[i]), len(mine))) if mine else []
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
    """The send buffer of a rank's parts; any thread may write a part."""

    def __init__(self, ranks: int, parts: int) -> None:
        self.form: Form | None = None
        self.buffer: HostArray = np.empty(0, np.uint8)
        self._ranks, self._parts, self._lock = ranks, parts, threading.Lock()

    def put(self, index: int, arrays: list[HostArray]) -> None:
        """Copy the arrays of a part into the buffer."""
        with self._lock:
            if self.form is None:
                self.form = form_of(arrays)
                self._parcel = Parcel(self.form, self._ranks)
                self.buffer, self._rows = self._parcel.outbox(self._parts)
        self._parcel.write(self._rows, index, arrays)


def deal(indices: range, ranks: int) -> list[range]:
    """Return consecutive indices for each rank; where there are too few, the last ranks get none."""
    ends = [math.ceil(rank * len(indices) / ranks) for rank in range(ranks + 1)]
    return [indices[start:end] for start, end in pairwise(ends)]


def _sum(array: HostArray, total: HostArray, operation: Any, communicator: Any) -> Any:
    return communicator.Iallreduce(array, total, operation)


def _add(total: HostArray, array: HostArray) -> HostArray:
    total += array
    return total
