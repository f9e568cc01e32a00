"""Kernels on CuPy arrays, as ElementwiseKernels."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.backends.kernel_call import KernelCall
from portanet.backends.loops import cuda_body, words
from portanet.tracing import Kernel, Statement, Var, real
from portanet.tracing.tracer import Tracer


def statements(module: Any, kernel: Kernel, value: Callable[[Any], Any]) -> list[Statement]:
    """The launch of a kernel; CuPy, passed as a module, compiles it and caches it on disk."""
    return [_Launch(module, kernel, value).statement()]


@functools.cache
def _compiled(module: Any, inputs: str, outputs: str, body: str) -> Any:
    # No fused multiply-adds: separate CuPy calls round after each product and each sum.
    return module.ElementwiseKernel(inputs, outputs, body, "portanet_kernel", options=("--fmad=false",))


class _Launch(KernelCall):
    """The call of an ElementwiseKernel. Its arguments: input arrays and words, then output arrays."""

    def __init__(self, module: Any, kernel: Kernel, value: Callable[[Any], Any]) -> None:
        super().__init__(module, kernel, value)
        body, stored = cuda_body(kernel), [slot for slot, _ in kernel.stores]
        inputs: list[str] = []
        self._arguments: list[Any] = []
        self._places: dict[tuple[str, int], int] = {}
        for kind, i, *rest in words(kernel):
            name, dtype, value_of_word = self._word(kernel, kind, i, rest)
            if (kind == "slot" and i in stored) or (kind in ("size", "stride") and f"{name}" not in body.names):
                continue
            self._places[kind, i] = len(self._arguments)
            inputs.append(f"{dtype} {name}")
            self._arguments.append(value_of_word)
        outputs = []
        for i in stored:
            name, dtype, value_of_word = self._word(kernel, "slot", i, [])
            self._places["slot", i] = len(self._arguments)
            outputs.append(f"{dtype} {name}")
            self._arguments.append(value_of_word)
        self._size = math.prod(kernel.shape)
        self._numpy = [np.dtype(dtype).type for _, dtype in kernel.numbers]
        self._kernel = _compiled(module, ", ".join(inputs), ", ".join(outputs), body.text)

    def statement(self) -> Statement:
        """The launch in the emitted code: of the kernel itself if no argument changes between calls."""
        if self.given:
            return super().statement()
        return Statement(self._kernel, tuple(self._arguments), {"size": self._size})

    def _word(self, kernel: Kernel, kind: str, i: int, rest: list[int]) -> tuple[str, str, Any]:
        """A parameter's name and type, and its value if it is constant."""
        if kind == "slot":
            array = self._arrays[i]
            return f"a{i}", f"raw {kernel.slots[i].dtype}", None if isinstance(array, Var) else _indexed(real(array))
        if kind == "number":
            number, dtype = kernel.numbers[i]
            return f"c{i}", dtype, None if isinstance(number, Tracer) else np.dtype(dtype).type(number)
        slot = kernel.slots[i] if kind != "size" else None
        if slot is None:
            return f"n{i}", "int64", kernel.shape[i]
        if kind == "rows":
            return f"m{i}", "int64", slot.tracer.shape[slot.rows[2] if slot.rows else 0]
        return f"s{i}_{rest[0]}", "int64", slot.strides[rest[0]]

    def set_array(self, i: int, array: Any) -> None:
        self._arguments[self._places["slot", i]] = _indexed(array)

    def set_number(self, i: int, number: float) -> None:
        self._arguments[self._places["number", i]] = self._numpy[i](number)

    def run(self) -> bool:
        self._kernel(*self._arguments, size=self._size)
        return True


def _indexed(array: Any) -> Any:
    """The array with at least one dimension: a 0-d array's address cannot be taken."""
    return array if array.ndim else array.reshape(1)
