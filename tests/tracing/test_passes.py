"""Each pass alone: the ops that go in, and those that come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from portanet.backends.numpy_calls import NumPyCalls
from portanet.tracing import Op, Trace, passes, show
from portanet.xp import namespace

SQUARE = np.arange(9.0).reshape(3, 3)
LIBRARY = NumPyCalls(None)


def traced(function: Callable[..., Any], *args: Any, dynamic: set[int] | None = None) -> list[Op]:
    """The ops of a function; by default every argument is another array each time."""
    trace = Trace(LIBRARY)
    trace.run(function, args or (SQUARE.copy(),), dynamic)
    return trace.ops


def lines(ops: list[Op]) -> list[str]:
    return show(ops).splitlines()


def without(ops: list[Op], *names: str) -> list[str]:
    """The ops as text, some left out."""
    return lines([op for op in ops if op.name not in names])


def test_a_trace_is_inputs_calls_and_the_return() -> None:
    def function(tree: Any, word: str, rate: float) -> Any:
        x, y = tree["x"], tree["y"]
        y[0, 1:] = x[..., 0][:2]
        y -= x * rate
        return {"sum": namespace(x).sum(y, axis=1, keepdims=True)}, x.T

    ops = traced(function, {"x": SQUARE, "y": SQUARE.copy()}, "word", 0.5, dynamic={0})
    assert lines(ops) == [
        "%0 = input(0)",
        "%1 = input(1) -> same array",
        "%2 = input(3)",
        "%3 = getitem(%0, (..., 0))",
        "%4 = getitem(%3, :2)",
        "setitem(%1, (0, 1:), %4) -> %1",
        "%5 = multiply(%0, %2)",
        "subtract(%1, %5) -> %1",
        "%6 = sum(%1, axis=1, keepdims=True)",
        "%7 = T(%0)",
        "return(({'sum': %6}, %7))",
    ]


def test_nothing_is_changed_by_tracing() -> None:
    def function(x: Any) -> Any:
        x += 1.0
        return x * 2.0

    x, trace = SQUARE.copy(), Trace(LIBRARY)
    trace.run(function, (x,))
    trace.rewind()
    np.testing.assert_array_equal(x, SQUARE)
    assert trace.ops == []


def test_dead_code() -> None:
    def function(x: Any) -> Any:
        xp = namespace(x)
        unread = xp.exp(x)
        xp.log(unread)
        row = x[0, :]
        row += 1.0  # an argument is changed, through a view
        y = x * 2.0
        part = y[1, :]
        part *= 3.0  # and a result is
        return y

    ops = traced(function)
    before = lines(ops)
    assert lines(passes.dead_code(ops)) == [
        "%0 = input(0)",
        "%3 = getitem(%0, (0, :))",
        "add(%3, 1.0) -> %3",
        "%4 = multiply(%0, 2.0)",
        "%5 = getitem(%4, (1, :))",
        "multiply(%5, 3.0) -> %5",
        "return(%4)",
    ]
    assert lines(ops) == before


def test_constants() -> None:
    def function(x: Any, rate: Any) -> Any:
        xp = namespace(x)
        places = xp.arange(3)
        changed = xp.zeros((3,))
        turned = xp.flip(xp.astype(places, x.dtype))
        changed += 1.0
        return turned * 2.0, changed, turned * rate, xp.ones((3,)) + x

    assert without(passes.constants(traced(function, SQUARE, 0.5)), "input", "return") == [
        "%2 = arange(3) -> constant",
        "%3 = zeros((3))",
        "%4 = astype(%2, dtype('float64')) -> constant",
        "%5 = flip(%4) -> constant",
        "add(%3, 1.0) -> %3",
        "%6 = multiply(%5, 2.0) -> constant",
        "%7 = multiply(%5, %1)",
        "%8 = ones((3)) -> constant",
        "%9 = add(%8, %0)",
    ]


def test_a_value_that_is_changed_and_not_read_again_is_not_constant() -> None:
    """In the trace it holds what it was changed to."""

    def function(x: Any) -> Any:
        half = namespace(x).full((3,), 0.5)
        y = x + half
        half *= 0.0
        return y

    ops = passes.dead_code(passes.constants(traced(function)))
    assert without(ops, "input", "return") == ["%1 = full((3), 0.5)", "%2 = add(%0, %1)"]


def test_vectors() -> None:
    def function(x: Any) -> Any:
        xp = namespace(x)
        matrix, row, read = xp.exp(x), xp.tanh(x[0, :]), xp.sqrt(x[1, :])
        vector = xp.concat([xp.reshape(matrix, (-1,)), row, read, x[2, :]])
        return vector, read

    ops = passes.vectors(traced(function), LIBRARY)
    assert [line for line in lines(ops) if "->" in line] == [
        "%1 = exp(%0) -> %8[0:9]",  # through the reshape, which is a view
        "%3 = tanh(%2) -> %8[9:12]",
    ]


@pytest.mark.parametrize(
    "pieces",
    [
        lambda xp, x: [xp.exp(x[0, :])] * 2,  # twice in it
        lambda xp, x: [xp.exp(x)[0, :], x[0, :]],  # a part of a result
        lambda xp, x: [xp.flip(xp.exp(x[0, :])), x[0, :]],  # in another order
        lambda xp, x: [xp.astype(x[0, :], xp.float32), x[0, :]],  # of another dtype
        lambda xp, x: [xp.exp(x), x],  # matrices
    ],
)
def test_what_a_vector_does_not_take(pieces: Any) -> None:
    ops = traced(lambda x: namespace(x).concat(pieces(namespace(x), x)))
    assert lines(passes.vectors(ops, LIBRARY)) == lines(ops)


def test_buffers() -> None:
    def function(x: Any) -> Any:
        xp = namespace(x)
        a = x @ x
        b = a + x  # a is not read again
        c = xp.exp(b)
        d = xp.sum(c, axis=0)
        e = c @ x  # not elementwise: in another array than c
        return e + d, c[0, :]

    assert without(passes.buffers(traced(function), LIBRARY), "input", "return") == [
        "%1 = product(%0, %0) -> buffer 0",
        "%2 = add(%1, %0) -> buffer 0",
        "%3 = exp(%2) -> buffer 0",
        "%4 = sum(%3, axis=0) -> buffer 1",
        "%5 = product(%3, %0) -> buffer 2",
        "%6 = add(%5, %4) -> buffer 2",
        "%7 = getitem(%3, (0, :))",
    ]


def test_buffers_are_taken_again_when_they_are_free() -> None:
    def function(x: Any) -> Any:
        total = x @ x
        for _ in range(3):
            total += (x @ x) @ x
        return total

    ops = passes.buffers(traced(function), LIBRARY)
    assert {str(op.out) for op in ops if op.name == "product"} == {"buffer 0", "buffer 1", "buffer 2"}


def test_an_argument_that_is_read_later_keeps_its_buffer() -> None:
    def function(x: Any) -> Any:
        y = x @ x
        z = y + x
        return z - y

    assert without(passes.buffers(traced(function), LIBRARY), "input", "return") == [
        "%1 = product(%0, %0) -> buffer 0",
        "%2 = add(%1, %0) -> buffer 1",
        "%3 = subtract(%2, %1) -> buffer 1",
    ]


def test_an_argument_that_is_read_through_a_view_keeps_its_buffer() -> None:
    def function(x: Any) -> Any:
        y = x @ x
        return y + y.T

    assert without(passes.buffers(traced(function), LIBRARY), "input", "return") == [
        "%1 = product(%0, %0) -> buffer 0",
        "%2 = T(%1)",
        "%3 = add(%1, %2) -> buffer 1",
    ]


def test_vectors_have_buffers_from_the_start() -> None:
    def function(x: Any) -> Any:
        xp = namespace(x)
        row = xp.exp(x[0, :])
        return xp.concat([row, x[1, :] * 2.0])

    ops = passes.buffers(passes.vectors(traced(function), LIBRARY), LIBRARY)
    assert [(op.name, str(op.out)) for op in ops if op.out] == [
        ("exp", "%5[0:3]"),
        ("multiply", "%5[3:6]"),
        ("concat", "buffer 0"),
    ]


def test_what_a_library_cannot_write_is_a_variable() -> None:
    """NumPy takes rows into an array only where it need not look whether they are there."""

    def function(x: Any, rows: Any) -> Any:
        xp = namespace(x)
        return xp.take(x[0, :], rows, axis=0), xp.take(x, xp.asarray([0, 2]), axis=0), xp.argsort(x, axis=0)

    ops = passes.buffers(passes.constants(traced(function, SQUARE, np.asarray([0, 1]))), LIBRARY)
    assert [str(op.out) for op in ops if op.name in ("take", "argsort")] == ["None", "buffer 0", "None"]


def test_views() -> None:
    def function(weight: Any, x: Any) -> Any:
        y = x @ weight.T
        return y[0, :] * 1.0, x.T @ y

    ops = traced(function, SQUARE, SQUARE, dynamic={1})
    assert without(passes.views(passes.buffers(ops, LIBRARY)), "input", "return") == [
        "%2 = T(%0) -> view",
        "%3 = product(%1, %2) -> buffer 0",
        "%4 = getitem(%3, (0, :)) -> view",
        "%5 = multiply(%4, 1.0) -> buffer 1",
        "%6 = T(%1)",
        "%7 = product(%6, %3) -> buffer 2",
    ]
    assert not [line for line in lines(passes.views(ops)) if "product" in line and "->" in line]


def test_passes_leave_their_input_alone() -> None:
    def function(x: Any) -> Any:
        xp = namespace(x)
        return xp.concat([xp.exp(x[0, :]), xp.arange(3.0)]) * 2.0

    ops = traced(function)
    before = lines(ops)
    assert lines(passes.optimize(ops, LIBRARY)) != before
    assert lines(ops) == before
