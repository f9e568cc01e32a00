"""Emitting ops as straight-line Python code, with the arrays that it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from portanet._tree import flatten, is_array, map_leaves
from portanet.tracing.code import Code
from portanet.tracing.library import Constant, Library, Line, Statement, Var, real
from portanet.tracing.op import CONSTANT, FIXED, VIEW, Buffer, Op, Outs, Part
from portanet.tracing.tracer import Tracer


def emit(
    ops: list[Op], library: Library, leaves: int, reused: int | None = None, *, joined: bool = False
) -> tuple[Callable[..., Any], str]:
    """The ops as a function of `leaves` arguments, and its source.

    reused  the position in the returned tuple of arrays that the next call may overwrite
    joined  whether the library may merge several statements into one
    """
    emitter = _Emitter(ops, library, joined)
    for op in ops:
        emitter.write(op)
    return emitter.function(ops[-1].args[0], leaves, reused)


class _Emitter:
    """Writes ops in sequence, and tracks the value of each Tracer: a constant array or a Var."""

    def __init__(self, ops: list[Op], library: Library, joined: bool) -> None:
        self._library, self._code, self._joined = library, Code(), joined
        self._lines: list[Line] = []
        self._values: dict[int, Any] = {}
        self._inputs: dict[int, str] = {}
        self._buffers = {
            result.memory: out.array
            for op in ops
            for result, out in zip(op.results, op.out if isinstance(op.out, Outs) else [op.out], strict=False)
            if isinstance(out, Buffer)
        }
        self._constants = {result.memory for op in ops if op.out is CONSTANT for result in op.results}

    def write(self, op: Op) -> None:
        """Write an op; if its result is the same in every call, compute it now instead."""
        args, kwargs = map_leaves((op.args, op.kwargs), self._value)
        if op.name == "input":
            self._input(op)
        elif op.function is None:
            return
        elif isinstance(op.out, Outs):
            self._write_fused(op, op.out)
        elif op.out is CONSTANT:
            self._set(op, [Constant(result.real) for result in op.results])
        elif op.out is VIEW:
            made = op.function(*map_leaves(args, real), **map_leaves(kwargs, real))
            self._set(op, list(made) if isinstance(made, (tuple, list)) else [made])
        elif op.inplace:
            written = op.name not in ("setitem", "product")
            statements = self._library.statements(op.name, args, {}, args[0]) if written else None
            self._write(statements or [Statement(op.function, args, {})])
        elif isinstance(op.out, (Buffer, Part)):
            self._write_into(self._place(op.out, op.results[0]), op, args, kwargs)
        else:
            names = [Var(f"v{result.number}", result.real) for result in op.results]
            self._set(op, names)
            self._write([Statement(op.function, args, kwargs)], names)

    def _write(self, statements: list[Statement], names: list[Var] | None = None) -> None:
        """Add calls; the results of the last one are assigned to names."""
        self._lines += [(statement, None) for statement in statements]
        if names:
            self._lines[-1] = self._lines[-1][0], names

    def _input(self, op: Op) -> None:
        [position], [result] = op.args, op.results
        self._inputs[id(result)] = f"a{position}"
        self._set(op, [result.real if op.out is FIXED else Var(f"a{position}", result.real)])

    def _write_fused(self, op: Op, outs: Outs) -> None:
        """Write a kernel."""
        for result, out in zip(op.results, outs, strict=False):
            self._values[id(result)] = self._place(out, result)
        self._write(self._library.write_kernel(op.kernel, self._value))

    def _place(self, out: Any, result: Tracer) -> Any:
        """The array for a result."""
        if isinstance(out, Part):
            return out.within(self._buffers[out.vector.memory], result.real)
        return out.array

    def _write_into(self, array: Any, op: Op, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Write an op whose result is stored in an existing array."""
        self._set(op, [array])
        if op.name == "concat" and all(real(piece).ndim == 1 for piece in args[0]):
            self._write_pieces(args[0], array)
        else:
            self._write(self._library.statements(op.name, args, kwargs, array) or [])

    def _write_pieces(self, pieces: Any, vector: Any) -> None:
        """Write those parts of a concatenated vector that were not written directly into it."""
        start = 0
        for piece in pieces:
            stop = start + real(piece).shape[0]
            if self._library.memory(real(piece)) != self._library.memory(vector):
                part = vector[start:stop]
                self._write(self._library.statements("astype", (piece, vector.dtype), {}, part) or [])
            start = stop

    def function(self, result: Any, leaves: int, reused: int | None) -> tuple[Callable[..., Any], str]:
        """The function that returns a result, and its source."""
        for statement, names in self._library.joined(self._lines) if self._joined else self._lines:
            self._code.write(statement, names)
        again = [] if reused is None else flatten([result[reused]], [])
        kept = Counter(map(id, flatten([result], []))) - Counter(map(id, again))
        returned = self._code.tree(result, lambda leaf: self._returned(leaf, kept=id(leaf) in kept))
        return self._code.function(leaves, returned)

    def _returned(self, leaf: Any, *, kept: bool) -> str:
        """The code of a leaf of the result; an array that later calls overwrite is copied if the caller keeps it."""
        if id(leaf) in self._inputs:
            return self._inputs[id(leaf)]
        value = self._value(leaf)
        if not is_array(leaf):
            return self._code.value(value)
        buffered = leaf.memory in self._buffers
        if leaf.memory in self._constants or (kept and buffered) or not (buffered or isinstance(value, Var)):
            return f"{self._code.value(self._library.copy)}({self._code.value(value)})"
        return self._code.value(value)

    def _value(self, leaf: Any) -> Any:
        return self._values[id(leaf)] if isinstance(leaf, Tracer) else leaf

    def _set(self, op: Op, values: list[Any]) -> None:
        self._values |= {id(result): value for result, value in zip(op.results, values, strict=True)}
