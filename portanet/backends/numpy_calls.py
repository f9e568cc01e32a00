"""NumPy's calls with `out=`."""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from portanet._tree import is_array
from portanet.backends import c_calls, c_kernels
from portanet.backends.c_calls import c_call_of
from portanet.backends.c_calls.call import CCall, HostArray
from portanet.backends.c_calls.second import pair
from portanet.backends.expressions import form_of, gathers
from portanet.backends.trial import Trial
from portanet.tracing import Constant, Form, Kernel, Library, Line, Op, RunPair, Statement, Var, real
from portanet.xp.numpy import CLIPPED, adds_rows, halves, write_product

_LARGE = 2**16  # elements


class _HandOver:
    """Decides which pair may use the second thread: only one, since each wake-up costs time in every step."""

    def __init__(self, run_pair: RunPair) -> None:
        self.run_pair = run_pair
        self._pair: Callable[[], _Pair | None] = lambda: None
        self._gain = 0.0

    def decide(self, pair: _Pair, gain: float) -> None:
        """Let a measured pair use the second thread if it gains more seconds than the current one."""
        pair.hands_over = False
        before = self._pair()
        if gain > (self._gain if before is not None else 0.0):
            if before is not None:
                before.hands_over = False
            pair.hands_over = True
            self._pair, self._gain = weakref.ref(pair), gain


class _Pair:
    """Two halves of a product, computed concurrently or in sequence, whichever was faster in the first calls.

    hands_over  whether they are concurrent; None until that is decided
    """

    def __init__(self, shared: _HandOver, *halves: functools.partial[Any]) -> None:
        self._shared, self.halves, self._trial = shared, halves, Trial()
        self.hands_over: bool | None = None

    def __call__(self) -> None:
        """Compute both halves."""
        if self.hands_over is not None:
            self._compute(self.hands_over)
        elif (gain := self._trial.run(self._compute)) is not None:
            self._shared.decide(self, gain)

    def _compute(self, together: bool) -> None:
        if together:
            self._shared.run_pair(*self.halves)
        else:
            for half in self.halves:
                half()


def _take(x: Any, indices: Any, axis: int, out: Any) -> None:
    """Write the rows into `out`; NumPy does so directly only if it need not check the indices."""
    if indices.size and not 0 <= indices.min() <= indices.max() < x.shape[axis]:
        np.copyto(out, x.take(indices, axis=axis))  # negative indices, or an error
    else:
        x.take(indices, axis, out, "clip")


def _c_call(statement: Statement) -> CCall | None:
    """The C call of a statement; None if there is none."""
    if isinstance(statement.function, _Pair):
        first, other = [c_call_of(Statement(half.func, half.args, half.keywords)) for half in statement.function.halves]
        return pair(first, other) if first is not None and other is not None else None
    return c_call_of(statement)


