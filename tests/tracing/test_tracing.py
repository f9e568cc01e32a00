"""Functions that are traced and replayed: whatever they do with their arrays, they do it again each time.

That every layer, loss and optimizer gives the same bits is what the legs named -traced show; see legs.py.
"""

from __future__ import annotations

import functools
import random
import threading
from collections import OrderedDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import Host
from legs import Leg

import portanet
from portanet import fit, nn, optim
from portanet._tree import flatten, tree_items
from portanet.backends import Backend, numpy_calls
from portanet.backends.base import untraced
from portanet.backends.numpy import NumPy
from portanet.backends.numpy_calls import NumPyCalls
from portanet.tracing import Traced
from portanet.training.steps.shards import workers
from portanet.xp import namespace

X = np.arange(6.0).reshape(2, 3)
SQUARE = np.arange(9.0).reshape(3, 3)
LONG = np.sin(np.arange(2800.0)).reshape(70, 40)
WIDE = LONG.T.copy()


def traced(function: Callable[..., Any], **settings: Any) -> Traced:
    return Traced(function, NumPyCalls(workers(1).run_pair), **{"warmup": 0, **settings})


def copied(*arrays: Any) -> list[Any]:
    return [array.copy() if isinstance(array, np.ndarray) else array for array in arrays]


def same(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found, expected, strict=True)


def times(x: Any, factor: Any) -> Any:
    return namespace(x).exp(x) * factor + 1.0


def starts_from_zeros(x: Any) -> Any:
    xp = namespace(x)
    total = xp.zeros((3, 3), dtype=x.dtype)
    total += x
    total[0, :] = total[1, :]
    return total


def adds_its_transpose(x: Any) -> Any:
    y = x * 2.0
    return y + y.T


def adds_a_part_of_itself(x: Any) -> Any:
    y = x * 2.0
    return y[1:, :] + y[:-1, :], y


def goes_on_with_a_piece(x: Any) -> Any:
    xp = namespace(x)
    first, second = xp.exp(x[0, :]), xp.log(x[1, :] + 1.0)
    both = xp.concat([first, second, x[0, :]])
    both *= 2.0
    return both, first + second


def puts_parts_together_twice(x: Any) -> Any:
    xp = namespace(x)
    part = xp.exp(x[0, :])
    return xp.concat([part, x[1, :]]), xp.concat([x[2, :], part])


def puts_a_part_of_a_result_together(x: Any) -> Any:
    xp = namespace(x)
    return xp.concat([xp.exp(x)[0, :], x[1, :]])


def puts_transposes_together(x: Any) -> Any:
    xp = namespace(x)
    turned = xp.exp(x.T)
    rows, columns = xp.reshape(turned, (-1,)), xp.reshape(turned.T, (-1,))
    return xp.concat([rows, xp.reshape(xp.exp(x), (-1,))]), xp.concat([columns, x[0, :]])


def puts_a_part_together_with_itself(x: Any) -> Any:
    xp = namespace(x)
    part = xp.exp(x[0, :])
    return xp.concat([part, part])


def puts_a_part_together_backwards(x: Any) -> Any:
    xp = namespace(x)
    return xp.concat([xp.flip(xp.exp(x[0, :])), x[1, :]])


def changes_a_view(x: Any) -> Any:
    row = x[0, :]
    row += 1.0
    row[1:] = row[:1] * 2.0
    line = namespace(x).reshape(x, (-1,))
    line *= 3.0
    return x * 2.0


def gathers_from_the_end(x: Any) -> Any:
    xp = namespace(x)
    computed = xp.astype(x[0, :] - 3.0, xp.int32)
    return xp.take(x, xp.asarray([-1, 0]), axis=0), xp.take(x, computed, axis=0)


def has_a_value_that_is_not_read(x: Any) -> Any:
    namespace(x).exp(x)
    return x + 1.0


def returns_what_it_was_given(x: Any) -> Any:
    return x, x[0, :], {"x": x}


def adds_to_numbers(x: Any) -> Any:
    total = namespace(x).sum(x)
    before = total + 0.0
    total += 1.0
    return total, before


def squares(x: Any) -> Any:
    return x**2, x**0.5, 2.0 - x, x @ x


