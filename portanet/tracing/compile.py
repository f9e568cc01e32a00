"""From noted calls to straight code: which arrays it writes to, and what of it need not be done each time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from portanet._tree import flatten, is_array, map_leaves
from portanet.tracing.emit import Code
from portanet.tracing.guard import Program, entry
from portanet.tracing.library import Library, Statement, Var, real
from portanet.tracing.trace import Op, Tracer
from portanet.xp import namespace

Arrays = dict[Any, list[Any]]


def link(
    library: Library,
    calls: list[Op],
    args: tuple[Any, ...],
    inputs: list[Any],
    result: Any,
    *,
    lent: list[Any],
    varying: frozenset[int],
    arrays: Arrays,
) -> Program:
    """The program of noted calls.

    args     the arguments
    inputs   their leaves, as tracers
    result   what the function returned, of which `lent` may be overwritten by the next call
    varying  the places of arguments that may be other arrays the next time
    arrays   what may be written to, by layout; arrays that are made here are added
    """
    linker = _Linker(library, calls, inputs, result, varying, arrays)
    for number, call in enumerate(linker.calls):
        linker.place(number, call)
        linker.release(number)
    return linker.program(args, result, lent)


class _Linker:
    """Goes through the calls in their order, and knows at each which arrays are there and which are free again.

    Tracers are told apart by `id`, arrays that share memory by what the library calls their memory.
    """

    def __init__(
        self,
        library: Library,
        calls: list[Op],
        inputs: list[Any],
        result: Any,
        varying: frozenset[int],
        arrays: Arrays,
    ) -> None:
        self._library, self._inputs, self._code = library, inputs, Code()
        self.calls = self._needed(calls, result)
        self._values: dict[int, Any] = {}  # of each stand-in: its array where that stays, else a Var
        self._fixed: dict[int, Any] = {}
        for place, leaf in enumerate(inputs):
            if is_array(leaf) and place not in varying:
                self._fixed[place] = self._values[id(leaf)] = leaf.real
            elif isinstance(leaf, Tracer):
                self._values[id(leaf)] = Var(f"a{place}", leaf.real)
        self._settled: set[int] = set()  # the tracers whose values are always the same
        self._constant: set[Any] = set()  # their memory
        self._changed = {self._memory(call.results[0]) for call in calls if call.changes}
        self._last = {self._memory(one): number for number, call in enumerate(self.calls) for one in _tracers(call)}
        self._last |= {self._memory(one): len(self.calls) for one in flatten([result], []) if isinstance(one, Tracer)}
        self._ends: dict[int, list[Any]] = {}
        for memory, number in self._last.items():
            self._ends.setdefault(number, []).append(memory)
        self._own: dict[Any, Any] = {}  # the arrays written to, by the memory that they take the place of
        self._arrays, self._free = arrays, {layout: list(own) for layout, own in arrays.items()}
        self._parts = dict(self._parts_of_vectors())

    def _memory(self, one: Tracer) -> Any:
        return self._library.memory(one.real) if is_array(one) else ("number", id(one))

    def _needed(self, calls: list[Op], result: Any) -> list[Op]:
        """The calls without those whose results nobody reads."""
        needed = {self._memory(one) for one in [*flatten([result], []), *self._inputs] if isinstance(one, Tracer)}
        found = []
        for call in reversed(calls):
            if any(self._memory(one) in needed for one in call.results):
                found.append(call)
                needed |= {self._memory(one) for one in _tracers(call)}
        return found[::-1]

    def _parts_of_vectors(self) -> Iterator[tuple[Any, Any]]:
        """Where vectors are put together: for the memory of a part, its place in the vector, to be written at once."""
        made: dict[Any, Tracer] = {}
        for number, call in enumerate(self.calls):
            result = call.results[0]
            if call.name == "concat" and all(piece.ndim == 1 for piece in call.args[0]):
                vector, start = self._array(self._library.like(result.real)), 0
                self._own[self._memory(result)] = vector
                memories = [self._memory(piece) for piece in call.args[0]]
                for piece, memory in zip(call.args[0], memories, strict=True):
                    stop = start + math.prod(piece.shape)
                    place, part = vector[start:stop], made.get(memory)
                    if part is not None and self._last[memory] == number and memories.count(memory) == 1:
                        place = self._as_part(place, piece, part)
                        if place is not None:
                            yield memory, place
                    start = stop
            elif is_array(result) and not call.changes and not self._is_view(call):
                made[self._memory(result)] = result

    def _as_part(self, place: Any, piece: Tracer, part: Tracer) -> Any:
        """A place in a vector as the array of `part`, of which `piece` is a view; None if their orders differ."""
        layout = self._library.layout
        if layout(place) != layout(piece.real) or math.prod(part.shape) != place.shape[0]:
            return None
        shaped = namespace(place).reshape(place, part.shape)
        return shaped if layout(shaped) == layout(part.real) else None

    def place(self, number: int, call: Op) -> None:
        """Does what can be done now, and writes down the rest."""
        args, kwargs = map_leaves((call.args, call.kwargs), self._value)
        if call.changes:
            lines = (
                None if call.name in ("setitem", "product") else self._library.statements(call.name, args, {}, args[0])
            )
            self._code.write(lines or [Statement(call.function, args, {})])
        elif self._is_settled(call):
            self._know(call, [one.real for one in call.results])
            for one in call.results:
                self._settled.add(id(one))
                self._constant.add(self._memory(one))
                self._library.mark_constant(one.real)
        elif self._is_view(call) and not any(isinstance(leaf, Var) for leaf in flatten([args, kwargs], [])):
            found = call.function(*args, **kwargs)
            self._know(call, list(found) if isinstance(found, (tuple, list)) else [found])
        elif not self._write_into_array(number, call, args, kwargs):
            names = [Var(f"v{number}_{i}" if i else f"v{number}", one.real) for i, one in enumerate(call.results)]
            self._know(call, names)
            self._code.write([Statement(call.function, args, kwargs)], names)

    def release(self, number: int) -> None:
        """Gives the arrays free that call `number` was the last to need."""
        for memory in self._ends.get(number, ()):
            if memory in self._own:
                array = self._own.pop(memory)
                self._free.setdefault(self._library.layout(array), []).append(array)

    def program(self, args: tuple[Any, ...], result: Any, lent: list[Any]) -> Program:
        """The code that was written, as a function."""
        kept = Counter(map(id, flatten([result], []))) - Counter(map(id, lent))
        returned = self._code.tree(result, lambda leaf: self._returned(leaf, kept=id(leaf) in kept))
        play, source = self._code.function(len(self._inputs), returned)
        return Program(entry(args, self._fixed, self._library.layout), play, self._fixed, source)

    def _returned(self, leaf: Any, *, kept: bool) -> str:
        """The code of a leaf of the result: an array that belongs here is copied for who keeps it."""
        for place, given in enumerate(self._inputs):
            if leaf is given and isinstance(leaf, Tracer):
                return f"a{place}"
        value = self._value(leaf)
        if not is_array(leaf):
            return self._code.value(value)
        memory = self._memory(leaf)
        own = memory in self._own
        if memory in self._constant or (kept and own) or not (own or isinstance(value, Var)):
            return f"{self._code.value(self._library.copy)}({self._code.value(value)})"
        return self._code.value(value)

    def _value(self, leaf: Any) -> Any:
        return self._values[id(leaf)] if isinstance(leaf, Tracer) else leaf

    def _know(self, call: Op, values: list[Any]) -> None:
        self._values |= {id(one): value for one, value in zip(call.results, values, strict=True)}

    def _is_view(self, call: Op) -> bool:
        given = {self._memory(one) for one in _tracers(call, results=False) if is_array(one)}
        return not call.changes and is_array(call.results[0]) and self._memory(call.results[0]) in given

    def _is_settled(self, call: Op) -> bool:
        """Whether the results are always the same: of what always is, and not changed afterwards."""
        if any(self._memory(one) in self._changed for one in call.results):
            return False
        return all(id(one) in self._settled for one in _tracers(call, results=False))

    def _write_into_array(self, number: int, call: Op, args: Any, kwargs: Any) -> bool:
        """Writes a call so that its result goes into an array that is there already, if the library can."""
        result = call.results[0]
        if len(call.results) > 1 or not is_array(result) or self._is_view(call):
            return False
        memory = self._memory(result)
        if call.name == "concat" and memory in self._own:
            self._write_pieces(args[0], self._own[memory])
            self._know(call, [self._own[memory]])
            return True
        out = self._parts[memory] if memory in self._parts else self._array_for(number, call)
        lines = None if out is None else self._library.statements(call.name, args, kwargs, out)
        if lines is None:
            return False
        if memory not in self._parts:
            self._own[memory] = out
        self._know(call, [out])
        self._code.write(lines)
        return True

    def _write_pieces(self, pieces: list[Any], vector: Any) -> None:
        """Writes those that are not in the vector yet."""
        start = 0
        for piece in pieces:
            stop = start + real(piece).shape[0]
            if self._library.memory(real(piece)) != self._library.memory(vector):
                self._code.write(
                    self._library.statements("astype", (piece, vector.dtype), {}, vector[start:stop]) or []
                )
            start = stop

    def _array_for(self, number: int, call: Op) -> Any:
        """An array for the result: an argument that is not needed any more, a free one, or a new one."""
        new = self._library.like(call.results[0].real)
        if new is None:
            return None
        given = [one for one in _tracers(call, results=False) if is_array(one)]
        for one in given if call.name in self._library.elementwise else []:
            memory = self._memory(one)
            own = self._own.get(memory)
            alone = all(self._value(other) is own for other in given if self._memory(other) == memory)
            if (
                own is not None
                and self._last[memory] == number
                and alone
                and self._library.layout(own) == self._library.layout(new)
            ):
                return self._own.pop(memory)
        return self._array(new)

    def _array(self, new: Any) -> Any:
        """A free array of the same layout, else the new one."""
        layout = self._library.layout(new)
        if free := self._free.get(layout):
            return free.pop()
        self._arrays.setdefault(layout, []).append(new)
        return new


def _tracers(call: Op, *, results: bool = True) -> list[Tracer]:
    """The tracers among a call's arguments, and its results."""
    given = flatten([call.args, call.kwargs, call.results if results else ()], [])
    return [leaf for leaf in given if isinstance(leaf, Tracer)]
