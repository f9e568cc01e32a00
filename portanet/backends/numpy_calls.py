"""NumPy's calls with `out=`."""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet.tracing.library import Line, Name, real
from portanet.xp.numpy import CLIPPED, adds_rows, halves, write_product

Both = Callable[[Callable[[], Any], Callable[[], Any]], None]
_LARGE = 2**16  # numbers


class NumPyCalls:
    """NumPy as a library to record; `both` calls two functions, at the same time if there is somebody to."""

    elementwise = frozenset(
        name
        for name, function in vars(np).items()
        if isinstance(function, np.ufunc) and function.signature is None and name != "pow"  # which is not x**2
    )

    def __init__(self, both: Both | None) -> None:
        self._both = both
        self._settled: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    def settled(self, array: Any) -> None:
        if isinstance(array, np.ndarray):
            self._settled[id(array)] = array

    def knows(self, array: Any) -> bool:
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

    def lines(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Line] | None:
        if name in self.elementwise and not kwargs:
            return [self._elementwise(name, args, out)]
        own = getattr(self, f"_{name}", None)
        return own(out, *args, **kwargs) if own else None

    def _elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> Line:
        """A ufunc; a number beside floats as the array that NumPy would make of it each time."""
        dtype = next(real(arg).dtype for arg in args if hasattr(real(arg), "dtype"))
        if dtype.kind == "f":
            if name == "maximum" and type(args[1]) is float:
                size = math.prod(real(out).shape)
                if size > (_LARGE if dtype.itemsize > 2 else CLIPPED):
                    return Line(np.ndarray.clip, (args[0], args[1], np.inf, out), {})  # a third of the time
                args = (args[0], np.full(real(out).shape, args[1], dtype))  # and that is faster still
                if size > CLIPPED:
                    args = args[::-1]  # of two zeros the second is taken; clip takes the array's
            args = tuple([np.asarray(arg, dtype) if type(arg) in (int, float) else arg for arg in args])
        return Line(getattr(np, name), args, {"out": out})

    def _matmul(self, out: Any, a: Any, b: Any) -> list[Line]:
        parts = [] if isinstance(a, Name) or isinstance(b, Name) else halves(a, b, out)
        if self._both is None or len(parts) < 2:
            return self._product(out, a, b) if len(parts) == 1 else [Line(write_product, (a, b, out), {})]
        return [Line(self._both, tuple([functools.partial(np.matmul, *part[:2], out=part[2]) for part in parts]), {})]

    def _product(self, out: Any, a: Any, b: Any) -> list[Line]:
        """The operator @, which is never cut."""
        first, second = real(a), real(b)
        plain = first.dtype == second.dtype and first.flags.forc and second.flags.forc
        if plain and (first.ndim, second.ndim) == (2, 2):
            return [Line(np.ndarray.dot, (a, b, out), {})]  # the same bits, with less around it
        return [Line(np.matmul, (a, b), {"out": out})]

    def _sum(self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> list[Line]:
        like = real(x)
        if adds_rows(like, axis, dtype, keepdims):
            return [Line(np.matmul, (np.ones(like.shape[0], like.dtype), x), {"out": out})]
        return [Line(np.add.reduce, (x, axis, dtype, out, keepdims), {})]

    def _max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Line]:
        return [Line(np.maximum.reduce, (x, axis, None, out, keepdims), {})]

    def _take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Line] | None:
        if id(indices) not in self._settled or axis is None:
            return None
        like = real(x)
        if indices.size and not 0 <= indices.min() <= indices.max() < like.shape[axis]:
            return None
        return [Line(np.ndarray.take, (x, indices, axis, out, "clip"), {})]  # with the check it has no use for out

    def _astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Line]:
        return [Line(np.copyto, (out, x, "unsafe"), {})]

    def _reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Line]:
        """A reshape that copies."""
        like = real(x)
        return [Line(np.copyto, (out.reshape(like.shape), x), {})]
