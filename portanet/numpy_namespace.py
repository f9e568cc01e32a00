"""NumPy as the mathematics calls it: without the Python code around its functions, and with shared products.

A training step of a small net calls NumPy a hundred times, and a sixth of its time was spent in that code. All that
is not here is NumPy's own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

HostArray = Any
Both = Callable[[Callable[[], Any], Callable[[], Any]], None]
_MANY = 16  # rows for each column
_LARGE = 4096  # numbers
_SHARED = 5_000_000  # multiplications: handing over half of a smaller product costs more than it gains


def _sum(x: HostArray, /, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> HostArray:
    plain = axis == 0 and dtype is None and not keepdims
    if plain and x.ndim == 2 and x.shape[0] > _MANY * x.shape[1] and x.dtype.kind == "f":
        return np.ones(x.shape[0], x.dtype) @ x  # NumPy adds up many short rows in four times the time
    return np.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _maximum(x1: Any, x2: Any, /) -> HostArray:
    if isinstance(x2, float) and x1.size > _LARGE and x1.dtype.kind == "f":
        return x1.clip(x2, np.inf)  # a third of the time
    return np.maximum(x1, x2)


def _max(x: HostArray, /, *, axis: Any = None, keepdims: Any = False) -> HostArray:
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


def _take(x: HostArray, indices: HostArray, /, *, axis: int | None = None) -> HostArray:
    return x.take(indices, axis=axis)


def _astype(x: HostArray, dtype: Any, /, *, copy: bool = True) -> HostArray:
    return x.astype(dtype, copy=copy)


def _reshape(x: HostArray, /, shape: Any, *, copy: bool | None = None) -> HostArray:
    return x.reshape(shape) if copy is None else np.reshape(x, shape, copy=copy)


def _matmul(a: HostArray, b: HostArray, /) -> HostArray:
    """The product a @ b; within `sharing` a large one in halves, whose bits do not depend on who computes them."""
    both = _here.both
    if both is None or a.size * b.shape[-1] < _SHARED or a.ndim != 2 or b.ndim != 2:
        return a @ b
    y = np.empty((a.shape[0], b.shape[1]), np.result_type(a, b))
    (rows, columns), whole = y.shape, slice(None)
    if rows >= columns:
        halves = [(slice(rows // 2), whole), (slice(rows // 2, rows), whole)]
    else:
        halves = [(whole, slice(columns // 2)), (whole, slice(columns // 2, columns))]

    def half(own: tuple[slice, slice]) -> None:
        np.matmul(a[own[0]], b[:, own[1]], out=y[own])

    both(lambda: half(halves[0]), lambda: half(halves[1]))
    return y


class _Here(threading.local):
    both: Both | None = None


_here = _Here()


@contextlib.contextmanager
def sharing(both: Both) -> Iterator[None]:
    """While it lasts, large products of this thread are computed in halves, by `both`, which calls two functions."""
    before, _here.both = _here.both, both
    try:
        yield
    finally:
        _here.both = before


class _Namespace(ModuleType):
    """NumPy's names, with our own in the place of some."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        setattr(self, name, found)
        return found


namespace = _Namespace("portanet.numpy_namespace.namespace", __doc__)
namespace.__dict__.update(
    sum=_sum, max=_max, maximum=_maximum, matmul=_matmul, astype=_astype, reshape=_reshape, take=_take
)
