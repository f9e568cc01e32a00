"""Random functions as kernels: the bits of the traced function and of the function itself, whatever the arrays hold.

Some dozens of functions share one call of the compiler. A NaN equals any NaN: which one comes out of a sum of two is
not said anywhere.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from legs import kernels_at_once

from portanet.backends import c_kernels
from portanet.backends.numpy_calls import NumPyCalls
from portanet.tracing import Traced, passes
from portanet.training.steps import shards
from portanet.xp import namespace

FLOATS, INTEGERS = ["float32", "float64"], ["int32", "int64", "uint8", "int8", "uint32", "bool"]
SPECIAL = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-310, 1.0, -1.5, 3e38, 1e-20, 7.25]
SHAPES = [(3, 4), (4, 3, 2), (33,), (1,), (1, 1), (0, 3), (5, 1, 4), (130, 17), (2100,)]
LAYOUTS: list[Callable[[Any], Any]] = [
    np.array, np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2], lambda x: x[::-1].copy()[::-1],
    lambda x: np.broadcast_to(x, (2, *x.shape))[1].copy(),
]  # fmt: skip
Step = Callable[[Any, Any, float], Any]


def of(name: str, count: int = 2) -> Step:
    if count == 1:
        return lambda a, b, c: getattr(namespace(a), name)(a)
    return lambda a, b, c: getattr(namespace(a), name)(a, b)


STEPS: list[Step] = [
    operator_step
    for two in (operator.add, operator.sub, operator.mul, operator.iadd, operator.isub, operator.imul)
    for operator_step in (lambda a, b, c, two=two: two(a, b), lambda a, b, c, two=two: two(a, c))
]
STEPS += [
    lambda a, b, c: a / b, lambda a, b, c: a / c, lambda a, b, c: c - a, lambda a, b, c: operator.itruediv(a, b),
    lambda a, b, c: a > b, lambda a, b, c: a <= c, lambda a, b, c: a == b, lambda a, b, c: a != c,
    lambda a, b, c: (a >> 3) & 0xFF, lambda a, b, c: a ^ (b << 2), lambda a, b, c: (a | 1) ^ c,
    lambda a, b, c: a * -1640531527, lambda a, b, c: ~a, lambda a, b, c: -a, lambda a, b, c: abs(a),
    lambda a, b, c: a >> b, lambda a, b, c: a << b, of("maximum"), of("minimum"),
    lambda a, b, c: namespace(a).maximum(a, 0.0), lambda a, b, c: namespace(a).minimum(a, 1.5),
    lambda a, b, c: namespace(a).maximum(a, -0.0), of("sqrt", 1), of("floor", 1), of("ceil", 1), of("isnan", 1),
    of("isfinite", 1), of("logical_and"), of("logical_or"), of("logical_not", 1), of("square", 1), of("exp", 1),
    lambda a, b, c: namespace(a).where(b > 0, a, c), lambda a, b, c: namespace(a).where(a != 0, a, b),
    *[lambda a, b, c, d=dtype: namespace(a).astype(a, getattr(namespace(a), d), copy=False) for dtype in
      (*FLOATS, *INTEGERS)],
    lambda a, b, c: a.T, lambda a, b, c: a[1:, ...], lambda a, b, c: a[::-1, ...], lambda a, b, c: a[..., None] * b,
    lambda a, b, c: namespace(a).reshape(a, (-1,)), lambda a, b, c: namespace(a).reshape(a, b.shape),
    lambda a, b, c: namespace(a).reshape(a.T, (-1,)), lambda a, b, c: namespace(a).reshape(a, (a.shape[0], -1)),
    lambda a, b, c: namespace(a).sum(a, axis=0), lambda a, b, c: namespace(a).max(a, axis=-1, keepdims=True),
    lambda a, b, c: operator.setitem(a, (0, ...), 2) or a, lambda a, b, c: a + a.T,
]  # fmt: skip


class Program:
    """A random function of two arrays, row numbers and two numbers, and arguments for it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.shape = SHAPES[rng.integers(len(SHAPES))]
        self.dtypes = [str(rng.choice(FLOATS if rng.integers(2) else INTEGERS)) for _ in range(2)]
        self.layouts = [LAYOUTS[rng.integers(len(LAYOUTS))] for _ in range(2)]
        self.shapes = [self.shape, self.shape if rng.integers(2) else self._smaller()]
        self.wide = rng.integers(3) > 0
        self.gathers = rng.integers(3) == 0 and 0 not in self.shape
        self.seed, self.steps = seed, list[tuple[int, int, int]]()
        for _ in range(24):
            step = int(rng.integers(len(STEPS))), int(rng.integers(64)), int(rng.integers(64))
            try:
                with np.errstate(all="ignore"):
                    result = self.play([*self.steps, step])(*self.arguments(0))
                self.steps += [step] if np.size(result[-1]) < 9000 else []
            except (TypeError, ValueError, IndexError, OverflowError, AttributeError):
                continue
        self.returned = [int(n) for n in rng.integers(64, size=3)]

    def _smaller(self) -> tuple[int, ...]:
        return tuple([n if self.rng.integers(2) else 1 for n in self.shape])[self.rng.integers(2) :]

    def arguments(self, more: int) -> list[Any]:
        rng = np.random.default_rng([self.seed, more])
        arrays = []
        for shape, dtype, layout in zip(self.shapes, self.dtypes, self.layouts, strict=True):
            values = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4)
            if self.wide and np.dtype(dtype).kind == "f":
                values = np.where(rng.random(shape) < 0.4, rng.choice(SPECIAL, shape), values)
            elif np.dtype(dtype).kind != "f":
                values = rng.integers(-(2**31), 2**31, shape) if self.wide else rng.integers(0, 40, shape)
            with np.errstate(all="ignore"):
                arrays.append(layout(np.asarray(values).astype(dtype)) if shape else np.asarray(values).astype(dtype))
        rows = rng.integers(-self.shape[0], max(self.shape[0], 1), 6).astype("int32" if self.seed % 2 else "int64")
        return [*arrays, rows, float(rng.normal()), int(rng.integers(0, 100))]

    def play(self, steps: list[tuple[int, int, int]]) -> Callable[..., Any]:
        def function(x: Any, y: Any, rows: Any, rate: Any, number: Any) -> Any:
            found = [x, y]
            if self.gathers:
                found.append(namespace(x).take(x, rows, axis=0))
            for step, first, second in steps:
                number_now = [0.5, 2.0, rate, number, 3, -1.25][(first + second) % 6]
                found.append(STEPS[step](found[first % len(found)], found[second % len(found)], number_now))
            return [found[place % len(found)] for place in getattr(self, "returned", [])], found[-1]

        return function

    def function(self) -> Callable[..., Any]:
        return self.play(self.steps)