def counts(x: Any) -> Any:
    xp = namespace(x)
    return xp.sum(xp.astype(x > 2.0, xp.int32)), xp.argmax(x, axis=1) == xp.asarray([0, 1, 2])


def changes_a_constant_that_was_read(x: Any) -> Any:
    xp = namespace(x)
    half = xp.full((3, 3), 0.5, dtype=x.dtype)
    chosen = xp.where(x > 3.0, half, x)
    half *= x
    return chosen


def goes_on_with_a_list(x: Any) -> Any:
    rows = [x[0, :] * 2.0, x[1, :]]
    first = namespace(x).stack(rows)
    rows.append(x[2, :])
    return first, namespace(x).stack(rows)


def puts_matrices_together(x: Any) -> Any:
    return namespace(x).concat([namespace(x).exp(x), x], axis=None)


def multiplies_in_place(x: Any) -> Any:
    turned, lying = namespace(x).flip(x * 2.0), (x * 2.0).T
    turned @= x
    lying @= x
    return turned, lying


def joins_answers(x: Any) -> Any:
    xp = namespace(x)
    inside = xp.all(x >= 0.0)
    inside &= xp.all(x < 9.0)
    return inside


def mixes_dtypes(x: Any) -> Any:
    xp = namespace(x)
    single = xp.astype(x, xp.float32)
    single += x / 3.0
    return xp.multiply(single, xp.sum(x / 3.0)), xp.matmul(single, x), xp.concat([single[0, :], x[0, :]])


def multiplies_by_odd_layouts(x: Any) -> Any:
    xp = namespace(x)
    y = xp.exp(xp.reshape(xp.arange(289, dtype=x.dtype) / 289.0, (17, 17))) * x[1, 1]
    return y[:1, :] @ xp.flip(y), y[3:4, :-1] @ y.T[:-1, :], xp.flip(y) @ y[:, 5:6]


def puts_products_together(x: Any) -> Any:
    """Some BLAS give other bits where a product does not start as an array of its own does."""
    xp = namespace(x)
    y = xp.reshape(xp.sin(xp.arange(1700, dtype=x.dtype)), (17, 100)) * x[1, 1]
    pieces = [x[0, :], *[xp.reshape(y[:, :end].T @ (y / end), (-1,)) for end in (5, 17, 64)]]
    return xp.concat(pieces)


FUNCTIONS = [
    starts_from_zeros, adds_its_transpose, adds_a_part_of_itself, goes_on_with_a_piece, puts_parts_together_twice,
    puts_a_part_of_a_result_together, puts_transposes_together, puts_a_part_together_with_itself,
    puts_a_part_together_backwards, changes_a_view, gathers_from_the_end, has_a_value_that_is_not_read,
    returns_what_it_was_given, adds_to_numbers, squares, counts, changes_a_constant_that_was_read, goes_on_with_a_list,
    puts_matrices_together, multiplies_in_place, joins_answers, mixes_dtypes, multiplies_by_odd_layouts,
    puts_products_together,
]  # fmt: skip


every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)


@every_function
def test_the_same_each_time(function: Callable[..., Any]) -> None:
    """With the arrays that it was traced with, then with others, and what was returned before stays."""
    one, first, kept, programs = traced(function), SQUARE.copy(), [], []
    for given in (first, first, *(SQUARE.copy() for _ in range(3))):
        kept.append((one(given), function(SQUARE.copy())))
        given[...] = SQUARE
        programs.append(one.programs())
        for found, expected in kept:
            for a, b in zip(flatten([found], []), flatten([expected], []), strict=True):
                same(a, SQUARE if a is given else b)
    assert [len(each) for each in programs] == [1] * 5
    assert programs[0] == programs[1] != programs[2] == programs[3] == programs[4]


