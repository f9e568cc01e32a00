"""The pass that joins elementwise calls into kernels."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any, cast

from portanet.tracing.kernel import Kernel, kernel_of
from portanet.tracing.library import Library
from portanet.tracing.loop import Loop
from portanet.tracing.op import CONSTANT, Op, Outs, Part


def fuse(ops: list[Op], library: Library) -> list[Op]:
    """Join elementwise calls of the same shape: each chain is one op, whose function is a Kernel.

    Calls join unless their reads and writes force another call between them. A chain ends at sums and products. Results
    that only the chain reads are never written to memory. Rows taken by index are read in place.
    """
    inputs = Counter(op.results[0].memory for op in ops if op.name == "input")
    shared = {memory for memory, count in inputs.items() if count > 1}  # but may be separate in the next call
    if any(op.inplace and op.results[0].memory in shared for op in ops):
        return ops
    order = {id(op): number for number, op in enumerate(ops)}
    calls = [op for op in ops if op.is_call and op.out is not CONSTANT and not op.is_view]
    graph = Graph(calls)
    loops = _joined(calls, graph, order, library)
    _spread(calls, ops, graph, loops, order, library)
    _gather(calls, {x.memory for x in ops[-1].operands}, graph, loops, library)
    views = [op for op in ops if op.is_view and op.out is not CONSTANT]
    placed: dict[int, list[Op]] = {}
    for node, loop in loops.items():
        kernel = _kernel(loop, ops, views, shared, library)
        placed[node] = [_fused(kernel)] if library.pays(kernel) else [*loop.takes, *loop.ops]
    head = [op for op in ops if not op.is_call or op.out is CONSTANT]
    sequence = [op for node in graph.sequence() for op in placed.get(node, [calls[node]])]
    return with_views([*head[:-1], *sequence, head[-1]], views)


def _joined(calls: list[Op], graph: Graph, order: dict[int, int], library: Library) -> dict[int, Loop]:
    """The loops, by the number of the call that represents each.

    From the last call to the first, each joins a loop that reads its result, else one that reads the same array, else
    any.
    """
    loops: dict[int, Loop] = {}
    for node in reversed(range(len(calls))):
        loop = Loop.of(calls[node], library)
        if loop is None:
            continue
        near = [sorted(graph.after[node]), graph.beside(node), [*loops]]
        for other in dict.fromkeys(n for some in near for n in map(graph.name, some) if n in loops and n != node):
            both = loop.joined(loops[other], lambda op: order[id(op)]) if graph.may_join(node, other) else None
            if both is not None:
                graph.join(node, other)
                loops[other] = both
                break
        else:
            loops[node] = loop
    return loops


def _gather(calls: list[Op], returned: set[Any], graph: Graph, loops: dict[int, Loop], library: Library) -> None:
    """Make loops read the rows of a `take` in place if nothing else reads them."""
    for node, op in enumerate(calls):
        if op.name != "take" or op.results[0].memory in returned or not library.gathers(op):
            continue
        readers = {graph.name(after) for after in graph.after[node]}
        if len(readers) == 1 and (reader := next(iter(readers))) in loops and graph.may_join(node, reader):
            with_rows = loops[reader].with_rows(op)
            if with_rows is not None:
                graph.join(node, reader)
                loops[reader] = with_rows


def _spread(
    calls: list[Op], ops: list[Op], graph: Graph, loops: dict[int, Loop], order: dict[int, int], library: Library
) -> None:
    """Inline smaller loops, such as one value per row, into the only loop that reads them, once per element."""
    for node, loop in list(loops.items()):
        made = {result.memory for op in loop.ops for result in op.results}
        inside = set(map(id, loop.ops))
        readers = [op for op in ops if not (op.is_call and op.is_view) and made & {x.memory for x in op.operands}]
        outside = [op for op in readers if id(op) not in inside]
        if any(op.inplace for op in loop.ops) or any(isinstance(op.out, Part) for op in loop.ops):
            continue
        names = {name for name, other in loops.items() if any(op in other.ops for op in outside)}
        if len(names) != 1 or node in names or not graph.may_join(node, reader := names.pop()):
            continue
        read = {x.memory: x for op in outside for x in op.operands if x.memory in made}
        worthwhile = all(op in loops[reader].ops for op in outside) and library.spreads(loops[reader].shape)
        if worthwhile and len(read) == 1:
            results = {result.memory: result for op in loop.ops for result in op.results}
            both = loops[reader].with_broadcast(loop, results[next(iter(read))], lambda op: order[id(op)])
            if both is not None:
                graph.join(node, reader)
                loops[reader] = both
                del loops[node]


def _kernel(loop: Loop, ops: list[Op], views: list[Op], shared: set[Any], library: Library) -> Kernel:
    ops_of_loop = [*loop.takes, *loop.ops]
    inside = set(map(id, ops_of_loop))
    made = {result.memory for op in ops_of_loop if not op.inplace for result in op.results}
    viewed = [op for op in views if op.results[0].memory in made]
    others = (op for op in ops if id(op) not in inside and not (op.is_call and op.is_view))
    needed = {x.memory for op in others for x in (op.operands if op.is_call or not op.results else op.results)}
    kernel = kernel_of(loop, with_views(ops_of_loop, viewed), needed, shared, library)
    inputs = {op.results[0].memory for op in ops if op.name == "input"}
    return replace(kernel, outward=any(tracer.memory in inputs for tracer in kernel.changed))


def _fused(kernel: Kernel) -> Op:
    """The op of a kernel: its arguments are the arrays that it reads and changes, its results the new and changed."""
    outs_by_id: dict[int, Any] = {id(op.results[0]): op.out for op in kernel.ops}
    outs = Outs([outs_by_id[id(tracer)] for tracer in kernel.made])
    return Op(
        "fused", cast(Any, kernel), (kernel.read, kernel.changed), results=(*kernel.made, *kernel.changed), out=outs
    )


def with_views(ops: list[Op], views: list[Op]) -> list[Op]:
    """The ops, with each view right after its array."""
    waiting: dict[int, list[Op]] = defaultdict(list)
    for view in views:
        waiting[id(view.operands[0])].append(view)
    placed: list[Op] = []
    known: set[int] = set()

    def place(op: Op) -> None:
        placed.append(op)
        for result in op.results:
            known.add(id(result))
            for view in waiting.pop(id(result), []):
                missing = [operand for operand in view.operands if id(operand) not in known]
                if missing:
                    waiting[id(missing[0])].append(view)
                else:
                    place(view)

    for op in ops:
        place(op)
    return placed


class Graph:
    """The dependency graph of calls; joined calls are one node, with the number of one of them."""

    def __init__(self, calls: list[Op]) -> None:
        self.after: list[set[int]] = [set() for _ in calls]  # direct successors
        self._names = list(range(len(calls)))
        self._operands = [{operand.memory for operand in op.operands} for op in calls]
        self._readers: dict[Any, list[int]] = defaultdict(list)
        self._find_order(calls)
        self._members = {node: [node] for node in self._names}
        self._bits = {node: 1 << node for node in self._names}
        self._below, self._above = [0] * len(calls), [0] * len(calls)  # as bits: all successors and predecessors
        for node in reversed(self._names):
            for other in self.after[node]:
                self._below[node] |= 1 << other | self._below[other]
        for node in self._names:
            for other in self.after[node]:
                self._above[other] |= 1 << node | self._above[node]

    def _find_order(self, calls: list[Op]) -> None:
        """Find the dependencies: reads after writes, and writes after reads or writes."""
        writer: dict[Any, int] = {}
        since: dict[Any, list[int]] = defaultdict(list)  # the readers since the last write
        for node, op in enumerate(calls):
            for memory in self._operands[node]:
                self._readers[memory].append(node)
                since[memory].append(node)
                if memory in writer:
                    self.after[writer[memory]].add(node)
            for memory in {result.memory for result in op.results}:
                for before in (*since.pop(memory, ()), *([writer[memory]] if memory in writer else [])):
                    self.after[before] |= {node} - {before}
                writer[memory] = node

    def name(self, node: int) -> int:
        """The number of the node that a call belongs to."""
        while self._names[node] != node:
            node = self._names[node]
        return node

    def beside(self, node: int) -> list[int]:
        """The calls that read any of the same arrays."""
        return [other for memory in self._operands[node] for other in self._readers[memory]]

    def may_join(self, one: int, other: int) -> bool:
        """Whether no other call must come between two nodes."""
        between = (self._below[one] & self._above[other]) | (self._above[one] & self._below[other])
        return not between & ~(self._bits[one] | self._bits[other])

    def join(self, one: int, into: int) -> None:
        """Merge one node into another."""
        self._names[one] = into
        self._members[into] += self._members.pop(one)
        bits = self._bits[into] = self._bits.pop(one) | self._bits[into]
        below = self._below[into] = (self._below[one] | self._below[into]) & ~bits
        above = self._above[into] = (self._above[one] | self._above[into]) & ~bits
        for node, node_bits in self._bits.items():
            if node_bits & above:
                self._below[node] |= below | bits
            if node_bits & below:
                self._above[node] |= above | bits

    def sequence(self) -> list[int]:
        """A topological order of the nodes, as close to the original order as possible."""
        follow = {
            name: {self.name(other) for node in members for other in self.after[node]} - {name}
            for name, members in self._members.items()
        }
        before = Counter(other for others in follow.values() for other in others)
        ready = [(max(self._members[name]), name) for name in follow if not before[name]]
        heapq.heapify(ready)
        order = []
        while ready:
            _, name = heapq.heappop(ready)
            order.append(name)
            for other in follow[name]:
                before[other] -= 1
                if not before[other]:
                    heapq.heappush(ready, (max(self._members[other]), other))
        return order
