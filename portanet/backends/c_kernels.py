"""Kernels on NumPy arrays, as C functions."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.backends import c_calls, compiler
from portanet.backends.c_calls import second
from portanet.backends.c_calls.call import CCall, address_of, compiled, pointer
from portanet.backends.compiler import Function, name_of
from portanet.backends.kernel_call import KernelCall
from portanet.backends.loops import c_body, words
from portanet.tracing import Kernel, Statement, Var, real
from portanet.tracing.tracer import Tracer


def ask(kernels: list[Kernel]) -> Callable[[], bool]:
    """Start to compile kernels; return a function that returns whether they are ready."""
    bodies = {name_of(body): body for body in map(c_body, kernels)}
    shared = c_calls.bodies()
    compiler.compiler().ask(shared)
    compiler.compiler().ask(bodies)
    return lambda: all(compiler.compiler().get(name) is not None for name in (*bodies, *shared))


def statements(kernel: Kernel, value: Callable[[Any], Any], *, shared: bool = False) -> list[Statement]:
    """The call of a compiled kernel; if `shared`, a large one may use a second thread."""
    function = compiler.compiler().get(name_of(c_body(kernel)))
    assert function is not None
    halved = shared and math.prod(kernel.shape) >= _HALVED and kernel.shape[0] > 1
    return [(_Halved if halved else _Call)(kernel, function, value).statement()]


_HALVED = 2**16  # elements
_SMALL = 4096  # bytes


class _Call(KernelCall):
    """The call of a C function, with its 8-byte words."""

    def __init__(self, kernel: Kernel, function: Function, value: Callable[[Any], Any]) -> None:
        super().__init__(np, kernel, value)
        self._function, self._checked = function, any(slot.rows for slot in kernel.slots)
        self.words = np.zeros(2 + len(words(kernel)), np.uint64)
        self._address = int(self.words.ctypes.data)
        self.words[1] = kernel.shape[0]
        self._places: dict[int, int] = {}
        self._views: dict[int, tuple[Any, int]] = {}
        for index, word in enumerate(words(kernel), start=2):
            self._fill(kernel, index, *word)

    def statement(self) -> Statement:
        """The call in the emitted code: of the function itself if no argument changes between calls."""
        if not self.given and not self._checked:
            return Statement(self._function, (address_of(self.words, self),), {})
        small = len(self.given) == 1 and hasattr(self.given[0].real, "nbytes") and not self.outward
        if small and self.given[0].real.nbytes <= _SMALL:
            return Statement(self._with_copy(self.given[0]), (self.given[0],), {})
        return super().statement()

    def _with_copy(self, var: Var) -> Callable[[Any], None]:
        """The call if only a small input array changes: copying it is faster than getting its address."""
        [i, *more] = [i for i, array in enumerate(self._arrays) if array is var]
        copy = np.empty_like(var.real)
        if more or self._changed[i] or copy.strides != var.real.strides:
            return self.kernel
        self.set_array(i, copy)
        copyto, function, address, make_calls = np.copyto, self._function, self._address, self.make_calls

        def kernel(array: Any) -> None:
            copyto(copy, array)
            if function(address):
                make_calls((array,))

        return kernel

    def _fill(self, kernel: Kernel, place: int, kind: str, i: int, dimension: int = 0) -> None:
        if kind == "slot":
            self._places[i] = place
            if not isinstance(self._arrays[i], Var):
                self.set_array(i, real(self._arrays[i]))
        elif kind == "number":
            number, dtype = kernel.numbers[i]
            view = self.words.view(dtype)
            self._views[i] = view, place * 8 // view.dtype.itemsize
            if not isinstance(number, Tracer):
                self.set_number(i, number)
        elif kind == "size":
            self.words[place] = kernel.shape[i]
        elif kind == "rows":
            slot = kernel.slots[i]
            self.words[place] = slot.tracer.shape[slot.rows[2] if slot.rows else 0]
        else:
            self.words.view(np.int64)[place] = kernel.slots[i].strides[dimension]

    def may_take(self, array: Any, *, changed: bool) -> bool:
        flags = array.flags
        return bool(flags.aligned and (flags.writeable or not changed))

    def set_array(self, i: int, array: Any) -> None:
        self.words[self._places[i]] = array.ctypes.data

    def set_number(self, i: int, number: float) -> None:
        view, index = self._views[i]
        view[index] = number

    def run(self) -> bool:
        return not self._function(self._address)


class _Halved(_Call):
    """A call split into two halves, on two threads if that is faster."""

    def __init__(self, kernel: Kernel, function: Function, value: Callable[[Any], Any]) -> None:
        super().__init__(kernel, function, value)
        self._halves = [self.words.copy() for _ in range(2)]
        self._halves[0][1] = self._halves[1][0] = kernel.shape[0] // 2
        pair = second.pair(*[CCall(pointer(function), words, (self.words,)) for words in self._halves])
        both = compiled(second.PAIR)
        assert pair is not None
        assert both is not None
        self._pair, self._both = pair, both
        self._faster = second.Faster(self._run_both, functools.partial(function, self._address))

    def statement(self) -> Statement:
        return KernelCall.statement(self)

    def run(self) -> bool:
        return not self._faster()

    def _run_both(self) -> int:
        for half in self._halves:
            half[2:] = self.words[2:]  # may change between calls
        return self._both(self._pair.words.ctypes.data)  # each half checks all row indices, so both refuse or neither