@every_function
def test_the_same_bits_on_every_library(backend: Backend, function: Callable[..., Any]) -> None:
    if backend.tracer() is untraced:
        assert backend.name in ("strict", "jax")
    else:
        Leg(f"{backend.name}-traced", backend).run(function, backend.put(SQUARE))


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ([nn.Flatten(), nn.Dense(130), nn.ReLU(), nn.Dropout(0.2), nn.Dense(10)], 100),
        ([nn.Conv2D(8, 5), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2D(), nn.Flatten(), nn.Dense(10)], 30),
        ([nn.Flatten(), nn.Dense(10)], "full"),
    ],
    ids=["products in halves", "convolution", "full"],
)  # fmt: skip
def test_a_training_has_the_same_bits_traced_or_not(
    monkeypatch: pytest.MonkeyPatch, layers: list[nn.Layer], size: Any
) -> None:
    """So it does not matter at which step a training was interrupted, and is traced again."""
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (250, 1, 28, 28)).astype(np.uint8), rng.integers(0, 10, 250)
    found = set()
    for after in (0, 2, 10**9):
        tracer = functools.partial(Traced, library=NumPyCalls(workers(2).run_pair), warmup=after)
        monkeypatch.setattr(NumPy, "tracer", lambda self, run_pair, tracer=tracer: tracer)
        run = fit(
            nn.Sequential(nn.Rescale(1 / 255), *layers),
            x,
            labels,
            batch_size=size,
            epochs=3,
            optimizer=optim.AdamW(),
            backend="numpy",
        )
        found.add(b"".join(array.tobytes() for _, array in tree_items(run.params)))
    assert len(found) == 1


def test_the_same_weights_with_tracing_and_without(backend: Backend) -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(120, 6)).astype(np.float32), rng.integers(0, 3, 120)
    model = nn.Sequential(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2), nn.Dense(3))
    bits = set()
    for trace in (True, False):
        chosen = portanet.choose(backend.name, trace=trace)
        run = fit(model, x, labels, batch_size=24, epochs=8, optimizer=optim.AdamW(), backend=chosen)
        bits.add(b"".join(chosen.to_numpy(array).tobytes() for _, array in tree_items(run.params)))
    assert len(bits) == 1


def test_calls_are_watched_first() -> None:
    """Arrays that are others each time are known when it is traced, so it is traced once."""
    weight, one = SQUARE.copy(), Traced(lambda x, weight: x @ weight, NumPyCalls(None), warmup=3)
    for number in range(8):
        same(one(SQUARE + number, weight), (SQUARE + number) @ weight)
        assert len(one.programs()) == (number >= 3)
        if number == 3:
            [program] = one.programs()
    assert one.programs() == [program]
    assert list(program.fixed) == [1]


def test_powers() -> None:
    x = np.random.default_rng(0).uniform(0, 9, 10_000).astype(np.float32)
    one = traced(lambda x: (x**2, x**0.5, x**3, x**-1))
    for found, expected in zip(one(x), (x**2, x**0.5, x**3, x**-1), strict=True):
        same(found, expected)


def test_the_emitted_code() -> None:
    """Straight code: no call whose result nobody reads, and none for what is always the same."""

    def function(x: Any, weight: Any, rate: Any) -> Any:
        xp = namespace(x)
        places = xp.astype(xp.arange(3), x.dtype) * 2.0
        xp.exp(x)
        weight -= (x + places) * (rate * 0.5)
        return weight, rate * 2.0

    one = traced(function)
    x, weight = copied(X, X)
    for rate in (0.5, 1.5):
        expected = weight - (x + 2.0 * np.arange(3)) * (rate * 0.5)
        assert one(x, weight, rate)[0] is weight
        same(weight, expected)
    [program] = one.programs()
    lines = [line.strip() for line in program.source.splitlines()]
    assert lines[1:-1] == [
        "def replay(a0, a1, a2):",
        "add(c0, c1, out=c2)",
        "v8 = mul(a2, c4)",
        "multiply(c2, v8, out=c2)",
        "subtract(c7, c2, out=c7)",
        "v10 = mul(a2, c9)",
        "return (a1, v10, )",
    ]


def test_signatures() -> None:
    """Another shape, dtype, word or missing array is traced by itself; another number or array is not."""

    def function(x: Any, other: Any, rate: Any, *, sign: int = 1) -> Any:
        return sign * x * rate if other is None else sign * x * rate + other

    one = traced(function)
    cases: list[tuple[Any, Any, Any, int]] = [
        (X, None, 1.0, 1), (X, None, 2.0, 1), (X + 1, None, 2.0, 1), (X, X, 2.0, 1), (X[:1], X[:1], 2.0, 1),
        (X.astype(np.float32), None, 2.0, 1), (X, None, 2, 1), (X, None, 2.0, -1), (X, None, 3.0, 1),
        (X, X + 1, 5.0, 1),
    ]  # fmt: skip
    for _ in range(2):
        for *arguments, sign in cases:
            same(one(*copied(*arguments), sign=sign), function(*copied(*arguments), sign=sign))
    assert len(one.programs()) == 6


