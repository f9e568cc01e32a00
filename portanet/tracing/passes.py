"""The passes over a trace: each takes a list of ops and returns a cheaper list with the same results.

`optimize` runs them in order. A pass removes ops, or sets `Op.out`, the place of a result; it does not change its
arguments, and makes no calls (only rewrites.py does). Tracers are compared by `id`, arrays that share memory by
`Tracer.memory`.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import replace
from typing import Any

from portanet._tree import is_array, map_leaves
from portanet.tracing.fuse import fuse
from portanet.tracing.library import Constant, Library, Var
from portanet.tracing.op import CONSTANT, VIEW, Buffer, Op, Outs, Part
from portanet.tracing.rewrites import recomputed, stacked
from portanet.tracing.tracer import Tracer

_REWRITES = 16  # of each kind, at most


def optimize(ops: list[Op], library: Library, *, fused: bool = False) -> list[Op]:
    """The ops after all passes, with kernels if `fused`."""
    ops = dead_code(constants(ops))  # in this order: even an unread in-place change makes a value not constant
    ops = fewest_calls(ops, library) if fused else vectors(ops, library)
    return views(buffers(ops, library))


def fewest_calls(ops: list[Op], library: Library) -> list[Op]:
    """The ops with kernels; if the library counts launches, of the rewriting with the fewest calls."""

    def joined(ops: list[Op]) -> list[Op]:
        return dead_code(fuse(vectors(ops, library), library))  # views that only kernels read are dead now

    best = joined(ops)
    for rewrite in (recomputed, stacked) if library.launches else ():
        for _ in range(_REWRITES):
            better = (
                (new, fused) for new in rewrite(ops, library) if calls(fused := joined(dead_code(new))) < calls(best)
            )
            ops, after = next(better, (ops, best))
            if after is best:
                break
            best = after
    return best


def calls(ops: list[Op]) -> int:
    """The number of calls that the ops make; concatenating parts written directly into the vector needs none."""
    count = 0
    for op in ops:
        parts = [out for out in (op.out if isinstance(op.out, Outs) else [op.out]) if isinstance(out, Part)]
        count += op.is_call and not op.is_view and op.out is not CONSTANT
        count += len(op.args[0]) - 1 if _is_vector(op) else 0
        count -= len(parts)
    return count


def constants(ops: list[Op]) -> list[Op]:
    """Mark results that are the same in every call: computed only from constants, and never changed."""
    changed = {op.results[0].memory for op in ops if op.inplace}
    known: set[int] = set()
    marked = []
    for op in ops:
        constant = all(id(operand) in known for operand in op.operands)
        if op.is_call and not op.inplace and constant and not any(result.memory in changed for result in op.results):
            known |= set(map(id, op.results))
            op = replace(op, out=CONSTANT)
        marked.append(op)
    return marked


def dead_code(ops: list[Op]) -> list[Op]:
    """Remove the calls whose results are neither read nor returned, nor change an argument."""
    needed = {tracer.memory for op in ops if not op.is_call for tracer in (*op.results, *op.operands)}
    live = []
    for op in reversed(ops):
        if not op.is_call or any(result.memory in needed for result in op.results):
            live.append(op)
            needed |= {operand.memory for operand in op.operands}
    return live[::-1]


def vectors(ops: list[Op], library: Library) -> list[Op]:
    """Write the parts of concatenated vectors directly into the vector."""
    last = last_uses(ops)
    made: dict[Any, int] = {}  # by memory: the index of the op
    parts: dict[int, Part] = {}
    for number, op in enumerate(ops):
        if not op.is_call or op.inplace or op.out is not None or not is_array(op.results[0]):
            continue
        if _is_vector(op):
            start, memories = 0, [piece.memory for piece in op.args[0]]
            for piece in op.args[0]:
                part = Part(op.results[0], start, start + math.prod(piece.shape))
                alone = last[piece.memory] == number and memories.count(piece.memory) == 1
                if alone and piece.memory in made and _fits(part, piece, ops[made[piece.memory]].results[0], library):
                    parts[made[piece.memory]] = part
                start = part.stop
        elif not op.is_view:
            made[op.results[0].memory] = number
    return [replace(op, out=parts[number]) if number in parts else op for number, op in enumerate(ops)]


def _is_vector(op: Op) -> bool:
    return op.name == "concat" and op.out is None and all(piece.ndim == 1 for piece in op.args[0])


def _fits(part: Part, piece: Tracer, result: Tracer, library: Library) -> bool:
    """Whether an op may write its result into a part of a vector; `piece` is the flattened result."""
    there = part.vector.real[part.start : part.stop]
    if library.layout(there) != library.layout(piece.real) or math.prod(result.shape) != there.shape[0]:
        return False
    return bool(library.layout(part.within(part.vector.real, result.real)) == library.layout(result.real))


def buffers(ops: list[Op], library: Library) -> list[Op]:
    """Assign a buffer to each result that the library can write into an array; free buffers are reused.

    An elementwise op writes into the buffer of an argument that is not read afterwards.
    """
    last, planned = last_uses(ops), []
    ends = defaultdict(list)
    for memory, number in last.items():
        ends[number].append(memory)
    held: dict[Any, tuple[Buffer, Any]] = {}  # by memory: the buffer, and its array during tracing
    free: dict[Any, list[Buffer]] = defaultdict(list)
    known: dict[int, Constant] = {}
    numbers = itertools.count()

    def take(like: Any) -> Buffer:
        available = free[library.layout(like)]
        return available.pop() if available else Buffer(next(numbers), like)

    def of_argument(op: Op, number: int, like: Any) -> Buffer | None:
        arrays = [operand for operand in op.operands if is_array(operand)]
        for memory in [array.memory for array in arrays] if op.name in library.elementwise else []:
            buffer, root = held.get(memory, (None, None))
            alone = last[memory] == number and all(x.real is root for x in arrays if x.memory == memory)
            if buffer is not None and alone and library.layout(buffer.array) == library.layout(like):
                return held.pop(memory)[0]
        return None

    def is_writable(op: Op, out: Any) -> bool:
        def value(leaf: Any) -> Any:
            return known.get(id(leaf), Var(str(leaf), leaf.real)) if isinstance(leaf, Tracer) else leaf

        args, kwargs = map_leaves((op.args, op.kwargs), value)
        return library.statements(op.name, args, kwargs, out) is not None

    def place(op: Op, number: int) -> Op:
        result = op.results[0]
        if isinstance(op.out, Part):
            vector = held[op.out.vector.memory][0].array
            return op if is_writable(op, op.out.within(vector, result.real)) else replace(op, out=None)
        if _is_vector(op):
            return replace(op, out=held[result.memory][0])
        like = library.like(result.real)
        if like is None or not is_writable(op, like):
            return op
        buffer = of_argument(op, number, like) or take(like)
        held[result.memory] = buffer, result.real
        return replace(op, out=buffer)

    def of_read(op: Op, number: int, result: Tracer, like: Any) -> Buffer | None:
        """The buffer of an array that nothing reads after this kernel."""
        for memory in dict.fromkeys(operand.memory for operand in op.args[0]):
            buffer, root = held.get(memory, (None, None))
            alone = last[memory] == number and all(x.real is root for x in op.args[0] if x.memory == memory)
            if buffer is None or not alone or library.layout(buffer.array) != library.layout(like):
                continue
            if op.kernel.may_overwrite(memory, result):
                return held.pop(memory)[0]
        return None

    def place_fused(op: Op, number: int) -> Op:
        outs: list[Any] = list(op.out)  # type: ignore[arg-type]
        for i, (result, out) in enumerate(zip(op.results, outs, strict=False)):
            if out is None:
                like = library.like(result.real)
                outs[i] = of_read(op, number, result, like) or take(like)
                held[result.memory] = outs[i], result.real
        return replace(op, out=Outs(outs))

    for op in filter(_is_written, ops):
        if _is_vector(op):  # its parts may be written much earlier
            held[op.results[0].memory] = take(library.like(op.results[0].real)), op.results[0].real
    for number, op in enumerate(ops):
        if op.out is CONSTANT:
            known |= {id(result): Constant(result.real) for result in op.results}
        planned.append(place_fused(op, number) if op.is_fused else place(op, number) if _is_written(op) else op)
        for memory in ends[number]:
            if memory in held:
                buffer, _ = held.pop(memory)
                free[library.layout(buffer.array)].append(buffer)
    return planned


def _is_written(op: Op) -> bool:
    """Whether the op makes exactly one new array in every call."""
    makes_one = op.is_call and not op.inplace and not op.is_fused and len(op.results) == 1 and is_array(op.results[0])
    return makes_one and op.out is not CONSTANT and not op.is_view


def views(ops: list[Op]) -> list[Op]:
    """Mark views of arrays that are the same in every call: they are made once."""
    static: set[int] = set()
    marked = []
    for op in ops:
        if op.out is None and op.is_call and op.is_view and all(id(operand) in static for operand in op.operands):
            op = replace(op, out=VIEW)
        if isinstance(op.out, Outs):
            static |= set(map(id, op.results[: len(op.out)]))
        elif op.out is not None:
            static |= set(map(id, op.results))
        marked.append(op)
    return marked


def last_uses(ops: list[Op]) -> dict[Any, int]:
    """The index of the last op that reads, writes or returns each memory."""
    return {x.memory: number for number, op in enumerate(ops) for x in (*op.operands, *op.results)}
