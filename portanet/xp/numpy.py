"""NumPy's functions for the mathematics: without their Python overhead, and large products in halves.

Every other name is NumPy's own.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

HostArray = Any
_MANY = 16  # rows
CLIPPED = 4096  # numbers
_SHARED = 5_000_000  # multiplications: handing over half of a smaller product costs more than it gains
_WIDE = 64  # rows and columns: long and narrow ones are those of shards, which keep the threads busy


def is_numpy(x: Any) -> bool:
    """Whether `x` is one of NumPy's arrays or numbers."""
    return isinstance(x, (np.ndarray, np.generic))


def adds_rows(x: Any, axis: Any, dtype: Any, keepdims: Any) -> bool:
    """Whether a sum is faster as a product with ones: NumPy's own takes two to eight times as long."""
    plain = axis == 0 and dtype is None and not keepdims
    return plain and x.ndim == 2 and x.shape[0] >= _MANY and x.dtype.kind == "f"


def _sum(x: HostArray, /, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> HostArray:
    if adds_rows(x, axis, dtype, keepdims):
        return np.ones(x.shape[0], x.dtype) @ x
    return np.add.reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


def _maximum(x1: Any, x2: Any, /) -> HostArray:
    if isinstance(x2, float) and x1.size > CLIPPED and x1.dtype.kind == "f":
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


def halves(a: HostArray, b: HostArray, y: HostArray) -> list[tuple[HostArray, HostArray, HostArray]]:
    """A large product y = a @ b of matrices as two, which two threads may compute: (a, b, y) of each; else as one.

    Products of other shapes may have other bits, so it is split the same way for any number of threads.
    """
    if a.ndim != 2 or b.ndim != 2 or a.size * b.shape[1] < _SHARED or min(y.shape) < _WIDE:
        return [(a, b, y)]
    cut = max(y.shape) // 2
    first, second = slice(cut), slice(cut, max(y.shape))
    if y.shape[0] >= y.shape[1]:
        return [(a[half, :], b, y[half, :]) for half in (first, second)]
    return [(a, b[:, half], y[:, half]) for half in (first, second)]


def write_product(a: HostArray, b: HostArray, y: HostArray) -> None:
    """Write the product a @ b into y, split as by `halves`."""
    for first, second, out in halves(a, b, y):
        np.matmul(first, second, out=out)


def _matmul(a: HostArray, b: HostArray, /) -> HostArray:
    if a.ndim != 2 or b.ndim != 2:
        return np.matmul(a, b)
    y = np.empty((a.shape[0], b.shape[1]), np.result_type(a, b))
    write_product(a, b, y)
    return y


class _Namespace(ModuleType):
    """NumPy's names, some of them replaced by ours."""

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        setattr(self, name, function)
        return function


namespace = _Namespace("portanet.xp.numpy.namespace", __doc__)
namespace.__dict__.update(
    sum=_sum, max=_max, maximum=_maximum, matmul=_matmul, astype=_astype, reshape=_reshape, take=_take
)
