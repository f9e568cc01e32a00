"""Rewritings of a trace with the same bits, which may need fewer calls after fusion.

Each function yields complete lists of ops, from which the passes choose.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from portanet._tree import flatten, is_array, map_leaves
from portanet.tracing.fuse import Graph, with_views
from portanet.tracing.library import Library
from portanet.tracing.op import CONSTANT, Op
from portanet.tracing.tracer import Tracer
from portanet.xp import namespace

_CHEAP = 3  # calls
_REDUCTIONS = ("max", "mean", "min", "sum")


def recomputed(ops: list[Op], library: Library) -> Iterator[list[Op]]:
    """Yield lists in which each reader of a small array, such as one value per row, recomputes it.

    The chain that computes the array then needs no separate kernel.
    """
    changed = {op.results[0].memory for op in ops if op.inplace}
    readers = _readers(ops)
    for op in ops:
        chain = _chain(op, ops, readers, library)
        if not chain or changed & {x.memory for own in chain for x in (*own.operands, *own.results)}:
            continue
        result, after = op.results[0], readers[op.results[0].memory]
        larger = all(_is_joinable(own, library) and own.results[0].size > result.size for own in after)
        if len(after) > 1 and larger:
            new = list(ops)
            for reader in after:
                copies, known = _in_shape(chain, reader, new, library)
                at = new.index(reader)
                new[at : at + 1] = [*copies, _with(reader, known)]
            yield new


def stacked(ops: list[Op], library: Library) -> Iterator[list[Op]]:
    """Yield lists in which two equal reductions become one, over both arrays stacked in one vector."""
    calls = [op for op in ops if op.is_call and op.out is not CONSTANT and not op.is_view]
    views = [op for op in ops if op.is_view and op.out is not CONSTANT]
    head = [op for op in ops if not op.is_call or op.out is CONSTANT]
    fixed = {op.results[0].memory for op in ops if op.inplace} | {view.operands[0].memory for view in views}
    joinable = {id(op.results[0]) for op in calls if _is_joinable(op, library)}
    reductions = [(i, op) for i, op in enumerate(calls) if _may_stack(op, joinable, fixed)]
    for (i, one), (j, other) in itertools.combinations(reductions, 2):
        layouts = [library.layout(op.operands[0].real) for op in (one, other)]
        graph = Graph(calls)
        if (one.name, one.kwargs) != (other.name, other.kwargs) or layouts[0] != layouts[1] or not graph.may_join(i, j):
            continue
        graph.join(i, j)
        joint, known = _stack(one, other, ops, library)
        order = graph.sequence()
        at = order.index(j)
        before = [calls[node] for node in order[:at]]
        after = [_with(op, known) for op in (*map(calls.__getitem__, order[at + 1 :]), head[-1])]
        yield with_views([*head[:-1], *before, *joint, *after], views)


def _may_stack(op: Op, joinable: set[int], fixed: set[Any]) -> bool:
    """Whether it reduces the result of an elementwise call along some axes, and neither has views or is changed."""
    if op.name not in _REDUCTIONS or not len(op.args) == len(op.operands) == 1 or not is_array(op.results[0]):
        return False
    along = op.kwargs.get("axis") is not None and op.kwargs.keys() <= {"axis", "keepdims"}
    return along and id(op.operands[0]) in joinable and not fixed & {op.operands[0].memory, op.results[0].memory}


def _readers(ops: list[Op]) -> dict[Any, list[Op]]:
    """The ops that read each memory, including views and the return."""
    readers: dict[Any, list[Op]] = {x.memory: [] for op in ops for x in (*op.operands, *op.results)}
    for op in ops:
        for memory in dict.fromkeys(x.memory for x in op.operands):
            readers[memory].append(op)
    return readers


def _is_joinable(op: Op, library: Library) -> bool:
    makes_one = op.is_call and not op.is_view and op.out is None and len(op.results) == 1 and is_array(op.results[0])
    return makes_one and library.form(op) is not None


def _chain(op: Op, ops: list[Op], readers: dict[Any, list[Op]], library: Library) -> list[Op]:
    """A few elementwise calls of one shape that end in this one and are read by nothing else; empty if none."""
    if not _is_joinable(op, library) or op.inplace:
        return []
    chain = [op]
    for own in reversed(ops[: ops.index(op)]):
        alike = _is_joinable(own, library) and not own.inplace and own.results[0].shape == op.results[0].shape
        after = readers[own.results[0].memory] if alike else []
        if after and all(reader in chain for reader in after):
            chain.insert(0, own)
    return chain if len(chain) <= _CHEAP else []


class _Calls:
    """Makes and records new calls on the arrays of the trace."""

    def __init__(self, ops: list[Op], library: Library) -> None:
        self.ops: list[Op] = []
        self._library, self._numbers = library, itertools.count(1 + max(x.number for op in ops for x in op.results))

    def make(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Tracer:
        """Make a call on Tracers, and return the Tracer of its result."""

        def value(leaf: Any) -> Any:
            return leaf.real if isinstance(leaf, Tracer) else leaf

        made = function(*map_leaves(args, value), **map_leaves(kwargs, value))
        like = next(leaf for leaf in flatten([args], []) if isinstance(leaf, Tracer))
        tracer = type(like)(like.trace, made, next(self._numbers), self._library.memory(made))
        self.ops.append(Op(name, function, args, kwargs, (tracer,)))
        return tracer


def _in_shape(chain: list[Op], reader: Op, ops: list[Op], library: Library) -> tuple[list[Op], dict[int, Tracer]]:
    """The calls of a chain on arrays in the shape of its reader, and their results by the `id` of the old ones."""
    new, known = _Calls(ops, library), dict[int, Tracer]()
    for op in chain:
        for operand in op.operands:
            if is_array(operand) and id(operand) not in known:
                broadcast_to = namespace(operand.real).broadcast_to
                known[id(operand)] = new.make("broadcast_to", broadcast_to, operand, reader.results[0].shape)
        assert op.function is not None
        own = _with(op, known)
        known[id(op.results[0])] = new.make(op.name, op.function, *own.args, **own.kwargs)
    return new.ops, {id(chain[-1].results[0]): known[id(chain[-1].results[0])]}


def _stack(one: Op, other: Op, ops: list[Op], library: Library) -> tuple[list[Op], dict[int, Tracer]]:
    """The calls that compute two reductions as one, and their operands and results by the `id` of the old ones."""
    new, like = _Calls(ops, library), one.operands[0]
    xp = namespace(like.real)
    parts = [new.make("reshape", xp.reshape, op.operands[0], (-1,)) for op in (one, other)]
    both = new.make("reshape", xp.reshape, new.make("concat", xp.concat, parts), (2, *like.shape))
    axes, ndim = one.kwargs["axis"], like.ndim
    axis = tuple([1 + n % ndim for n in axes]) if isinstance(axes, tuple) else 1 + axes % ndim
    assert one.function is not None
    result = new.make(one.name, one.function, both, **{**one.kwargs, "axis": axis})
    known: dict[int, Tracer] = {}
    for n, op in enumerate((one, other)):
        known[id(op.results[0])] = new.make("getitem", operator.getitem, result, n)
        known[id(op.operands[0])] = new.make("getitem", operator.getitem, both, n)  # for later readers
    return new.ops, known


def _with(op: Op, known: dict[int, Tracer]) -> Op:
    """The op with the `known` Tracers replaced among its arguments; the same object if there are none."""
    if not any(id(operand) in known for operand in op.operands):
        return op
    args, kwargs = map_leaves((op.args, op.kwargs), lambda leaf: known.get(id(leaf), leaf))
    return replace(op, args=args, kwargs=kwargs)
