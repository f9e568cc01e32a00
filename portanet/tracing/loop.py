"""Loops for fusion: whether elementwise calls can share a loop, by the memory layouts of their arrays."""

from __future__ import annotations

import functools
import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet._tree import is_array
from portanet.tracing.library import Library
from portanet.tracing.op import Op
from portanet.tracing.tracer import Tracer

Shape = tuple[int, ...]
At = tuple[int, ...]
"""The address of an array's first element, and its stride in bytes in each dimension of a loop."""


Found = dict[Any, set[At]]
"""The addresses and strides that are accessed, by memory."""


@dataclass(frozen=True)
class Places:
    """The addresses and strides of a call's arrays, by the `id` of their Tracers, in the fewest dimensions."""

    shape: Shape
    at: dict[int, At]

    def within(self, tracer: Tracer, shape: Shape) -> At:
        """The address and strides of an array in the finer dimensions of a loop."""
        return _split(self.at[id(tracer)], self.shape, shape)


class Loop:
    """Calls that may become one kernel, and their common dimensions.

    If one of them writes to a memory, all must access the same element of it in the same iteration: otherwise the loop
    would change the results.
    """

    def __init__(self, ops: list[Op], shape: Shape, places: dict[int, Places], found: Found) -> None:
        self.ops, self.shape, self.places = ops, shape, places
        self.takes: list[Op] = []
        self.written = {result.memory for op in ops for result in op.results}
        self._found = found

    @staticmethod
    def of(op: Op, library: Library) -> Loop | None:
        """A loop with a single call; None if it cannot be in a loop."""
        if not (op.is_call and len(op.results) == 1 and is_array(op.results[0]) and library.form(op)):
            return None
        if (places := _places(op, library)) is None:
            return None
        addresses: Found = defaultdict(set)
        for tracer in (*op.operands, *op.results):
            if is_array(tracer):
                addresses[tracer.memory].add(places.at[id(tracer)])
        return Loop([op], places.shape, {id(op): places}, addresses)._checked()

    def joined(self, other: Loop, order: Callable[[Op], int]) -> Loop | None:
        """Both in one loop; None if their dimensions do not fit, or one needs different elements of shared memory."""
        both = self._together(other, order)
        for memory in (self.written | other.written) & set(self._found) & set(other._found) if both is None else ():
            # The order of the dimensions is free: both may use the memory order of the shared array.
            one, two = self._along(memory), other._along(memory)
            both = both or (one and two and one._together(two, order))
        return both

    def _along(self, memory: Any) -> Loop | None:
        """The same loop with its dimensions in the memory order of an array."""
        if len(self._found[memory]) != 1:
            return None
        [at] = self._found[memory]
        order = sorted(range(len(self.shape)), key=lambda i: -abs(at[i + 1]))

        def moved(at: At) -> At:
            return at[0], *[at[i + 1] for i in order]

        shape = tuple(self.shape[i] for i in order)
        places = {
            key: Places(shape, {one: moved(_split(at, own.shape, self.shape)) for one, at in own.at.items()})
            for key, own in self.places.items()
        }
        return Loop(self.ops, shape, places, {one: set(map(moved, found)) for one, found in self._found.items()})

    def with_broadcast(self, other: Loop, result: Tracer, order: Callable[[Op], int]) -> Loop | None:
        """The loop that recomputes the result of a smaller loop for each element; None if that is not possible."""
        if len(self._found[result.memory]) != 1 or self.takes or other.takes:
            return None
        [at] = self._found[result.memory]
        along = [i for i, stride in enumerate(at[1:]) if stride]
        shape = tuple(self.shape[i] for i in along)
        if _refined(shape, other.shape) != shape or {
            _split(own, other.shape, shape) for own in other._found[result.memory]
        } != {(at[0], *[at[i + 1] for i in along])}:
            return None

        def moved(at: At) -> At:
            strides = dict(zip(along, _split(at, other.shape, shape)[1:], strict=True))
            return at[0], *[strides.get(i, 0) for i in range(len(self.shape))]

        places = {
            key: Places(self.shape, {one: moved(_split(at, own.shape, other.shape)) for one, at in own.at.items()})
            for key, own in other.places.items()
        }
        found = {memory: self._found.get(memory, set()) | set(map(moved, own)) for memory, own in other._found.items()}
        ops = sorted([*self.ops, *other.ops], key=order)
        return Loop(ops, self.shape, self.places | places, {**self._found, **found})._checked()

    def _together(self, other: Loop, order: Callable[[Op], int]) -> Loop | None:
        """Both in one loop, with the dimensions in their current order."""
        shape = _refined(self.shape, other.shape)
        if shape is None:
            return None
        addresses = self._within(shape)
        for memory, places in other._within(shape).items():
            addresses[memory] = addresses.get(memory, set()) | places
        return Loop(sorted([*self.ops, *other.ops], key=order), shape, self.places | other.places, addresses)._checked()

    def with_rows(self, take: Op) -> Loop | None:
        """The loop that reads the rows of a `take` in place; None if that is not possible."""
        rows = take.results[0]
        shape = _refined(self.shape, tuple(rows.shape)) or self.shape
        loop = Loop(self.ops, shape, self.places, self._within(shape))
        loop.takes = [*self.takes, take]
        if loop.written & {operand.memory for operand in take.operands}:
            return None
        dimensions = [loop._row_dimension(at, take) for at in loop._found[rows.memory]]
        return None if None in dimensions else loop

    def _within(self, shape: Shape) -> Found:
        """All addresses and strides in each memory, in the finer dimensions of another loop."""
        if shape == self.shape:
            return dict(self._found)
        return {memory: {_split(at, self.shape, shape) for at in places} for memory, places in self._found.items()}

    def _checked(self) -> Loop | None:
        return self if all(len(self._found[memory]) == 1 for memory in self.written) else None

    def row_dimension(self, op: Op, tracer: Tracer, take: Op) -> int:
        """The dimension along which an array of gathered rows advances from row to row."""
        dimension = self._row_dimension(self.places[id(op)].within(tracer, self.shape), take)
        assert dimension is not None
        return dimension

    def _row_dimension(self, at: At, take: Op) -> int | None:
        rows, axis = take.results[0], take.kwargs["axis"]
        strides, size = at[1:], rows.dtype.itemsize * math.prod(rows.shape[axis + 1 :])
        along = [i for i, stride in enumerate(strides) if self.shape[i] > 1 and abs(stride) >= size]
        covers = len(along) == 1 and strides[along[0]] == size and self.shape[along[0]] == rows.shape[axis]
        return along[0] if covers else None


