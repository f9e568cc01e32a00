"""Rewritings of a trace that leave fewer calls: which are taken, and that they keep the bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from legs import kernels_at_once

from portanet.backends.numpy_calls import NumPyCalls
from portanet.nn import LayerNorm
from portanet.tracing import Op, Trace, Traced, passes
from portanet.xp import namespace

X = np.random.default_rng(0).normal(size=(9, 40)).astype(np.float32)
Y = np.random.default_rng(1).normal(size=(9, 40)).astype(np.float32)


class Launches(NumPyCalls):
    """NumPy as if each call were a launch on a device."""

    launches = True


def traced(function: Callable[..., Any], library: NumPyCalls) -> list[Op]:
    """The calls with kernels."""
    trace = Trace(library)
    trace.run(function, (X.copy(), Y.copy()))
    return [op for op in passes.fewest_calls(passes.dead_code(trace.ops), library) if op.is_call and not op.is_view]


def names(function: Callable[..., Any], library: NumPyCalls) -> list[str]:
    return [str(op.kernel) if op.is_fused else op.name for op in traced(function, library)]


def divided(x: Any, y: Any) -> Any:
    """A number for each row that two kernels read, with a product between them."""
    xp = namespace(x)
    deviation = xp.sqrt(xp.max(x, axis=1, keepdims=True) + 1.0)
    z = x / deviation - y
    return ((z @ y.T) @ y - z) / deviation


def test_a_number_for_each_row_is_computed_in_each_kernel_that_reads_it() -> None:
    assert names(divided, NumPyCalls(None)) == [
        "max", "add+sqrt", "divide+subtract", "product", "product", "subtract+divide",
    ]  # fmt: skip
    assert names(divided, Launches(None)) == [
        "max", "add+sqrt+divide+subtract", "product", "product", "subtract+add+sqrt+divide",
    ]  # fmt: skip


def divided_and_changed(x: Any, y: Any) -> Any:
    """What the number for each row is computed from is another one when it is read again."""
    xp = namespace(x)
    highest = xp.max(x, axis=1, keepdims=True)
    deviation = xp.sqrt(highest + 1.0)
    z = x / deviation - y
    highest[0, ...] = 0.0
    return ((z @ y.T) @ y - z) / deviation, highest


def means(x: Any, y: Any) -> Any:
    """As in the backward pass of LayerNorm."""
    xp = namespace(x)
    dnormal = x * y
    dx = dnormal - xp.mean(dnormal, axis=1, keepdims=True)
    return dx - x * xp.mean(dnormal * x, axis=1, keepdims=True)


def test_two_reductions_are_one() -> None:
    assert names(means, NumPyCalls(None)) == ["multiply+multiply", "mean", "mean", "subtract+multiply+subtract"]
    kernel, concat, mean, last = traced(means, Launches(None))
    assert [str(kernel.kernel), concat.name, mean.name, str(last.kernel)] == [
        "multiply+multiply", "concat", "mean", "subtract+multiply+subtract",
    ]  # fmt: skip
    assert mean.operands[0].shape == (2, 9, 40)
    assert passes.calls([kernel, concat, mean, last]) == 3  # both are written where they belong in the vector


def after(change: Callable[[Any, Any, Any, Any], Any], **settings: Any) -> Callable[..., Any]:
    """A function of two means, which ends with `change(a, b, mean of a, mean of b)`."""

    def function(x: Any, y: Any) -> Any:
        mean = namespace(x).mean
        a, b = x * y + 1.0, x - y * 2.0
        return change(a, b, mean(a, **settings), mean(b, **settings))

    return function


def set_to_two(a: Any, b: Any, p: Any, q: Any) -> Any:
    a += 2.0
    return a, b, p, q


def scaled(a: Any, b: Any, p: Any, q: Any) -> Any:
    p *= 2.0
    return a * p, b * q


def in_turn(x: Any, y: Any) -> Any:
    """The second needs the first."""
    xp = namespace(x)
    a = x * y + 1.0
    b = a - xp.mean(a, axis=1, keepdims=True)
    return b / xp.sqrt(xp.mean(b * b, axis=1, keepdims=True) + 0.5)


KEPT = {"axis": 1, "keepdims": True}
FUNCTIONS: dict[str, tuple[Callable[..., Any], bool]] = {
    "rows": (divided, True),
    "rows, then changed": (divided_and_changed, False),
    "means": (means, True),
    "read later": (after(lambda a, b, p, q: (a - p, b * q), **KEPT), True),
    "returned": (after(lambda a, b, p, q: (a, p, b, q), **KEPT), True),
    "axes": (after(lambda a, b, p, q: (p, q), axis=(-1,)), True),
    "negative axis": (after(lambda a, b, p, q: p * q, axis=-1), True),
    "changed": (after(set_to_two, **KEPT), False),
    "results changed": (after(scaled, **KEPT), False),
    "views": (after(lambda a, b, p, q: (a.T, p.T, b, q), **KEPT), False),
    "all numbers": (after(lambda a, b, p, q: (p, q)), False),
    "one after the other": (in_turn, False),
}


@pytest.mark.parametrize(("function", "fewer"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_bits(function: Callable[..., Any], fewer: bool) -> None:
    assert (passes.calls(traced(function, Launches(None))) < passes.calls(traced(function, NumPyCalls(None)))) == fewer
    with kernels_at_once():
        one = Traced(function, Launches(None), warmup=0)
        for sign in (1, -1, 2):
            expected = function(X * sign, Y.copy())
            for _ in range(2):
                given = X * sign, Y.copy()
                for array, other in zip(flat(one(*given)), flat(expected), strict=True):
                    assert array.tobytes() == other.tobytes()
                assert (given[0] == X * sign).all()
        assert one.programs()


def flat(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def test_layer_norm_takes_eight_launches() -> None:
    layer = LayerNorm()
    params = {"scale": X[0].copy(), "shift": Y[0].copy()}

    def function(x: Any, dy: Any, params: Any) -> Any:
        y, cache = layer.forward(params, x, train=True)
        return y, layer.backward(params, cache, dy)

    trace = Trace(library := Launches(None))
    trace.run(function, (X.copy(), Y.copy(), params))
    assert passes.calls(passes.fewest_calls(passes.dead_code(trace.ops), library)) == 8
