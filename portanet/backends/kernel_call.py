"""Calls of kernels in replayed functions, with a fallback if the kernel must not run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tracing import Kernel, Statement, Var, real
from portanet.tracing.tracer import Tracer


class KernelCall:
    """A kernel with its arrays and numbers, of which some are constant and others change between calls.

    The original calls are made instead if an array is not as it was traced, because it shares memory with another one
    or is read-only, or if a row index or a number is refused.

    module  the array library
    value   maps a Tracer to its value: a constant array, or a Var
    """

    def __init__(self, module: Any, kernel: Kernel, value: Callable[[Any], Any]) -> None:
        self._module, self._plainly = module, kernel.plainly()
        self._read = [value(tracer) for tracer in kernel.read]
        self._made = [value(tracer) for tracer in kernel.made]
        self._arrays = [value(slot.tracer) for slot in kernel.slots]
        changed, stored = {tracer.memory for tracer in kernel.changed}, {i for i, _ in kernel.stores}
        self._changed = [i in stored and slot.tracer.memory in changed for i, slot in enumerate(kernel.slots)]
        self.outward = kernel.outward
        self.given: list[Var] = []  # the arguments that change between calls, arrays first
        self._slots: list[list[int]] = []  # the slots of each such array
        self._numbers: list[int] = []  # those that change between calls
        for i, array in enumerate(self._arrays):
            if isinstance(array, Var):
                self._add_slot(i, array)
        for i, (number, _) in enumerate(kernel.numbers):
            if isinstance(number, Tracer):
                self.given.append(self._read[[*map(id, kernel.read)].index(id(number))])
                self._numbers.append(i)
        self._seen: list[Any] = [None] * len(self._slots)
        if not all(self._is_alone(i, array) for i, array in enumerate(self._arrays) if not isinstance(array, Var)):
            raise ValueError("arrays that are written to share memory")

    def statement(self) -> Statement:
        """The call in the emitted code."""
        return Statement(self.kernel, tuple(self.given), {})

    def kernel(self, *given: Any) -> None:
        """Run it with the arguments that change between calls."""
        seen = self._seen
        for n, array in enumerate(seen):
            if given[n] is not array and not self._meets(n, given[n]):
                return self.make_calls(given)
        try:
            for i, number in zip(self._numbers, given[len(seen) :], strict=True):
                self.set_number(i, number)
        except OverflowError:
            return self.make_calls(given)
        if not self.run():
            self.make_calls(given)
        return None

    def may_take(self, array: Any, *, changed: bool) -> bool:
        """Whether the kernel can read an array of the traced shape and layout, and change it."""
        return True

    def set_array(self, i: int, array: Any) -> None:
        """Bind a slot to an array."""
        raise NotImplementedError

    def set_number(self, i: int, number: float) -> None:
        """Set the value of a number; raises OverflowError if its dtype cannot hold it."""
        raise NotImplementedError

    def run(self) -> bool:
        """Run the kernel; return False if it refused without writing."""
        raise NotImplementedError

    def _add_slot(self, i: int, array: Var) -> None:
        n = next((n for n, given in enumerate(self.given) if given is array), len(self.given))
        if n == len(self.given):
            self.given.append(array)
            self._slots.append([])
        self._slots[n].append(i)

    def _meets(self, n: int, array: Any) -> bool:
        """Bind another array; return False if the kernel could differ from the original calls."""
        slots = self._slots[n]
        if not self.may_take(array, changed=any(self._changed[i] for i in slots)):
            return False
        if not all(self._is_alone(i, array) for i in slots):
            return False
        for i in slots:
            self.set_array(i, array)
        self._seen[n] = array
        return True

    def _is_alone(self, i: int, array: Any) -> bool:
        """Whether an array shares no memory with others, if any of them is written to."""
        if not self.outward:
            return True
        now = {id(var): seen for var, seen in zip(self.given, self._seen, strict=False)}
        others = [
            now.get(id(other)) if isinstance(other, Var) else real(other)
            for j, other in enumerate(self._arrays)
            if other is not self._arrays[i] and (self._changed[i] or self._changed[j])
        ]
        share = self._module.may_share_memory
        return not any(share(real(array), other) for other in others if other is not None)

    def make_calls(self, given: tuple[Any, ...]) -> None:
        """Make the original calls in sequence."""
        self._seen = [None] * len(self._seen)
        now = {id(var): value for var, value in zip(self.given, given, strict=True)}
        made = self._plainly(*[now[id(value)] if isinstance(value, Var) else real(value) for value in self._read])
        for place, result in zip(self._made, made, strict=True):
            self._module.copyto(place, result)