class NumPyCalls(Library):
    """NumPy as a library for tracing; `run_pair` computes the halves of one large product of a step."""

    elementwise = frozenset(
        name
        for name, function in vars(np).items()
        if isinstance(function, np.ufunc) and function.signature is None and name != "pow"  # its bits differ from x**2
    )

    def __init__(self, run_pair: RunPair | None, *, fuse: bool = True) -> None:
        self._hand_over, self._fuse = None if run_pair is None else _HandOver(run_pair), fuse

    def is_native(self, array: Any) -> bool:
        return type(array) in (np.ndarray, np.memmap) or isinstance(array, np.generic)

    def memory(self, array: Any) -> Any:
        while isinstance(getattr(array, "base", None), np.ndarray):
            array = array.base
        return id(array)

    def like(self, array: Any) -> Any:
        return np.empty_like(array) if isinstance(array, np.ndarray) else None

    def layout(self, array: Any) -> Any:
        return array.shape, array.strides, array.dtype

    def copy(self, array: Any) -> Any:
        return array.copy("K")

    def write_elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Statement]:
        """A ufunc; a number among float arrays is converted once to the array that NumPy would create in each call."""
        dtype = next(real(arg).dtype for arg in args if hasattr(real(arg), "dtype"))
        if dtype.kind == "f":
            if name == "maximum" and type(args[1]) is float:
                size = math.prod(real(out).shape)
                if size > (_LARGE if dtype.itemsize > 2 else CLIPPED):
                    return [Statement(np.ndarray.clip, (args[0], args[1], np.inf, out), {})]  # a third of the time
                args = (args[0], np.full(real(out).shape, args[1], dtype))  # and that is faster still
                if size > CLIPPED:
                    args = args[::-1]  # of two zeros ufuncs take the second, clip the array's
            args = tuple([np.asarray(arg, dtype) if type(arg) in (int, float) else arg for arg in args])
        return [Statement(getattr(np, name), args, {"out": out})]

    def write_matmul(self, out: Any, a: Any, b: Any) -> list[Statement]:
        parts = [] if isinstance(a, Var) or isinstance(b, Var) else halves(real(a), real(b), out)
        if len(parts) < 2:
            return self.write_product(out, a, b) if parts else [Statement(write_product, (a, b, out), {})]
        if self._hand_over is None:
            if are_one(real(a), real(b)):
                return self.write_product(out, a, b)
            return [Statement(np.matmul, part[:2], {"out": part[2]}) for part in parts]
        pair = [functools.partial(np.matmul, *part[:2], out=part[2]) for part in parts]
        return [Statement(_Pair(self._hand_over, *pair), (), {})]

    def write_product(self, out: Any, a: Any, b: Any) -> list[Statement]:
        """The operator @, whose product is never split."""
        first, second = real(a), real(b)
        plain = first.dtype == second.dtype and first.flags.forc and second.flags.forc
        if plain and (first.ndim, second.ndim) == (2, 2):
            return [Statement(np.ndarray.dot, (a, b, out), {})]  # the same bits, with less overhead
        return [Statement(np.matmul, (a, b), {"out": out})]

    def write_sum(self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
        like = real(x)
        if adds_rows(like, axis, dtype, keepdims):
            return [Statement(np.matmul, (np.ones(like.shape[0], like.dtype), x), {"out": out})]
        return [Statement(np.add.reduce, (x, axis, dtype, out, keepdims), {})]

    def write_max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Statement]:
        return [Statement(np.maximum.reduce, (x, axis, None, out, keepdims), {})]

    def write_take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Statement] | None:
        if axis is None:
            return None
        if not isinstance(indices, Constant):
            return [Statement(_take, (x, indices, axis, out), {})] if real(x).ndim > 1 else None
        rows = indices.real
        if rows.size and not 0 <= rows.min() <= rows.max() < real(x).shape[axis]:
            return None
        return [Statement(np.ndarray.take, (x, indices, axis, out, "clip"), {})]  # "raise" buffers `out`

    def write_argmax(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Statement] | None:
        return None if axis is None or keepdims else [Statement(np.ndarray.argmax, (x, axis, out), {})]

    def write_concat(self, out: Any, arrays: Any, *, axis: Any = 0) -> list[Statement] | None:
        """A copy of each array into its part of `out`."""
        if axis is None:
            return None
        statements, start, along = [], 0, np.moveaxis(out, axis, 0)
        for array in arrays:
            stop = start + real(array).shape[axis]
            statements.append(Statement(np.copyto, (np.moveaxis(along[start:stop], 0, axis), array), {}))
            start = stop
        return statements

    def write_stack(self, out: Any, arrays: Any, *, axis: Any = 0) -> list[Statement]:
        """A copy of each array into its part of `out`."""
        places = np.moveaxis(out, axis, 0)
        return [Statement(np.copyto, (places[i, ...], array), {}) for i, array in enumerate(arrays)]

    def write_astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Statement]:
        return [Statement(np.copyto, (out, x, "unsafe"), {})]

    def write_reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Statement]:
        """A reshape that copies."""
        return [Statement(np.copyto, (out.reshape(real(x).shape), x), {})]

    def form(self, op: Op) -> Form | None:
        """A ufunc, `where`, a cast or a copy, of arrays and Python numbers."""
        if op.name not in self.elementwise | {"where", "astype", "reshape"} or (op.kwargs and op.name != "astype"):
            return None
        if any(isinstance(x.real, np.generic) for x in (*op.operands, *op.results)):
            return None
        form = form_of(op, getattr(np, op.name, None))
        if form is None or op.name not in ("maximum", "minimum") or np.dtype(form.dtype).kind != "f":
            return form
        return self._form_of_extreme(op, form)

    def _form_of_extreme(self, op: Op, form: Form) -> Form | None:
        """The form of a maximum or minimum: of two zeros a ufunc takes the second, and `clip` that of the array."""
        second = op.args[1]
        if not takes_second() or not (is_array(second) or type(second) in (int, float)):
            return None
        clips = op.name == "maximum" and not op.inplace and type(second) is float and op.args[0].dtype.kind == "f"
        return form._replace(name="maximum of first") if clips and op.results[0].size > CLIPPED else form

    def gathers(self, op: Op) -> bool:
        arrays = [tracer.real for tracer in op.operands]
        return all(type(array) in (np.ndarray, np.memmap) for array in arrays) and gathers(op)

    def spreads(self, shape: tuple[int, ...]) -> bool:
        return math.prod(shape) <= CLIPPED

    def pays(self, kernel: Kernel) -> bool:
        """Whether it replaces at least two calls."""
        return sum(not op.is_view for op in kernel.ops) > 1

    def address(self, array: Any) -> tuple[int, tuple[int, ...]] | None:
        known = isinstance(array, np.ndarray) and array.flags.aligned and array.dtype.isnative
        return (array.__array_interface__["data"][0], array.strides) if known else None

    def prepare(self, kernels: list[Kernel]) -> Callable[[], bool] | None:
        return c_kernels.ask(kernels) if self._fuse else None

    def write_kernel(self, kernel: Kernel, value: Callable[[Any], Any]) -> list[Statement]:
        return c_kernels.statements(kernel, value, shared=self._hand_over is not None)

    def joined(self, lines: list[Line]) -> list[Line]:
        return c_calls.joined(lines, _c_call)


