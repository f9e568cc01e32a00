"""C calls for ufuncs, by their inner loops: the C functions, one per dtype, that NumPy itself calls."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import numpy as np

from portanet.backends.c_calls.call import CCall, HostArray, address, c_call, dimensions
from portanet.backends.expressions import expression

_LOOP = "typedef void (*loop)(char **, const long long *, const long long *, void *);"

EACH = f"""{_LOOP}
const long long rows = w[2].n, columns = w[3].n, layers = w[4].n, n = w[5].n, count = w[6].n;
for (long long i = 0; i < rows; ++i) for (long long j = 0; j < columns; ++j) for (long long l = 0; l < layers; ++l) {{
char *at[4]; long long steps[4];
for (long long k = 0; k < count; ++k) {{
const word *const a = w + 7 + 5 * k;
at[k] = a[0].p + i * a[1].n + j * a[2].n + l * a[3].n; steps[k] = a[4].n;
}}
((loop)w[0].p)(at, &n, steps, w[1].p);
}}
return 0;"""
"""An elementwise call. Words: the loop, its data, four dimensions, the number of arrays; their addresses, strides."""

REDUCE = f"""{_LOOP}
const long long first = w[2].n, inner = w[3].n, size = w[4].n, count = w[5].n - first, step = w[6].n;
const long long rows = w[7].n, columns = w[8].n, x_step = w[11].n, y_step = w[14].n;
const long long across[3] = {{y_step, x_step, y_step}}, along[3] = {{0, step, 0}};
for (long long i = 0; i < rows; ++i) {{
char *const x = w[9].p + i * w[10].n, *const y = w[12].p + i * w[13].n;
for (long long j = 0; j < columns && size == 4; ++j)
*(unsigned *)(y + j * y_step) = first ? *(const unsigned *)(x + j * x_step) : 0;
for (long long j = 0; j < columns && size != 4; ++j)
for (long long b = 0; b < size; ++b) y[j * y_step + b] = first ? x[j * x_step + b] : 0;
for (long long j = 0; j < columns && inner; ++j) {{
char *at[3] = {{y + j * y_step, x + j * x_step + first * step, y + j * y_step}};
((loop)w[0].p)(at, &count, along, w[1].p);
}}
for (long long k = first; k < first + count && !inner; ++k) {{
char *at[3] = {{y, x + k * step, y}};
((loop)w[0].p)(at, &columns, across, w[1].p);
}}
}}
return 0;"""
"""A reduction along one dimension, starting with 0 or with the first element.

Words: the loop and its data; whether it starts with the first element; whether the inner loop runs along the reduced
dimension, as in NumPy if that has the smallest stride; the element size; the size and stride of that dimension; two
other dimensions; the address and strides of the argument and of the result.
"""

_BUFFERED = 8192  # elements in NumPy's buffer
_FIRST = {"add": 0, "maximum": 1}
"""The supported reductions, and whether they start with the first element."""


def each(ufunc: np.ufunc, args: tuple[HostArray, ...], out: HostArray) -> CCall | None:
    """A ufunc's call. One that is not exactly rounded needs contiguous arrays: NumPy has other loops for others."""
    arrays = [*(np.broadcast_to(arg, out.shape) for arg in args), out]
    if not all(_is_same(arg, out) or not np.may_share_memory(arg, out) for arg in arrays[:-1]):
        return None
    if _is_exact(ufunc, out):
        fits = dimensions(out.shape, [array.strides for array in arrays], 4)
    elif out.dtype.kind == "f" and out.size > 1 and _are_contiguous(arrays):  # a loop of integers may raise
        fits = [1, 1, 1, out.size], [[0, 0, 0, array.itemsize] for array in arrays]
    else:
        fits = None
    if fits is None:
        return None
    if (loop := _inner_loop(ufunc, *args, out)) is None:
        return None
    about = [word for array, strides in zip(arrays, fits[1], strict=True) for word in (address(array), *strides)]
    return c_call(EACH, [*loop, *fits[0], len(arrays), *about], *arrays)