@pytest.mark.parametrize(
    ("function", "cases"),
    [
        (lambda x, word: x * 2.0 if word == "a" else x * 3.0, [(X, "a"), (X, "b")]),
        (lambda x, flag: x * 2.0 if flag else x * 3.0, [(X, True), (X, False)]),
        (lambda d: d["a"] - d["b"], [({"a": X, "b": X + 1},), ({"b": X + 2, "a": X},), ({"b": X, "a": X * 3},)]),
        (lambda d, rate: d["a"] * rate, [(OrderedDict(a=X), 2.0), (OrderedDict(a=X + 1), 3.0)]),
        (
            lambda a, b: a[0] - b if isinstance(a, tuple) else a * b[0],
            [((X,), X + 1), (X, (X + 2,)), ((X + 3,), X), (X + 4, (X,))],
        ),
        (lambda x: namespace(x).sum(namespace(x).exp(x)), [(LONG.T,), (LONG.T + 1,), (WIDE,), (WIDE + 1,)]),
    ],
)
def test_what_else_makes_another_kind(function: Callable[..., Any], cases: list[Any]) -> None:
    """Words, the tree that holds the arrays, and their layout, on which a sum's bits depend."""
    one = traced(function)
    for given in cases * 3:
        same(one(*given), function(*given))


def test_what_holds_the_arrays_is_told_apart() -> None:
    """A tuple from a longer one, from a list, and a dict from one with more names or others."""

    def function(tree: Any) -> Any:
        total = 1.0 if isinstance(tree, list) else 2.0 if isinstance(tree, tuple) else 3.0
        for number, branch in enumerate(tree.values() if isinstance(tree, dict) else tree):
            total = branch * (number + 1.0) + total
        return total

    one = traced(function)
    for _ in range(2):
        for tree in (
            (X,),
            (X, X),
            [X, X],
            [X],
            {"a": X},
            {"a": X, "b": X},
            {"b": X, "a": X + 1.0},
            {"b": X},
            (X, X, X),
        ):
            same(one(tree), function(tree))
    assert len(one.programs()) == 9


def test_names_and_types_of_words_are_told_apart() -> None:
    one = traced(lambda x, *, a=0, b=0: x * a - b)
    whole = np.arange(3)
    for words in ({"a": 1}, {"b": 1}, {"a": 1.0}, {"a": True}) * 2:
        same(one(whole, **words), whole * words.get("a", 0) - words.get("b", 0))


def test_a_reshape_that_is_a_view_of_some_layouts() -> None:
    def function(x: Any) -> Any:
        line = namespace(x).reshape(x, (-1,))
        line *= 2.0
        return x + 0.0

    one = traced(function)
    for make in (lambda: LONG.T.copy("K"), lambda: WIDE.copy()) * 2:
        for _ in range(3):
            same(one(make()), function(make()))


def test_new_kinds_are_not_traced_without_end() -> None:
    one = traced(lambda x: x * 2.0)
    for size in range(200):
        same(one(np.ones(size)), np.full(size, 2.0))
    assert len(one.programs()) < 100


def test_what_fails_once_is_traced_for_other_arguments() -> None:
    one = traced(lambda x, y: x + y)
    with pytest.raises(ValueError, match="broadcast"):
        one(X, np.ones(5))
    same(one(X, X), X + X)
    assert len(one.programs()) == 1


def test_reused_arrays() -> None:
    """The caller may do with them what it likes, until the next call."""

    def function(x: Any) -> Any:
        xp = namespace(x)
        return (xp.exp(x), xp.ones((3,), dtype=x.dtype), x, x[0, :]), xp.exp(x) + 1.0

    one, given = traced(function, reused=0), X.copy()
    first, kept = one(given)
    for array in (first[0], first[1], first[3]):
        array *= 7.0
    again, _ = one(given)
    assert again[0] is first[0]
    for found, expected in zip(again, function(X)[0], strict=True):
        same(found, expected)
    same(kept, np.exp(X) + 1.0)
    assert again[2] is given


