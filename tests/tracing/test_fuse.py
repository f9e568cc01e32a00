"""The pass that makes kernels: which calls join, which do not, and what a kernel does where it must not run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from legs import kernels_at_once

from portanet.backends import c_kernels
from portanet.backends.loops import c_body
from portanet.backends.numpy_calls import NumPyCalls
from portanet.optim import Adam
from portanet.tracing import Trace, Traced, passes, show
from portanet.xp import namespace

LIBRARY = NumPyCalls(None)
X = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4)


def fused(function: Callable[..., Any], *args: Any) -> list[str]:
    """The ops with kernels, without inputs, views and what is computed once."""
    trace = Trace(LIBRARY)
    trace.run(function, args)
    ops = passes.fuse(passes.dead_code(passes.constants(trace.ops)), LIBRARY)
    return show([op for op in ops if op.is_call and not op.is_view and str(op.out) != "constant"]).splitlines()


def traced(function: Callable[..., Any]) -> Traced:
    """A function that has its kernels from the second call on."""
    return Traced(function, LIBRARY, warmup=0)


def kernels(one: Traced) -> int:
    """How many kernels the programs call."""
    return sum(line.strip().startswith("kernel") for p in one.programs() for line in p.source.splitlines())


def test_a_chain_is_one_kernel_and_keeps_nothing_between() -> None:
    def function(x: Any, y: Any) -> Any:
        return namespace(x).sqrt(x * y + 1.0) - y

    assert fused(function, X, X.copy()) == ["%5 = multiply+add+sqrt+subtract(%0, %1)"]


def test_adam_is_one_kernel() -> None:
    def function(flat: Any, grads: Any, state: Any) -> Any:
        return Adam().update(flat, grads, state, learning_rate=0.001)

    flat = np.ones(5, np.float32)
    [line] = [line for line in fused(function, flat, flat * 2, Adam().init(flat * 3, decayed=0)) if "+" in line]
    fade = "multiply+add+subtract+"
    assert line.startswith(f"{fade}add+multiply+{fade}add+sqrt+add+divide+multiply+subtract(")
    assert line.endswith("-> %2, %1, %3, %0")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: namespace(x).sum(x * x + 1.0, axis=0) * 2.0 - 1.0, ["multiply+add", "sum", "multiply+subtract"]),
        (lambda x: (x * 2.0) @ x.T + 1.0, ["multiply", "product", "add"]),
        (lambda x: namespace(x).exp(x - 1.0) * 2.0 + x, ["subtract", "exp", "multiply+add"]),
        (lambda x: (x * 2.0 + 1.0)[1:, ...] - x[:2, ...] * 3.0, ["multiply+add", "multiply+subtract"]),
        (lambda x: (x * 2.0 + 1.0).T[:3, ...] - x[:, :3] * 3.0, ["multiply+add", "multiply+subtract"]),
        (lambda x: namespace(x).astype(x * 2.0, namespace(x).int32) + 1, ["multiply", "astype", "add"]),
        (lambda x: x**2 + x**3, ["pow", "pow", "add"]),
        (lambda x: x * 2.0, ["multiply"]),
        (lambda x: namespace(x).reshape(x * 2.0, (2, 6)) + 1.0, ["multiply+add"]),
    ],
)  # fmt: skip
def test_where_chains_end(function: Callable[[Any], Any], expected: list[str]) -> None:
    """At sums, products, powers, what NumPy computes in its own way, other elements, and a lone call stays a call."""
    assert [line.partition("(")[0].split()[-1] for line in fused(function, X)] == expected


def test_a_loop_goes_through_memory_as_most_of_its_arrays_lie() -> None:
    def function(x: Any, y: Any) -> Any:
        xp = namespace(x)
        return xp.reshape(xp.permute_dims(x * y - x, (1, 0)), (12,))

    trace = Trace(LIBRARY)
    trace.run(function, (X, X.copy()))
    [kernel] = [op.kernel for op in passes.dead_code(passes.fuse(trace.ops, LIBRARY)) if op.is_fused]
    assert str(kernel) == "multiply+subtract+reshape"
    assert [slot.strides for slot in kernel.slots] == [(16, 4), (16, 4), (4, 12)]


def test_calls_move_past_others_but_not_past_what_they_need() -> None:
    def function(x: Any, y: Any) -> Any:
        a = x + 1.0
        total = namespace(x).sum(y, axis=0)
        y *= 2.0  # after the sum
        return a * 2.0, y, total

    assert fused(function, X, X.copy()) == ["%3 = sum(%1, axis=0)", "%2, %4 = add+multiply+multiply(%0, %1) -> %1"] or (
        fused(function, X, X.copy()) == ["%3 = sum(%1, axis=0)", "%4 = add+multiply+multiply(%0, %1) -> %1"]
    )


def test_rows_are_read_where_they_are() -> None:
    def function(x: Any, rows: Any) -> Any:
        xp = namespace(x)
        return xp.astype(xp.take(x, rows, axis=0), xp.float32) * 0.5

    pixels, rows = np.arange(40, dtype=np.uint8).reshape(10, 4), np.array([3, -1, 0])
    assert fused(function, pixels, rows) == ["%4 = take+astype+multiply(%0, %1)"]
    with kernels_at_once():
        one = traced(function)
        for own in (rows, rows[::-1].copy(), rows + 0, np.array([9, 9, 9])):
            np.testing.assert_array_equal(one(pixels, own), function(pixels, own))
        assert kernels(one) == 1
        with pytest.raises(IndexError):
            one(pixels, np.array([3, 10, 0]))
        np.testing.assert_array_equal(one(pixels, rows), function(pixels, rows))


def test_a_row_that_does_not_exist_is_refused_before_anything_is_written() -> None:
    def function(x: Any, rows: Any, total: Any) -> Any:
        total += namespace(x).take(x, rows, axis=0)
        total *= 2.0
        return total

    total, rows = np.ones((3, 4), np.float32), np.array([0, 1, 2])
    with kernels_at_once():
        one = traced(function)
        for _ in range(3):
            one(X, rows.copy(), total.copy())
        assert kernels(one) == 1
        with pytest.raises(IndexError):
            one(X, np.array([0, 1, 3]), total)
    assert (total == 1).all()


@pytest.mark.parametrize("seen", [slice(None), ...], ids=["itself", "a view"])
def test_a_few_numbers_that_a_kernel_changes_where_they_are(seen: Any) -> None:
    """To copy so few takes less than to ask where they lie, but what is written must reach them."""

    def function(x: Any, rows: Any) -> Any:
        y = namespace(x).take(x, rows, axis=0)
        z = y[seen] + 1.0 if seen is ... else y + 1.0
        y += 3.0
        return y, z

    x, rows = np.arange(8.0), np.array([3, -1, 0])
    with kernels_at_once():
        one = traced(function)
        for own in (rows, rows[::-1].copy(), rows + 1, rows + 2):
            np.testing.assert_array_equal(one(x, own), function(x, own))
        assert kernels(one) == 1


def changes(x: Any, y: Any) -> Any:
    x += y
    x *= 2.0
    y += x
    return x - y


@pytest.mark.parametrize("shares", ["no", "all", "a part", "unseen"])
def test_arguments_that_share_memory(shares: str) -> None:
    """Traced with arrays of their own, called with arrays that overlap, and the other way round."""

    def arguments(shares: str) -> list[Any]:
        base = np.arange(20.0)
        raw = bytearray(base.tobytes())
        return {
            "no": [base[:10].copy(), base[10:].copy()],
            "all": [base[:10], base[:10]],
            "a part": [base[:10], base[5:15]],
            "unseen": [np.frombuffer(raw)[:10], np.frombuffer(raw)[2:12]],
        }[shares]

    for first, then in (("no", shares), (shares, "no")):
        with kernels_at_once():
            one = traced(changes)
            for kind in (first, first, first, then, then, first):
                found, expected = arguments(kind), arguments(kind)
                np.testing.assert_array_equal(one(*found), changes(*expected))
                np.testing.assert_array_equal(found, expected)


def test_an_array_that_may_not_be_written_to() -> None:
    with kernels_at_once():
        one = traced(changes)
        for _ in range(3):
            one(np.ones(4), np.ones(4))
        assert kernels(one) == 1
        fixed = np.ones(4)
        fixed.setflags(write=False)
        with pytest.raises(ValueError, match="read-only"):
            one(np.ones(4), fixed)
    assert (fixed == 1).all()


def test_arrays_between_the_addresses_of_a_processor() -> None:
    odd = np.frombuffer(b"x" + np.arange(8.0).tobytes(), np.float64, offset=1)
    assert not odd.flags.aligned

    def function(x: Any) -> Any:
        return x * 2.0 + 1.0

    with kernels_at_once():
        one = traced(function)
        for x in (np.arange(8.0), np.arange(8.0), odd, np.arange(8.0)):
            np.testing.assert_array_equal(one(x), function(x))


def test_numbers_that_do_not_fit() -> None:
    def function(x: Any, number: Any) -> Any:
        return (x + number) ^ 3

    x = np.arange(4, dtype=np.int32)
    with kernels_at_once():
        one = traced(function)
        for number in (1, 2, 3, -(2**31)):
            np.testing.assert_array_equal(one(x, number), function(x, number))
        assert kernels(one) == 1
        with pytest.raises(OverflowError):
            one(x, 2**31)


def test_numbers_stay_arguments() -> None:
    """So a rate that changes, or another layer's, needs no other kernel, and no number of a file meets the compiler."""

    def function(x: Any, rate: Any, factor: float) -> Any:
        return x * rate + factor

    with kernels_at_once() as compiler:
        seen = []
        for factor in (0.5, 1.5e-7, float("nan")):
            one = traced(lambda x, rate, factor=factor: function(x, rate, factor))
            for rate in (0.1, 0.2, 0.3):
                np.testing.assert_array_equal(one(X, rate), function(X, rate, factor))
            assert kernels(one) == 1
            seen.append(len(compiler._functions))
    assert len(set(seen)) == 1