def reduce(ufunc: np.ufunc, x: HostArray, axis: Any, dtype: Any, out: HostArray, keepdims: bool) -> CCall | None:
    """The call of a ufunc's `reduce`."""
    known = ufunc.__name__ in _FIRST and type(axis) is int and dtype in (None, x.dtype) and x.dtype == out.dtype
    if not known or min(x.strides) < 0 or np.may_share_memory(x, out):
        return None
    axis %= x.ndim
    y = np.squeeze(out, axis) if keepdims else out
    step, strides = x.strides[axis], x.strides[:axis] + x.strides[axis + 1 :]
    loop, fits = _inner_loop(ufunc, x, x, y), dimensions(y.shape, [strides, y.strides], 2)
    if loop is None or fits is None:
        return None
    sizes, (of_x, of_y) = fits
    y_strides = [0 if d == axis else s for d, s in enumerate(np.expand_dims(y, axis).strides)]
    inner, first = innermost(x.shape, [y_strides, list(x.strides)]) == axis, _FIRST[ufunc.__name__]
    if inner and not first and x.shape[axis] > _BUFFERED and not sums_rows_at_once():
        return None
    about = [first, inner, x.itemsize, x.shape[axis], step, *sizes, address(x), *of_x, address(y), *of_y]
    return c_call(REDUCE, [*loop, *about], x, out)


def innermost(shape: tuple[int, ...], strides: list[list[int]]) -> int | None:
    """The dimension of NumPy's inner loop, given the strides of each array; None if all dimensions are 1.

    An array with stride 0 in a dimension does not affect its order. If arrays disagree, the order of the indices is
    kept (npyiter_find_best_axis_ordering in NumPy's nditer_constr.c).
    """
    order: list[int] = []
    for d in reversed([d for d, n in enumerate(shape) if n > 1]):
        place = len(order)
        for at in reversed(range(len(order))):
            known = [(abs(own[order[at]]), abs(own[d])) for own in strides if own[order[at]] and own[d]]
            if not all(there > here for there, here in known):
                break
            place = at if known else place
        order.insert(place, d)
    return order[0] if order else None


@functools.cache
def sums_rows_at_once() -> bool:
    """Whether NumPy sums a long row as a whole: versions before 2.3 sum it in pieces of the buffer size."""
    x = np.random.default_rng(0).random((64, 3 * _BUFFERED))
    pieces = x.reshape(64, 3, _BUFFERED).sum(axis=2)
    return bool((x.sum(axis=1) != pieces[:, 0] + pieces[:, 1] + pieces[:, 2]).any())


def _is_exact(ufunc: np.ufunc, out: HostArray) -> bool:
    return expression(ufunc.__name__, ["x"] * ufunc.nin, str(out.dtype)) is not None


def _are_contiguous(arrays: list[HostArray]) -> bool:
    """Whether all arrays are contiguous in the same order."""
    return all(x.flags.c_contiguous for x in arrays) or all(x.flags.f_contiguous for x in arrays)


def _is_same(x: HostArray, y: HostArray) -> bool:
    steps = zip(x.strides, y.strides, y.shape, strict=True)
    return address(x) == address(y) and all(one == other for one, other, n in steps if n > 1)


class _UFunc(ctypes.Structure):
    """The first public fields of NumPy's PyUFuncObject, after PyObject_HEAD."""

    _fields_ = (
        ("nin", ctypes.c_int), ("nout", ctypes.c_int), ("nargs", ctypes.c_int), ("identity", ctypes.c_int),
        ("functions", ctypes.POINTER(ctypes.c_void_p)), ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int), ("reserved", ctypes.c_int), ("name", ctypes.c_char_p),
    )  # fmt: skip


def _inner_loop(ufunc: np.ufunc, *arrays: HostArray) -> tuple[int, int] | None:
    """The inner loop for arrays of these dtypes, and its data."""
    *given, result = [array.dtype.char for array in arrays]
    return _loop_of(ufunc, f"{''.join(given)}->{result}")


@functools.cache
def _loop_of(ufunc: np.ufunc, types: str) -> tuple[int, int] | None:
    if sys.implementation.name != "cpython" or types not in ufunc.types:
        return None
    there = _UFunc.from_address(id(ufunc) + object.__basicsize__)
    numbers = (there.nin, there.nout, there.nargs, there.ntypes)
    if numbers != (ufunc.nin, ufunc.nout, ufunc.nargs, ufunc.ntypes) or there.name != ufunc.__name__.encode():
        return None  # a different struct layout
    index = ufunc.types.index(types)
    return (there.functions[index], there.data[index] or 0) if there.functions[index] else None
