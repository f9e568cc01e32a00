"""Random functions, played with arrays they know and with others: the bits of the function, and what was kept stays.

A function is a list of numbers: each step takes what it needs of them, and is left out where NumPy refuses it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from portanet.backends.numpy_calls import NumPyCalls
from portanet.tracing import Traced
from portanet.training.steps.shards import workers
from portanet.xp import namespace

DTYPES = ["float32", "float64", "int32", "uint8", "bool"]
LAYOUTS: list[Callable[[Any], Any]] = [np.array, np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2]]
STEPS: list[Callable[..., Any]] = [
    operator.add, operator.mul, operator.sub, operator.matmul, operator.iadd, operator.imul, operator.isub,
    operator.imatmul, lambda a, b: a * 0.5, lambda a, b: a > b, lambda a, b: a.T, lambda a, b: a[1:, ...],
    lambda a, b: a[0, ...], lambda a, b: operator.iadd(a, 1), lambda a, b: operator.setitem(a, 0, b) or a,
    lambda a, b: operator.setitem(a, (slice(1, None), ...), 2) or a, lambda a, b: namespace(a).reshape(a, (-1,)),
    lambda a, b: namespace(a).flip(a, axis=0), lambda a, b: namespace(a).broadcast_to(a, (2, *a.shape)),
    lambda a, b: namespace(a).expand_dims(a, axis=0), lambda a, b: namespace(a).concat([a, b]),
    lambda a, b: namespace(a).concat([a, b, a], axis=None), lambda a, b: namespace(a).stack([a, b]),
    lambda a, b: namespace(a).take(a, namespace(a).asarray([1, 0]), axis=0), lambda a, b: namespace(a).where(b, a, b),
    lambda a, b: namespace(a).sum(a, axis=0), lambda a, b: namespace(a).max(a, axis=-1, keepdims=True),
    lambda a, b: namespace(a).sum(a), lambda a, b: namespace(a).argmax(a, axis=0), lambda a, b: namespace(a).exp(a),
    lambda a, b: namespace(a).maximum(a, 0.0), lambda a, b: namespace(a).astype(a, b.dtype, copy=False),
    lambda a, b: namespace(a).zeros_like(a), lambda a, b: namespace(a).full(a.shape, 0.5, dtype=b.dtype),
]  # fmt: skip


def function(steps: list[tuple[int, int, int]], returned: list[int]) -> Callable[..., Any]:
    def play(x: Any, y: Any) -> Any:
        found = [x, y]
        for step, first, second in steps:
            found.append(STEPS[step](found[first % len(found)], found[second % len(found)]))
        return {"x": tuple([found[place % len(found)] for place in returned])}, found[-1]

    return play


def works(steps: list[tuple[int, int, int]], arrays: Callable[[], list[Any]]) -> list[tuple[int, int, int]]:
    """The steps without those that NumPy refuses, or that make large arrays."""
    kept: list[tuple[int, int, int]] = []
    for step in steps:
        try:
            kept += [step] if np.size(function([*kept, step], [])(*arrays())[1]) < 500 else []
        except (TypeError, ValueError, IndexError):
            continue
    return kept


def bits(result: Any, arrays: list[Any]) -> list[Any]:
    return [(np.shape(one), one.dtype, one.tobytes()) for one in (*result[0]["x"], result[1], *arrays)]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_random_functions(data: st.DataObject) -> None:
    seed, shape = data.draw(st.integers(0, 99)), data.draw(st.sampled_from([(3, 3), (2, 3), (3,), (0, 3), (17, 17)]))
    kinds = [(data.draw(st.sampled_from(DTYPES)), data.draw(st.sampled_from(LAYOUTS))) for _ in range(2)]
    alike = data.draw(st.booleans())

    def arrays(more: int = 0) -> list[Any]:
        rng = np.random.default_rng(seed + more)
        x, y = (layout(np.asarray(rng.integers(0, 5, shape)).astype(dtype)) for dtype, layout in kinds)
        return [x, x[...] if alike else y]

    numbers = st.integers(0, 20)
    steps = works(data.draw(st.lists(st.tuples(st.integers(0, len(STEPS) - 1), numbers, numbers), max_size=12)), arrays)
    plain = function(steps, data.draw(st.lists(numbers, max_size=3)))
    one, given, kept = Traced(plain, NumPyCalls(workers(1).run_pair), warmup=0), arrays(), []
    for more in (0, 0, 1, 2, 3):
        own, other = (given, arrays()) if more == 0 else (arrays(more), arrays(more))
        for array, start in zip(own, arrays(more), strict=True):
            array[...] = start
        result = one(*own)
        assert bits(result, own) == bits(plain(*other), other)
        kept.append((result, own, bits(result, own)))
        for before, arguments, expected in kept[2:]:  # those of the first two share their arguments
            assert bits(before, arguments) == expected
    assert one.programs()
