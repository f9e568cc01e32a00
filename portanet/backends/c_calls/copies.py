"""C calls for copies, and for taking rows by index."""

from __future__ import annotations

import math

import numpy as np

from portanet.backends.c_calls.call import CCall, HostArray, address, c_call, dimensions

COPY = """const long long rows = w[0].n, columns = w[1].n, layers = w[2].n, n = w[3].n, size = w[4].n;
const long long to = w[9].n, from = w[14].n;
for (long long i = 0; i < rows; ++i) for (long long j = 0; j < columns; ++j) for (long long l = 0; l < layers; ++l) {
char *y = w[5].p + i * w[6].n + j * w[7].n + l * w[8].n;
const char *x = w[10].p + i * w[11].n + j * w[12].n + l * w[13].n;
if (to == size && from == size) __builtin_memcpy(y, x, n * size);
else if (size == 4) for (long long k = 0; k < n; ++k, y += to, x += from) *(unsigned *)y = *(const unsigned *)x;
else for (long long k = 0; k < n; ++k, y += to, x += from) for (long long b = 0; b < size; ++b) y[b] = x[b];
}
return 0;"""
"""A copy. Words: four dimensions, the element size; the address and strides of the result and of the argument."""

TAKE = """const long long outer = w[0].n, n = w[1].n, size = w[2].n, before = w[3].n;
const char *x = w[4].p; const long long *const rows = (const long long *)w[5].p; char *y = w[6].p;
for (long long i = 0; i < outer; ++i, x += before) {
if (size == 4) for (long long k = 0; k < n; ++k, y += 4) *(unsigned *)y = ((const unsigned *)x)[rows[k]];
else for (long long k = 0; k < n; ++k, y += size) __builtin_memcpy(y, x + rows[k] * size, size);
}
return 0;"""
"""Takes rows by index along one axis of a contiguous array.

Words: the product of the dimensions before the axis, the number of indices, the size of a row in bytes, the stride in
bytes of the dimension before the axis; the addresses of the array, the indices and the result.
"""


def copy(out: HostArray, x: HostArray) -> CCall | None:
    """The call of `np.copyto`."""
    if x.dtype != out.dtype or x.dtype.kind not in "biuf" or np.may_share_memory(x, out):
        return None
    x = np.broadcast_to(x, out.shape)
    if (fits := dimensions(out.shape, [x.strides, out.strides], 4)) is None:
        return None
    sizes, (of_x, of_out) = fits
    return c_call(COPY, [*sizes, x.itemsize, address(out), *of_out, address(x), *of_x], x, out)


def take(x: HostArray, numbers: HostArray, axis: int, out: HostArray) -> CCall | None:
    """The call of `take` with constant indices that are known to be in range."""
    if numbers.ndim != 1 or not (x.flags.c_contiguous and out.flags.c_contiguous) or np.may_share_memory(x, out):
        return None
    axis, numbers = axis % x.ndim, np.ascontiguousarray(numbers, np.int64)
    size = math.prod(x.shape[axis + 1 :]) * x.itemsize
    about = [math.prod(x.shape[:axis]), numbers.size, size, x.shape[axis] * size]
    return c_call(TAKE, [*about, address(x), address(numbers), address(out)], x, numbers, out)
