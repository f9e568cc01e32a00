"""Kernel: a loop over elements, with its inputs, operations and outputs, independent of the language."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from portanet._tree import is_array, map_leaves
from portanet.tracing.library import Form, Library
from portanet.tracing.loop import Loop, collapsed
from portanet.tracing.op import Op
from portanet.tracing.tracer import Tracer

Ref = tuple[str, int]
"""A value in a loop: ("array", 2), ("number", 0) or ("line", 5), the result of a line."""


class _Place(int):
    """The index of a value, in place of its Tracer."""


class Line(NamedTuple):
    """One operation on one element."""

    form: Form
    args: tuple[Ref, ...]


class Slot(NamedTuple):
    """An array that a loop reads or writes.

    tracer   the array
    dtype    the name of its dtype
    strides  in bytes, for each dimension of the loop; 0 if broadcast
    rows     (slot, dimension, axis): this dimension indexes the axis by the row indices in that slot
    """

    tracer: Tracer
    dtype: str
    strides: tuple[int, ...]
    rows: tuple[int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class Kernel:
    """A loop over elements.

    shape    its dimensions, the last one innermost
    slots    the arrays
    numbers  (value, dtype): Python numbers, and Tracers of numbers that may change between calls
    lines    the operations on an element
    stores   (slot, value): the values written at the end
    made     the new arrays
    changed  the arrays written in place
    ops      the calls that it replaces, and the views that they read of each other's results
    outward  whether it changes an argument, which may share memory with other arguments in another call
    """

    shape: tuple[int, ...]
    slots: tuple[Slot, ...]
    numbers: tuple[tuple[Any, str], ...]
    lines: tuple[Line, ...]
    stores: tuple[tuple[int, Ref], ...]
    made: tuple[Tracer, ...]
    changed: tuple[Tracer, ...]
    ops: tuple[Op, ...]
    outward: bool = True

    @property
    def read(self) -> tuple[Tracer, ...]:
        """The arrays and numbers that it takes as arguments."""
        made = {id(op.results[0]) for op in self.ops if not op.inplace}
        operands = {id(operand): operand for op in self.ops for operand in op.operands}
        return tuple(operand for key, operand in operands.items() if key not in made)

    def plainly(self) -> Callable[..., list[Any]]:
        """A function that makes the original calls in sequence, with arguments `read` and results `made`.

        It does not keep the arrays of the trace alive.
        """
        results = [op.results[0] for op in self.ops if not op.inplace]
        places = {id(tracer): _Place(i) for i, tracer in enumerate((*self.read, *results))}

        def placed(tree: Any) -> Any:
            return map_leaves(tree, lambda leaf: places.get(id(leaf), leaf))

        calls = [(op.function, placed(op.args), placed(op.kwargs), places[id(op.results[0])]) for op in self.ops]
        made = [places[id(tracer)] for tracer in self.made]

        def run(*given: Any) -> list[Any]:
            values = {_Place(i): value for i, value in enumerate(given)}

            def value(leaf: Any) -> Any:
                return values[leaf] if isinstance(leaf, _Place) else leaf

            for function, args, kwargs, place in calls:
                assert function is not None
                result = function(*map_leaves(args, value), **map_leaves(kwargs, value))
                values.setdefault(place, result)  # already there if it was changed in place
            return [values[place] for place in made]

        return run

    def may_overwrite(self, memory: Any, result: Tracer) -> bool:
        """Whether `result` may overwrite an array that is read: each element at the same position."""
        [slot_of_result] = [slot for slot in self.slots if slot.tracer is result]
        there = [slot for slot in self.slots if slot.tracer.memory == memory]
        aligned = all(slot.strides == slot_of_result.strides and slot.rows is None for slot in there)
        numbers = [self.slots[slot.rows[0]].tracer.memory for slot in self.slots if slot.rows]
        return aligned and slot_of_result.dtype == there[0].dtype and memory not in numbers

    def __str__(self) -> str:
        return "+".join(op.name for op in self.ops if not op.is_view)


def kernel_of(loop: Loop, ops: Sequence[Op], needed: set[Any], shared: set[Any], library: Library) -> Kernel:
    """The kernel for a loop.

    ops     its calls, and the views that they read of each other's results
    needed  the memory of results that are read elsewhere
    shared  the memory of arguments that may be separate arrays in the next call
    """
    return _Builder(loop, ops, needed, shared, library).kernel()


class _Builder:
    """Translates the calls in order; each value in the loop gets a reference."""

    def __init__(self, loop: Loop, ops: Sequence[Op], needed: set[Any], shared: set[Any], library: Library) -> None:
        self._shared = shared
        self._loop, self._ops, self._needed, self._library = loop, ops, needed, library
        self._slots: list[Slot] = []
        self._numbers: dict[Any, tuple[int, Any, str]] = {}
        self._lines: list[Line] = []
        self._now: dict[Any, Ref] = {}  # by memory: the current value of what has been written
        self._addresses: list[int] = []
        self._takes = {take.results[0].memory: take for take in loop.takes}
        self._made: dict[Any, Op] = {}
        self._changed: dict[Any, Op] = {}

    def kernel(self) -> Kernel:
        for op in self._loop.ops:
            self._write(op)
        stores = []
        for memory, op in {**self._changed, **self._made}.items():
            if memory in self._needed:
                stores.append((self._slot(op.results[0], op), self._now[memory]))
        stores.sort()
        made = [op.results[0] for memory, op in self._made.items() if memory in self._needed]
        changed = [op.results[0] for memory, op in self._changed.items() if memory in self._needed]
        shape, slots = _in_order(self._loop.shape, self._slots, stores[0][0])
        numbers = tuple((value, dtype) for _, value, dtype in self._numbers.values())
        return Kernel(
            shape, slots, numbers, tuple(self._lines), tuple(stores), tuple(made), tuple(changed), tuple(self._ops)
        )

    def _write(self, op: Op) -> None:
        form, memory = self._library.form(op), op.results[0].memory
        assert form is not None
        args = [self._ref(arg, dtype, op) for arg, dtype in zip(op.args, form.dtypes, strict=False)]
        self._lines.append(Line(form, tuple(args)))
        if memory not in self._made:
            (self._changed if op.inplace else self._made)[memory] = op
        self._now[memory] = "line", len(self._lines) - 1

    def _ref(self, arg: Any, dtype: str, op: Op) -> Ref:
        if not is_array(arg):
            key = (id(arg) if isinstance(arg, Tracer) else (type(arg), repr(arg))), dtype
            return "number", self._numbers.setdefault(key, (len(self._numbers), arg, dtype))[0]
        return self._now.get(arg.memory) or ("array", self._slot(arg, op))

    def _slot(self, array: Tracer, op: Op) -> int:
        """The slot number for an array of a call."""
        address, *strides = self._loop.places[id(op)].within(array, self._loop.shape)
        if (take := self._takes.get(array.memory)) is not None:
            source, rows = take.operands
            dimension = self._loop.row_dimension(op, array, take)
            return self._gathered(source, rows, tuple(strides), dimension, take.kwargs["axis"])
        return self._number(Slot(array, str(array.dtype), tuple(strides)), address)

    def _number(self, slot: Slot, address: int) -> int:
        """The number of a slot; an equal slot at the same address is reused, since it has the same elements."""
        for number, there in enumerate(self._slots):
            same = self._addresses[number] == address and there.tracer.memory == slot.tracer.memory
            known = there.tracer is slot.tracer or (same and slot.tracer.memory not in self._shared)
            if known and there[1:] == slot[1:]:
                return number
        self._slots.append(slot)
        self._addresses.append(address)
        return len(self._slots) - 1

    def _gathered(self, source: Tracer, rows: Tracer, strides: tuple[int, ...], dimension: int, axis: int) -> int:
        """The slot number of rows that are read in place, by their indices along a dimension."""
        (start, steps), (first, [step]) = map(self._library.address, (source.real, rows.real))  # type: ignore[misc]
        numbers = Slot(rows, str(rows.dtype), tuple(step * (i == dimension) for i in range(len(strides))))
        there = tuple(steps[axis] if i == dimension else stride for i, stride in enumerate(strides))
        return self._number(
            Slot(source, str(source.dtype), there, (self._number(numbers, first), dimension, axis)), start
        )


def _in_order(shape: tuple[int, ...], slots: list[Slot], first: int) -> tuple[tuple[int, ...], tuple[Slot, ...]]:
    """The shape and slots in the fewest dimensions, in the memory order of most arrays, or of slot `first`."""
    dimensions = [i for i, n in enumerate(shape) if n > 1]

    def order_of(slot: Slot) -> list[int]:
        return sorted(dimensions, key=lambda i: -abs(slot.strides[i]))

    def followers(order: list[int]) -> int:
        return sum(0 < abs(slot.strides[order[-1]]) <= slot.tracer.dtype.itemsize for slot in slots)

    filled = [slot for slot in (slots[first], *slots) if all(slot.strides[i] for i in dimensions)]
    order = max(map(order_of, filled), key=followers) if dimensions else []
    rows = {order.index(slot.rows[1]) for slot in slots if slot.rows}
    runs = collapsed([shape[i] for i in order], [[slot.strides[i] for i in order] for slot in slots], rows) or [[]]

    def moved(slot: Slot) -> Slot:
        strides = tuple(slot.strides[order[run[-1]]] if run else slot.tracer.dtype.itemsize for run in runs)
        if slot.rows is None:
            return slot._replace(strides=strides)
        along = next(n for n, run in enumerate(runs) if order.index(slot.rows[1]) in run)
        return slot._replace(strides=strides, rows=(slot.rows[0], along, slot.rows[2]))

    return tuple(math.prod(shape[order[i]] for i in run) for run in runs), tuple(map(moved, slots))
