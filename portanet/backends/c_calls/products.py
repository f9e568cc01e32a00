"""C calls for products, by the BLAS that NumPy is linked with, with the same arguments as NumPy's."""

from __future__ import annotations

import ctypes
import functools

import numpy as np

from portanet.backends.c_calls.call import CCall, HostArray, address, c_call, pointer

_ROWS, _COLUMNS, _PLAIN, _TRANSPOSED = 101, 102, 111, 112  # constants of CBLAS
_LETTERS = {"float32": "s", "float64": "d"}


def matrices(a: HostArray, b: HostArray, out: HostArray) -> CCall | None:
    """The product of two matrices."""
    if (letter := _letter(a, b, out)) is None or a.ndim != 2 or b.ndim != 2 or min(*a.shape, *b.shape) < 2:
        return None
    function, wide = blas(letter, "gemm")
    if not (function and _is_by_rows(out) and all(_is_by_rows(x) or _is_by_rows(x.T) for x in (a, b))):
        return None
    plain = [_is_by_rows(x) for x in (a, b)]
    ways = [_PLAIN if own else _TRANSPOSED for own in plain]
    at_a, at_b = ((address(x), _steps(x if own else x.T)) for x, own in zip((a, b), plain, strict=True))
    about = [*ways, *out.shape, a.shape[1], *at_a, *at_b, address(out), _steps(out)]
    return c_call(matrices_body(letter, wide), [function, *about], a, b, out)


def vector(a: HostArray, b: HostArray, out: HostArray) -> CCall | None:
    """The product of a vector and a matrix."""
    if (letter := _letter(a, b, out)) is None or (a.ndim, b.ndim) != (1, 2) or min(b.shape) < 2:
        return None
    function, wide = blas(letter, "gemv")
    by_rows = _is_by_rows(b)
    if not function or not (by_rows or _is_by_rows(b.T)) or a.strides[0] <= 0 or not out.flags.c_contiguous:
        return None
    lead = _steps(b if by_rows else b.T)
    about = [_ROWS if by_rows else _COLUMNS, *b.shape, address(b), lead, address(a), a.strides[0] // a.itemsize]
    return c_call(vector_body(letter, wide), [function, *about, address(out)], a, b, out)


def bodies() -> list[str]:
    """The C functions of both products, for each dtype."""
    made = []
    for letter in _LETTERS.values():
        for name, body in (("gemm", matrices_body), ("gemv", vector_body)):
            function, wide = blas(letter, name)
            made += [body(letter, wide)] if function else []
    return made


def matrices_body(letter: str, wide: bool) -> str:
    """Words: the BLAS function, the transposition of each factor, three sizes; each array's address and row stride."""
    i, t = _types(letter, wide)
    kind = f"void (*)(int, int, int, {i}, {i}, {i}, {t}, const char *, {i}, const char *, {i}, {t}, char *, {i})"
    return f"""(({kind})w[0].p)(
{_ROWS}, w[1].n, w[2].n, w[3].n, w[4].n, w[5].n, 1, w[6].p, w[7].n, w[8].p, w[9].n, 0, w[10].p, w[11].n);
return 0;"""


def vector_body(letter: str, wide: bool) -> str:
    """Words: the BLAS function, the matrix's order and two sizes; the matrix's and the vector's address and stride."""
    i, t = _types(letter, wide)
    kind = f"void (*)(int, int, {i}, {i}, {t}, const char *, {i}, const char *, {i}, {t}, char *, {i})"
    return f"""(({kind})w[0].p)(
w[1].n, {_TRANSPOSED}, w[2].n, w[3].n, 1, w[4].p, w[5].n, w[6].p, w[7].n, 0, w[8].p, 1);
return 0;"""


def _types(letter: str, wide: bool) -> tuple[str, str]:
    return "long long" if wide else "int", {"s": "float", "d": "double"}[letter]


def _letter(a: HostArray, b: HostArray, out: HostArray) -> str | None:
    """The BLAS prefix of the dtype; None if NumPy does not use BLAS, or uses another function, as for x @ x.T."""
    apart = not any(np.may_share_memory(x, y) for x, y in ((a, b), (a, out), (b, out)))
    return _LETTERS.get(str(a.dtype)) if a.dtype == b.dtype == out.dtype and apart else None


def _is_by_rows(x: HostArray) -> bool:
    """Whether each row is contiguous and rows do not overlap."""
    row, column = x.strides
    return bool(column == x.itemsize and row >= x.shape[1] * x.itemsize and row % x.itemsize == 0)


def _steps(x: HostArray) -> int:
    """The row stride in elements."""
    return int(x.strides[0] // x.itemsize)


@functools.cache
def blas(letter: str, name: str) -> tuple[int, bool]:
    """The address of the BLAS function that NumPy uses, 0 if not found, and whether its integers have 64 bits."""
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

    try:
        library = ctypes.CDLL(_multiarray_umath.__file__)  # finds symbols of linked libraries too
    except OSError:
        return 0, False
    for prefix, suffix in (("scipy_cblas_", "64_"), ("cblas_", "64_"), ("scipy_cblas_", ""), ("cblas_", "")):
        if (found := getattr(library, f"{prefix}{letter}{name}{suffix}", None)) is not None:
            return pointer(found), suffix == "64_"
    return 0, False
