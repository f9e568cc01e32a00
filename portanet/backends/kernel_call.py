"""The call of a kernel in a replayed function: its arguments, and the fallback where it must not run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet.tracing import Kernel, Statement, Var, real
from portanet.tracing.tracer import Tracer


class KernelCall:
    """A kernel and the arrays and numbers that it is run with: some the same in every call, others not.

    Where an array is not as it was traced, since it shares memory with another one or is read-only, the original calls
    are made instead; likewise where a row or a number is refused.

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
        self.given: list[Var] = []  # what differs from call to call: arrays first
        self._slots: list[list[int]] = []  # of each such array
        self._numbers: list[int] = []  # those that differ
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
        """Run it with the arguments that differ from call to call."""
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
        """Bind a slot to this array."""
        raise NotImplementedError

    def set_number(self, i: int, number: float) -> None:
        """Set the value of a number; raises OverflowError where its dtype cannot hold it."""
        raise NotImplementedError

    def run(self) -> bool:
        """Run the kernel; False where it refused and wrote nothing."""
        raise NotImplementedError

    def _add_slot(self, i: int, array: Var) -> None:
        n = next((n for n, given in enumerate(self.given) if given is array), len(self.given))
        if n == len(self.given):
            self.given.append(array)
            self._slots.append([])
        self._slots[n].append(i)

    def _meets(self, n: int, array: Any) -> bool:
        """Bind another array; False where the kernel would not do the same as the calls."""
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
        """Make the calls one after the other."""
        self._seen = [None] * len(self._seen)
        now = {id(var): value for var, value in zip(self.given, given, strict=True)}
        made = self._plainly(*[now[id(value)] if isinstance(value, Var) else real(value) for value in self._read])
        for place, result in zip(self._made, made, strict=True):
            self._module.copyto(place, result)