def test_what_is_reused_and_returned_too_is_kept() -> None:
    def function(x: Any) -> Any:
        y = x * 2.0
        return (y,), y

    one = traced(function, reused=0)
    _, kept = one(X)
    one(X + 1.0)
    same(kept, X * 2.0)


def test_arrays_from_elsewhere() -> None:
    """A function with noise of its own gives new noise each time."""
    rng = np.random.default_rng(0)

    def function(x: Any) -> Any:
        return x * rng.uniform(size=(2, 3))

    for one in (traced(function), traced(lambda x: rng.uniform(size=3))):
        assert one(X).tobytes() != one(X).tobytes()
        assert one.programs() == []


def writes_into_a_result(x: Any) -> Any:
    xp = namespace(x)
    total = x * 1.0
    xp.exp(x, out=total)
    return total


def copies_into_a_result(x: Any) -> Any:
    total = x * 1.0
    namespace(x).copyto(total, x + 3.0)
    return total


@pytest.mark.parametrize(
    "function",
    [
        np.sum, np.asarray, writes_into_a_result, copies_into_a_result,
        lambda x: x[x > 2.0] * 2.0, lambda x: namespace(x).nonzero(x)[0], lambda x: namespace(x).unstack(x[:1, :])[0],
    ],
)  # fmt: skip
def test_what_cannot_be_traced_is_called_plainly(function: Callable[..., Any]) -> None:
    one = traced(function)
    for given in (X, X, X - 1.0, X - 2.0):
        same(one(given), function(given))
    assert one.programs() == []


def test_a_number_that_is_a_shape_or_an_axis() -> None:
    def function(x: Any, number: Any) -> Any:
        return namespace(x).zeros((number, 3)) + x

    one = traced(function)
    for number in (1, 2, 1):
        same(one(X[:1], number), function(X[:1], number))
    by_axis = traced(lambda x, axis: namespace(x).sum(x, axis=axis) * 2.0)
    for axis in (0, 1, 0):
        same(by_axis(SQUARE, axis), SQUARE.sum(axis=axis) * 2.0)


def test_a_row_by_number_of_an_array_that_is_written_again() -> None:
    def function(x: Any, number: Any) -> Any:
        return (x * 2.0)[number, :], namespace(x).zeros((3, 2))[number, :]

    one, kept = traced(function), []
    for number, x in enumerate((SQUARE, SQUARE + 1.0, SQUARE + 2.0)):
        kept.append((one(x, number), x))
        kept[-1][0][1][...] = 7.0
    for number, ((row, _), x) in enumerate(kept):
        same(row, x[number] * 2.0)
    same(one(SQUARE, 0)[1], np.zeros(2))


def test_numbers_of_the_library() -> None:
    """NumPy's numbers have a shape and a dtype, but cannot be changed in place."""

    def function(x: Any) -> Any:
        x += 1.0
        return x * 2.0

    one = traced(function)
    for given in (np.float64(1.0), np.float64(2.0), np.asarray(3.0), np.asarray(4.0), np.float64(5.0)):
        same(one(given.copy()), function(given.copy()))


class Matrix(np.ndarray[Any, Any]):
    """Whose * is @, as in numpy.matrix."""

    def __mul__(self, other: Any) -> Any:
        return np.asarray(self) @ np.asarray(other)


def test_classes_of_their_own_rules() -> None:
    one = traced(lambda x: x * x)
    for given, expected in ((SQUARE.view(Matrix), SQUARE @ SQUARE), (SQUARE, SQUARE * SQUARE)) * 2:
        same(one(given), expected)


def test_arguments_that_share_memory_unseen() -> None:
    """Tracing is undone in whatever order they were changed."""

    def function(a: Any, b: Any) -> Any:
        a += 1.0
        b *= 2.0
        return a + b

    found, expected = (bytearray(X.tobytes()) for _ in range(2))
    same(
        traced(function)(np.frombuffer(found), np.frombuffer(found)),
        function(np.frombuffer(expected), np.frombuffer(expected)),
    )
    assert found == expected


