"""NumPy's calls with `out=`."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from portanet.tracing import Constant, Library, RunPair, Statement, Var, real
from portanet.xp.numpy import CLIPPED, adds_rows, halves, write_product

_LARGE = 2**16  # numbers


class NumPyCalls(Library):
    """NumPy as a library to trace; `run_pair` computes the halves of large products."""

    elementwise = frozenset(
        name
        for name, function in vars(np).items()
        if isinstance(function, np.ufunc) and function.signature is None and name != "pow"  # which is not x**2
    )

    def __init__(self, run_pair: RunPair | None) -> None:
        self._run_pair = run_pair

    def is_native(self, array: Any) -> bool:
        return type(array) in (np.ndarray, np.memmap) or isinstance(array, np.generic)

    def memory(self, array: Any) -> Any:
        while isinstance(getattr(array, "base", None), np.ndarray):
            array = array.base
        return id(array)

    def like(self, array: Any) -> Any:
        return np.empty_like(array) if isinstance(array, np.ndarray) else None

    def layout(self, array: Any) -> Any:
        return array.shape, array.strides, array.dtype

    def copy(self, array: Any) -> Any:
        return array.copy("K")

    def write_elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Statement]:
        """A ufunc; a number beside floats as the array that NumPy would make of it each time."""
        dtype = next(real(arg).dtype for arg in args if hasattr(real(arg), "dtype"))
        if dtype.kind == "f":
            if name == "maximum" and type(args[1]) is float:
                size = math.prod(real(out).shape)
                if size > (_LARGE if dtype.itemsize > 2 else CLIPPED):
                    return [Statement(np.ndarray.clip, (args[0], args[1], np.inf, out), {})]  # a third of the time
                args = (args[0], np.full(real(out).shape, args[1], dtype))  # and that is faster still
                if size > CLIPPED:
                    args = args[::-1]  # of two zeros the second is taken; clip takes the array's
            args = tuple([np.asarray(arg, dtype) if type(arg) in (int, float) else arg for arg in args])
        return [Statement(getattr(np, name), args, {"out": out})]

    def write_matmul(self, out: Any, a: Any, b: Any) -> list[Statement]:
        parts = [] if isinstance(a, Var) or isinstance(b, Var) else halves(real(a), real(b), out)
        if self._run_pair is None or len(parts) < 2:
            return self.write_product(out, a, b) if len(parts) == 1 else [Statement(write_product, (a, b, out), {})]
        pair = [functools.partial(np.matmul, *part[:2], out=part[2]) for part in parts]
        return [Statement(self._run_pair, tuple(pair), {})]

    def write_product(self, out: Any, a: Any, b: Any) -> list[Statement]:
        """The operator @, which is never cut."""
        first, second = real(a), real(b)
        plain = first.dtype == second.dtype and first.flags.forc and second.flags.forc
        if plain and (first.ndim, second.ndim) == (2, 2):
            return [Statement(np.ndarray.dot, (a, b, out), {})]  # the same bits, with less around it
        return [Statement(np.matmul, (a, b), {"out": out})]

    def write_sum(self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
        like = real(x)
        if adds_rows(like, axis, dtype, keepdims):
            return [Statement(np.matmul, (np.ones(like.shape[0], like.dtype), x), {"out": out})]
        return [Statement(np.add.reduce, (x, axis, dtype, out, keepdims), {})]

    def write_max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Statement]:
        return [Statement(np.maximum.reduce, (x, axis, None, out, keepdims), {})]

    def write_take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Statement] | None:
        if not isinstance(indices, Constant) or axis is None:
            return None
        rows = indices.real
        if rows.size and not 0 <= rows.min() <= rows.max() < real(x).shape[axis]:
            return None
        return [Statement(np.ndarray.take, (x, indices, axis, out, "clip"), {})]  # checked, NumPy would not use `out`

    def write_astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Statement]:
        return [Statement(np.copyto, (out, x, "unsafe"), {})]

    def write_reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Statement]:
        """A reshape that copies."""
        return [Statement(np.copyto, (out.reshape(real(x).shape), x), {})]