def test_other_sizes_need_no_other_kernel() -> None:
    def function(x: Any, bias: Any) -> Any:
        return namespace(x).maximum(x + bias, 0.0)

    with kernels_at_once() as compiler:
        seen = []
        for rows, columns in ((3, 4), (30, 4), (7, 9)):
            one = traced(function)
            x, bias = np.ones((rows, columns)), np.ones(columns)
            for _ in range(3):
                np.testing.assert_array_equal(one(x.copy(), bias.copy()), function(x, bias))
            assert kernels(one) == 1
            seen.append(len(compiler._functions))
    assert len(set(seen)) == 1


def test_constants_stay_where_a_kernel_reads_them() -> None:
    def function(x: Any) -> Any:
        steps = namespace(x).arange(1000, dtype=x.dtype) * 0.5
        return (x + steps) * 2.0

    x = np.ones(1000)
    with kernels_at_once():
        one = traced(function)
        for _ in range(3):
            one(x)
        assert kernels(one) == 1
        rubbish = [np.full(1000, np.nan) for _ in range(50)]
        np.testing.assert_array_equal(one(x), function(x))
    assert rubbish


@pytest.mark.parametrize("size", [9, 5000])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_the_sign_of_zero(size: int, dtype: str) -> None:
    """Integers beside a float become floats, of which NumPy's maximum takes the second zero."""

    def function(x: Any) -> Any:
        return namespace(x).maximum(x, -0.0) * 1.0

    x = np.zeros(size, dtype)
    with kernels_at_once():
        one = traced(function)
        for _ in range(3):
            assert one(x).tobytes() == function(x).tobytes()
        assert kernels(one) == 1


def test_without_kernels_where_it_is_said() -> None:
    with kernels_at_once():
        one = Traced(changes, NumPyCalls(None, fuse=False), warmup=0)
        for _ in range(3):
            one(np.ones(4), np.ones(4))
        assert one.programs()
        assert kernels(one) == 0


@pytest.mark.parametrize(("columns", "end"), [(16, "16"), (63, "63"), (64, "n1")])
def test_the_compiler_knows_the_length_of_short_loops_over_bytes(columns: int, end: str) -> None:
    """Left in the dark, it may choose vectors of 64 truth values, and so compute all of them one by one."""
    bodies: set[str] = set()

    def noted(kernel: Any) -> str:
        bodies.add(body := c_body(kernel))
        return body

    x = np.ones((3, 2 * columns), np.float32)[:, :columns]  # rows that do not follow each other
    with kernels_at_once(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(c_kernels, "c_body", noted)
        one = traced(lambda x, y: (x > y) & (y > 0.5))
        for _ in range(3):
            one(x, x + 1)
    [body] = bodies
    assert f"i1 < {end};" in body
