"""Calls of C in place of NumPy's: the same bits for any values, and how many are left in a step."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from legs import kernels_at_once

import portanet
from portanet.backends import c_calls
from portanet.backends.c_calls import c_call_of, joined, products, ufuncs
from portanet.backends.c_calls.call import CCall, HostArray
from portanet.backends.numpy_calls import _c_call
from portanet.nn import Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Rescale, Sequential
from portanet.optim import SGD, Adam
from portanet.tracing import Statement, Traced, Var

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-40, 3e38]
SHAPES = [(1,), (7,), (10, 33), (33, 10), (1, 40), (3, 4, 5, 6), (2, 8, 1, 130)]


@pytest.fixture(autouse=True)
def compiled() -> Iterator[None]:
    with kernels_at_once() as compiler:
        compiler.ask(c_calls.bodies())
        if compiler.problem is not None:
            pytest.skip(f"no compiler here: {compiler.problem}")
        yield


def fill(array: HostArray, rng: np.random.Generator, *, special: bool) -> None:
    """New values; those of floats with the ones that rounding treats in a special way."""
    if array.dtype.kind == "b":
        array[...] = rng.integers(0, 2, array.shape)
    elif array.dtype.kind in "iu":
        array[...] = rng.integers(0, 100, array.shape)
    else:
        array[...] = rng.normal(0, 3, array.shape)
        if special:
            array[rng.random(array.shape) < 0.1] = rng.choice(SPECIAL)


def layouts(shape: tuple[int, ...], dtype: Any) -> list[HostArray]:
    """Arrays of this shape: contiguous, transposed, every second element, reversed."""
    twice = tuple(2 * n for n in shape)
    return [
        np.empty(shape, dtype),
        np.empty(shape[::-1], dtype).T,
        np.empty(twice, dtype)[tuple(slice(None, None, 2) for _ in shape)],
        np.empty(shape, dtype)[..., ::-1],
    ]


def run(call: CCall) -> None:
    ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(call.function)(call.words.ctypes.data)


def same(a: HostArray, b: HostArray) -> bool:
    numbers = a == a
    return bool((numbers == (b == b)).all()) and a[numbers].tobytes() == b[numbers].tobytes()


def check(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], out: HostArray, *, some: bool = False
) -> bool:
    """C writes the same bits as NumPy, for values that were not there when the call was made; `some` may have no C."""
    rng = np.random.default_rng(out.size)
    inputs = [x for x in (*args, *kwargs.values()) if isinstance(x, np.ndarray) and x is not out]
    numbers = [x for x in inputs if not (function is np.ndarray.take and x.dtype == np.int64)]
    for array in (*numbers, out):
        fill(array, rng, special=False)
    call = c_call_of(Statement(function, args, kwargs))
    if call is None and some:
        return False
    assert call is not None, (function, [(x.shape, x.strides, x.dtype) for x in inputs])
    for special in (False, True):
        for array in numbers:
            fill(array, rng, special=special and function is not np.matmul)
        fill(out, rng, special=False)
        before = out.copy()
        with np.errstate(all="ignore"):
            function(*args, **kwargs)
        expected = out.copy()
        out[...] = before
        run(call)
        assert same(out, expected), (function, special)
    return True


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint8"])
@pytest.mark.parametrize("name", ["add", "multiply", "maximum", "subtract"])
def test_functions_of_two_arrays(name: str, dtype: str) -> None:
    for shape in SHAPES:
        for one, out in zip(layouts(shape, dtype), reversed(layouts(shape, dtype)), strict=True):
            for other in (*layouts(shape, dtype), np.empty(shape[-1:], dtype), np.empty((), dtype)):
                check(getattr(np, name), (one, other), {"out": out}, out)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sqrt", "negative", "log1p", "sin"])
def test_functions_of_one_array(name: str, dtype: str) -> None:
    for shape in SHAPES:
        checked = [
            check(getattr(np, name), (one,), {"out": out}, out, some=True)
            for one in layouts(shape, dtype)
            for out in layouts(shape, dtype)
        ]
        assert all(checked) or name not in ("sqrt", "negative")
    for shape in [*SHAPES[1:], (3, 40_000)]:
        for out in layouts(shape, dtype)[:2]:
            check(getattr(np, name), (np.empty_like(out),), {"out": out}, out)
            check(getattr(np, name), (out,), {"out": out}, out)  # in place


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ufunc", [np.add, np.maximum], ids=["sum", "max"])
def test_reductions(ufunc: np.ufunc, dtype: str) -> None:
    for shape in [*SHAPES[1:], (5, 20_000), (20_000, 3), (3, 5, 700)]:
        for x in layouts(shape, dtype)[:3]:
            for axis in range(len(shape)):
                for keepdims in (False, True):
                    out = np.empty(np.zeros(shape).sum(axis=axis, keepdims=keepdims).shape, dtype)
                    rest = [n for d, n in enumerate(shape) if d != axis and n > 1]
                    if out.ndim and len(rest) < 3:
                        may_stay = shape[axis] > 8192 and not ufuncs.sums_rows_at_once()
                        check(ufunc.reduce, (x, axis, None, out, keepdims), {}, out, some=may_stay)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products(dtype: str) -> None:
    for m, k, n in [(2, 3, 4), (32, 784, 32), (33, 17, 5), (128, 64, 10), (200, 300, 2)]:
        for a in (np.empty((m, k), dtype), np.empty((k, m), dtype).T):
            for b in (np.empty((k, n), dtype), np.empty((n, k), dtype).T):
                out, wide = np.empty((m, n), dtype), np.empty((m, 2 * n), dtype)
                check(np.ndarray.dot, (a, b, out), {}, out)
                check(np.matmul, (a, b), {"out": wide[:, n:]}, wide[:, n:])
                row = np.empty(n, dtype)
                check(np.matmul, (np.empty(k, dtype), b), {"out": row}, row)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "bool"])
def test_copies_and_rows(dtype: str) -> None:
    for shape in SHAPES:
        for x in layouts(shape, dtype):
            for out in layouts(shape, dtype):
                check(np.copyto, (out, x), {}, out)
    for axis, numbers in ((0, np.array([2, 0, 2])), (1, np.arange(30)[::-1]), (1, np.array([3], np.int64))):
        x = np.empty((3, 40, 5), dtype)
        out = np.empty(np.take(x, numbers, axis=axis).shape, dtype)
        check(np.ndarray.take, (x, np.ascontiguousarray(numbers), axis, out, "clip"), {}, out)


def test_a_call_that_gives_other_bits_stays_numpys(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, out = (np.arange(6.0) + i for i in range(3))
    assert c_call_of(Statement(np.add, (x, y), {"out": out})) is not None
    subtract = ufuncs._loop_of(np.subtract, "dd->d")
    monkeypatch.setattr(ufuncs, "_loop_of", lambda *_: subtract)
    before = out.copy()
    assert c_call_of(Statement(np.add, (x, y), {"out": out})) is None
    assert (out == before).all()


def test_what_is_not_a_call_in_c() -> None:
    """Other arrays in each call, numbers, overlapping memory, another dtype, a square, a subclass, Python objects."""
    objects = [np.full((4, 4), 2**70 + i, object) for i in range(3)]
    x, out = np.ones((4, 4), np.float32), np.ones((4, 4), np.float32)
    statements = [
        Statement(np.add, (Var("a0", x), x), {"out": out}),
        Statement(np.add, (x, 1.0), {"out": out}),
        Statement(np.add, (out[::-1], x), {"out": out}),
        Statement(np.add, (x, x.astype(np.float64)), {"out": np.ones((4, 4))}),
        Statement(np.ndarray.dot, (x, x.T, out), {}),
        Statement(np.add, (np.ma.masked_array(x), x), {"out": out}),
        Statement(np.copyto, (out, x.astype(np.int32), "unsafe"), {}),
        Statement(np.add.reduce, (x, None, None, np.ones(()), False), {}),
        Statement(np.add, (objects[0], objects[1]), {"out": objects[2]}),
        Statement(np.ndarray.take, (objects[0], np.arange(4), 0, objects[2], "clip"), {}),
    ]
    assert [c_call_of(statement) for statement in statements] == [None] * len(statements)


def test_sums_are_in_numpys_order() -> None:
    """Ones have the same sum in any order, so that is not noticed when the call is made."""
    row, x = np.arange(5.0)[None, :], np.empty((9, 8, 33))
    for source, view, axis, out in (
        (row, np.broadcast_to(row, (9, 5)), 0, np.empty(5)),
        (row, np.broadcast_to(row, (9, 5)).T, 1, np.empty(5)),
        (x, x, 1, np.empty((33, 9)).T),
        (x, x.T, 1, np.empty((33, 9))),
        (x, x.T, 1, np.empty((9, 33)).T),
        (x, x.transpose(1, 0, 2), 0, np.empty((9, 33))),
        (x, x.transpose(1, 2, 0), 0, np.empty((33, 9))),
    ):
        source[...] = 1
        call = c_call_of(Statement(np.add.reduce, (view, axis, None, out, False), {}))
        assert call is not None
        fill(source, np.random.default_rng(0), special=False)
        run(call)
        assert same(out, np.add.reduce(view, axis, None, np.empty_like(out))), (view.shape, axis)


def test_dot_copies_rows_with_gaps() -> None:
    padded = np.ones((16, 390), np.float32)[:, :130]
    args = np.ones((17, 130), np.float32), padded.T, np.ones((17, 16), np.float32)
    assert c_call_of(Statement(np.ndarray.dot, args, {})) is None


def test_a_blas_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "blas", lambda *_: (0, False))
    x, out = np.ones((4, 4)), np.ones((4, 4))
    assert products.bodies() == []
    assert c_call_of(Statement(np.ndarray.dot, (x, x + 1, out), {})) is None


def test_statements_are_joined_in_their_order() -> None:
    """Between those that assign a name; one alone stays, and the arrays stay alive."""
    x, y, out = (np.full(1000, value) for value in (2.0, 3.0, 0.0))
    add, multiply = Statement(np.add, (x, y), {"out": out}), Statement(np.multiply, (out, y), {"out": out})
    name = Statement(np.copy, (out,), {}), [Var("v1", out)]
    lines = joined([(add, None), (multiply, None), name, (add, None)], _c_call)
    assert [names for _, names in lines] == [None, name[1], None]
    assert lines[1:] == [name, (add, None)]
    del x, y, add, multiply, name
    gc.collect()
    function, args, _ = lines[0][0]
    function(*args)
    assert (out == 15.0).all()


def test_a_training_step_is_a_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of some twenty, thirty or sixty: each gives up the interpreter's lock, for which another thread may wait."""
    made: list[Traced] = []
    init = Traced.__init__

    def noted(self: Traced, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(Traced, "__init__", noted)
    conv: list[Layer] = [Rescale(1 / 255), Conv2D(16, 5), ReLU(), MaxPool2D(2), Conv2D(32, 5), ReLU(), MaxPool2D(2)]
    dense: list[Layer] = [Rescale(1 / 255), Flatten(), Dense(32), ReLU(), Dense(10)]
    x = np.random.default_rng(0).integers(0, 256, (256, 1, 28, 28)).astype(np.uint8)
    for layers, optimizer, batch, most in (
        (dense, SGD(0.1), "full", 6), (dense, Adam(), 32, 6), ([*conv, Flatten(), Dense(10)], Adam(), 128, 8),
    ):  # fmt: skip
        made.clear()
        portanet.fit(
            Sequential(*layers), x, np.arange(256) % 10, epochs=90, batch_size=batch, log_every=90, optimizer=optimizer,
            backend=portanet.choose("numpy"), workers=1,
        )  # fmt: skip
        sources = [program.source for traced in made for program in traced.programs() if "a8" in program.source]
        calls = [len(source.splitlines()) - 4 for source in sources]
        assert calls, "no step was traced"
        assert min(calls) <= most, sources