def _places(op: Op, library: Library) -> Places | None:
    """The addresses and strides of a call's arrays; None if a loop is not possible."""
    result = op.results[0]
    shape: Shape | None = tuple(result.shape)
    arrays = {id(array): array for array in (*op.operands, result) if is_array(array)}
    if op.name == "reshape":  # a copy, in the order of the elements
        shape = _refined(tuple(op.operands[0].shape), tuple(result.shape))
    if shape is None or 0 in shape:
        return None
    addresses = {key: _at(array, shape, library, copied=op.name == "reshape") for key, array in arrays.items()}
    if None in addresses.values():
        return None
    at = {key: place for key, place in addresses.items() if place is not None}
    of_result = at[id(result)]
    order = sorted((i for i, n in enumerate(shape) if n > 1), key=lambda i: -abs(of_result[i + 1]))
    runs = collapsed([shape[i] for i in order], [[place[i + 1] for i in order] for place in at.values()])
    sizes = tuple(math.prod(shape[order[i]] for i in run) for run in runs)
    return Places(sizes, {key: (place[0], *[place[order[run[-1]] + 1] for run in runs]) for key, place in at.items()})


def collapsed(shape: list[int], strides: list[list[int]], alone: set[int] | None = None) -> list[list[int]]:
    """The dimensions, grouped into runs that every array can merge into one; those in `alone` stay separate."""
    runs: list[list[int]] = []
    for i, n in enumerate(shape):
        fits = bool(runs) and not {i, *runs[-1]} & (alone or set())
        if fits and all(own[i - 1] == own[i] * n for own in strides):
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs


def _at(array: Any, shape: Shape, library: Library, *, copied: bool) -> At | None:
    """An array's address and strides in the dimensions of a result; a copy continues in the order of the elements."""
    if (location := library.address(array.real)) is None:
        return None
    array_shape, (address, strides) = tuple(array.shape), location
    if copied:
        return _split((address, *strides), array_shape, shape)
    missing = len(shape) - len(array_shape)
    return address, *[0] * missing, *[0 if n == 1 else s for n, s in zip(array_shape, strides, strict=True)]


@functools.lru_cache(maxsize=1024)
def _refined(a: Shape, b: Shape) -> Shape | None:
    """The dimensions that both shapes can be split into; None if there are none."""
    if math.prod(a) != math.prod(b):
        return None
    cuts = sorted({math.prod(shape[start:]) for shape in (a, b) for start in range(len(shape) + 1)}, reverse=True)
    if any(first % second for first, second in itertools.pairwise(cuts)):
        return None
    return tuple(first // second for first, second in itertools.pairwise(cuts))


def _split(at: At, shape: Shape, fine: Shape) -> At:
    """An address with its strides, in the finer dimensions `fine`."""
    strides: list[int] = []
    left = list(fine)
    for n, stride in zip(reversed(shape), reversed(at[1:]), strict=True):
        covered = 1
        while covered < n:
            strides.append(stride * covered)
            covered *= left.pop()
    return at[0], *[0] * len(left), *reversed(strides)