def bits(result: Any, arrays: list[Any]) -> list[Any]:
    found = []
    for one in (*result[0], result[1], *arrays):
        if hasattr(one, "dtype"):
            own = np.where(np.isnan(one), np.asarray(np.nan, one.dtype), one) if one.dtype.kind == "f" else one
            found.append((np.shape(one), one.dtype, own.tobytes()))
        else:
            found.append((one, type(one), b""))
    return found


@pytest.fixture
def together() -> Iterator[Callable[[], None]]:
    """Collects what is to be compiled, until it is called."""
    asked: dict[str, str] = {}
    with kernels_at_once() as compiler:
        ask, compiler.ask = compiler.ask, asked.update  # type: ignore[method-assign, assignment]

        def compile_all() -> None:
            compiler.ask = ask  # type: ignore[method-assign]
            ask(asked)
            assert compiler.problem is None

        yield compile_all


class Launches(NumPyCalls):
    """NumPy as if each call were a launch on a device."""

    launches = True


class Halves(NumPyCalls):
    """NumPy with two threads that share each kernel."""

    def __init__(self, _: None, *, fuse: bool) -> None:
        super().__init__(shards.workers(2).run_pair, fuse=fuse)


@pytest.mark.parametrize(
    ("batch", "library"), [*zip(range(4), [NumPyCalls] * 4, strict=True), (4, Launches), (5, Halves)]
)
def test_random_functions(
    batch: int, library: type[NumPyCalls], together: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(c_kernels, "_HALVED", 1)
    monkeypatch.setattr(passes, "stacked", lambda *_: ())  # NumPy sums rows of matrices in its own way
    programs = [Program(1000 * batch + number) for number in range(50)]
    both = []
    with np.errstate(all="ignore"):
        for program in programs:
            pair = [Traced(program.function(), library(None, fuse=fuse), warmup=0) for fuse in (True, False)]
            for traced in pair:
                traced(*program.arguments(0))
            both.append(pair)
            assert [*map(len, map(Traced.programs, pair))] in ([0, 0], [1, 1])
        together()
        for program, pair in zip(programs, both, strict=True):
            for more in (1, 2, 0):
                own = [program.arguments(more) for _ in range(3)]
                given = [program.function(), *pair]
                plain, fused, traced = (bits(f(*args), args) for f, args in zip(given, own, strict=True))
                assert traced == plain
                assert fused == plain, (program.seed, pair[0].programs()[0].source)
    sources = [program.source for fused, _ in both for program in fused.programs()]
    assert sum("  kernel" in source for source in sources) > 20