def test_traced_functions_inside_a_traced_function() -> None:
    inner = traced(times)
    outer = traced(lambda x: inner(x, 2.0) * 3.0)
    for x in (X, X + 1.0, X + 2.0):
        same(outer(x), times(x, 2.0) * 3.0)
        same(inner(x, 2.0), times(x, 2.0))
    assert len(outer.programs()) == 1


def test_keys_that_are_no_words() -> None:
    one = traced(lambda x: {np.int64(1): x * 2.0, (2, None): x})
    for _ in range(2):
        same(one(X)[1], X * 2.0)


@pytest.mark.parametrize("size", [9, 5000, 70_003])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("least", [0.0, -0.0, 1.0, float("nan")])
def test_the_sign_of_zero(size: int, dtype: str, least: float) -> None:
    x = np.resize(np.asarray([-0.0, 0.0, np.nan, -np.nan, 2.0, -2.0, np.inf, -np.inf, 0.5]), size).astype(dtype)

    def function(x: Any) -> Any:
        return namespace(x).maximum(x, least)

    assert traced(function)(x).tobytes() == function(x).tobytes()


def test_large_products_in_place() -> None:
    def function(x: Any, y: Any) -> Any:
        x @= y
        return x * 1.0

    a, b = product((100, 1000, 1000))
    expected = function(a.copy(), b)
    same(traced(function)(a, b), expected)
    same(a, expected)


def test_a_function_that_is_not_the_same_twice_is_called_plainly() -> None:
    """Python's random numbers, and a clock, would be written into the code as they were."""
    noise, times = random.Random(0), iter(range(1000))
    for function in (lambda x: x * noise.random(), lambda x: x if next(times) % 2 else x + 1.0):
        one = traced(function)
        found = {one(X).tobytes() for _ in range(6)}
        assert len(found) > 1
        assert one.programs() == []


@pytest.mark.parametrize("read", [float, int, bool, list, len, lambda x: range(x)])
def test_a_function_that_reads_values(read: Any) -> None:
    called = []

    def function(x: Any, flag: Any) -> Any:
        called.append(x)
        x += 1.0
        read(flag)
        return x * 2.0

    one, given, expected = traced(function), X.copy(), X.copy()
    flag = np.asarray([1]) if read in (list, len) else np.asarray(1)
    for _ in range(3):
        same(one(given, flag), function(expected, flag))
        same(given, expected)
    assert one.programs() == []
    assert len(called) == 1 + 2 * 3  # the attempt, and each call here twice


def test_errors_are_the_functions_own() -> None:
    def function(x: Any, other: Any) -> Any:
        x += 1.0
        return x + other

    one, given = traced(function), X.copy()
    with pytest.raises(ValueError, match="broadcast"):
        one(given, np.ones(5))
    same(given, X + 1.0)


def test_gathering_beyond_the_end_is_refused_as_always() -> None:
    def function(x: Any, rows: Any) -> Any:
        return namespace(x).take(x, rows, axis=0)

    one = traced(function)
    same(one(X, np.asarray([1, 1])), X[[1, 1]])
    same(one(X, np.asarray([0, 1])), X)
    with pytest.raises(IndexError):
        one(X, np.asarray([0, 2]))