def are_one(a: HostArray, b: HostArray) -> bool:
    """Whether the product of two matrices has the same bits as its halves, which take up to 10 % longer in sequence.

    That depends on how the BLAS treats these shapes, not on the values.
    """
    plain = a.dtype == b.dtype and a.flags.forc and b.flags.forc
    return plain and _are_one(str(a.dtype), a.shape, b.shape, bool(a.flags.c_contiguous), bool(b.flags.c_contiguous))


@functools.cache
def _are_one(dtype: str, *about: Any) -> bool:
    rng = np.random.default_rng(0)
    (rows, _), (_, columns), *by_rows = about
    a, b = (
        np.asarray(rng.standard_normal(shape, np.float32), dtype, order="C" if own else "F")
        for shape, own in zip(about[:2], by_rows, strict=True)
    )
    y = np.empty((rows, columns), a.dtype)
    write_product(a, b, y)
    return bool((a.dot(b) == y).all())


@functools.cache
def takes_second() -> bool:
    """Whether `np.maximum` and `np.minimum` of two zeros take the second, at any position in an array."""
    zeros = [np.zeros(65, dtype) for dtype in (np.float32, np.float64)]
    pairs = [(function, zero, np.negative(zero)) for function in (np.maximum, np.minimum) for zero in zeros]
    return all(np.signbit(f(a, b)).all() and not np.signbit(f(b, a)).any() for f, a, b in pairs)