def test_threads_do_not_disturb_each_other() -> None:
    one, meeting = traced(times), threading.Barrier(2)
    found: dict[int, list[Host]] = {1: [], 2: []}

    def work(number: int) -> None:
        meeting.wait()
        found[number] = [one(X * number, float(i)) for i in range(200)]

    threads = [threading.Thread(target=work, args=[number]) for number in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, arrays in found.items():
        for i, array in enumerate(arrays):
            same(array, times(X * number, float(i)))


def product(shape: tuple[int, int, int]) -> tuple[Host, Host]:
    rng = np.random.default_rng(1)
    return rng.normal(size=shape[:2]).astype(np.float32), rng.normal(size=shape[1:]).astype(np.float32)


@pytest.mark.parametrize("shape", [(128, 784, 64), (65, 784, 129), (64, 3000, 63), (8, 8, 8)])
@pytest.mark.parametrize("transposed", [False, True])
def test_large_products_are_shared(shape: tuple[int, int, int], transposed: bool) -> None:
    """In halves by whoever, with the same bits."""
    a, b = product(shape)
    a = np.asarray(a.T, order="C").T if transposed else a
    calls = []

    def both(first: Callable[[], Any], second: Callable[[], Any]) -> None:
        calls.append(1)
        second()
        first()

    def function(a: Any, b: Any) -> Any:
        return namespace(a).matmul(a, b)

    ways = [both, workers(1).run_pair, workers(2).run_pair, None]
    found = [function(a, b), *(Traced(function, NumPyCalls(way), warmup=0)(a, b) for way in ways)]
    assert len({array.tobytes() for array in found}) == 1
    assert len(calls) == (1 if min(shape) >= 64 else 0)
    np.testing.assert_allclose(found[0], a.astype(np.float64) @ b, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("other_bits", [False, True])
def test_halves_of_one_thread_are_one_product_where_the_bits_are_equal(
    monkeypatch: pytest.MonkeyPatch, other_bits: bool
) -> None:
    def write(a: Host, b: Host, y: Host) -> None:
        np.add(a @ b, other_bits, out=y)

    monkeypatch.setattr(numpy_calls, "write_product", write)
    monkeypatch.setattr(numpy_calls, "_are_one", functools.cache(numpy_calls._are_one.__wrapped__))
    one = Traced(lambda a, b: namespace(a).matmul(a, b), NumPyCalls(None, fuse=False), warmup=0)
    a, b = product((128, 784, 64))
    one(a, b)
    [program] = one.programs()
    assert ("dot(" in program.source, program.source.count("matmul(c")) == ((False, 2) if other_bits else (True, 0))


def test_an_error_in_half_a_product() -> None:
    def both(first: Callable[[], Any], second: Callable[[], Any]) -> None:
        raise ValueError("nobody is there")

    with pytest.raises(ValueError, match="nobody"):
        Traced(lambda a, b: namespace(a).matmul(a, b), NumPyCalls(both), warmup=0)(*product((128, 784, 64)))


@pytest.mark.parametrize(("saved", "asked"), [(1, 116), (-1, 15)])
def test_halves_are_handed_over_only_where_that_is_faster(
    monkeypatch: pytest.MonkeyPatch, saved: int, asked: int
) -> None:
    """Found out in the first calls, by the time that each way takes: by a clock of our own."""
    now, calls = 0, []

    def clock() -> int:
        nonlocal now
        now += 1000
        return now

    def both(first: Callable[[], Any], second: Callable[[], Any]) -> None:
        nonlocal now
        calls.append(1)
        now -= saved

    monkeypatch.setattr("portanet.backends.trial.time", SimpleNamespace(perf_counter=clock))
    one = Traced(lambda a, b: namespace(a).matmul(a, b), NumPyCalls(both, fuse=False), warmup=0)
    a, b = product((128, 784, 128))
    for _ in range(131):
        one(a, b)
    assert len(calls) == asked


@pytest.mark.parametrize("larger_first", [False, True])
def test_a_step_hands_over_one_product_at_most(monkeypatch: pytest.MonkeyPatch, larger_first: bool) -> None:
    """The one that gains most: by a clock on which a hand-over saves a second for each column."""
    now, halves = 0, []

    def clock() -> int:
        nonlocal now
        now += 1000
        return now

    def together(first: Any, second: Any) -> None:
        nonlocal now
        halves.append(first.keywords["out"].shape)
        now -= first.keywords["out"].shape[1]
        first()
        second()

    monkeypatch.setattr("portanet.backends.trial.time", SimpleNamespace(perf_counter=clock))
    small, large = product((128, 784, 64)), product((128, 784, 100))
    given = (*large, *small) if larger_first else (*small, *large)

    def function(a: Any, b: Any, c: Any, d: Any) -> Any:
        return namespace(a).matmul(a, b), namespace(a).matmul(c, d)

    one = Traced(function, NumPyCalls(together, fuse=False), warmup=0)
    for _ in range(30):
        one(*given)
    assert len(halves) == 2 * 15
    for _ in range(10):
        one(*given)
    assert halves[30:] == [(64, 100)] * 10
