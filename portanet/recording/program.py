"""Noted calls as straight code: which arrays it writes to, and what of it need not be done each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from portanet.namespace import namespace
from portanet.recording.library import Library, Line, Name
from portanet.recording.tape import Call, StandIn, is_array
from portanet.recording.tree import each, flatten


class Program(NamedTuple):
    """What was recorded.

    play    takes the leaves of the arguments
    fixed   the places of arrays that were the same ones in every call so far, and those arrays: the code holds them
    kinds   the places of all other arguments, and what they have in common from call to call
    source  the code of `play`, to read
    """

    play: Callable[..., Any]
    fixed: list[tuple[int, Any]]
    kinds: list[tuple[int, Any]]
    source: str

    def takes(self, given: list[Any]) -> bool:
        """Whether `play` may be called with these."""
        for place, array in self.fixed:
            if given[place] is not array:
                return False
        for place, kind in self.kinds:
            if _kind(given[place]) != kind:
                return False
        return True

    def takes_like(self, given: list[Any]) -> bool:
        """Whether it could be, but for other arrays in place of the fixed ones."""
        return all([_kind(given[place]) == kind for place, kind in self.kinds]) and all(
            [_kind(given[place]) == _kind(array) for place, array in self.fixed]
        )

    def varying(self, given: list[Any]) -> frozenset[int]:
        """The places of all arrays that were not the same ones in every call, this one too."""
        fixed = {place for place, array in self.fixed if given[place] is array}
        return frozenset(place for place, leaf in enumerate(given) if is_array(leaf) and place not in fixed)


def _kind(leaf: Any) -> Any:
    """What calls with this argument have in common."""
    return (leaf.shape, leaf.dtype) if is_array(leaf) else type(leaf)


def link(
    library: Library,
    calls: list[Call],
    inputs: list[Any],
    result: Any,
    lent: list[Any],
    varying: frozenset[int],
    arrays: dict[Any, list[Any]],
) -> Program:
    """The program of noted calls.

    inputs   the leaves of the arguments
    result   what the function returned, of which `lent` may be overwritten by the next call
    varying  the places of arguments that may be other arrays the next time
    arrays   what may be written to, by layout; what is made here is added
    """
    linker = _Linker(library, calls, inputs, result, varying, arrays)
    for number, call in enumerate(linker.calls):
        linker.place(number, call)
        linker.free(number)
    return linker.program(result, lent)


class _Linker:
    """Goes through the calls in their order, and knows at each which arrays are there and which are free again."""

    def __init__(
        self,
        library: Library,
        calls: list[Call],
        inputs: list[Any],
        result: Any,
        varying: frozenset[int],
        arrays: dict[Any, list[Any]],
    ) -> None:
        self._library, self._inputs, self._arrays = library, inputs, arrays
        self.calls = self._needed(calls, result)
        self._values: dict[int, Any] = {}  # of each stand-in: its array where that stays, else a Name
        self._fixed: dict[int, Any] = {}
        for place, leaf in enumerate(inputs):
            if isinstance(leaf, StandIn):
                stays = is_array(leaf) and place not in varying
                self._values[id(leaf)] = leaf.real if stays else Name(f"a{place}", leaf.real)
                self._fixed |= {place: leaf.real} if stays else {}
        self._always: set[int] = set()  # the stand-ins whose values are always the same
        self._changed = {self._memory(call.results[0]) for call in self.calls if call.changes}
        self._last = {self._memory(one): i for i, call in enumerate(self.calls) for one in _stand_ins(call)}
        self._last |= {self._memory(one): len(self.calls) for one in flatten([result], []) if isinstance(one, StandIn)}
        self._ending: dict[int, list[Any]] = {}
        for memory, number in self._last.items():
            self._ending.setdefault(number, []).append(memory)
        self._own: dict[Any, Any] = {}  # arrays made here, by the memory that they take the place of
        self._free = {layout: list(own) for layout, own in arrays.items()}
        self._code: list[str] = []
        self._constants: list[Any] = []
        self._names: dict[int, str] = {}
        self._parts = self._parts_of_vectors()

    def _memory(self, one: StandIn) -> Any:
        return self._library.memory(one.real) if is_array(one) else ("number", id(one))

    def _needed(self, calls: list[Call], result: Any) -> list[Call]:
        """The calls without those whose results nobody reads."""
        needed = {self._memory(one) for one in [*flatten([result], []), *self._inputs] if isinstance(one, StandIn)}
        found = []
        for call in reversed(calls):
            if any([self._memory(one) in needed for one in call.results]):
                found.append(call)
                needed |= {self._memory(one) for one in _stand_ins(call)}
        return found[::-1]

    def place(self, number: int, call: Call) -> None:
        """Does what can be done now, and writes down the rest."""
        args, kwargs = each((call.args, call.kwargs), self._value)
        if call.changes:
            lines = None if call.name == "setitem" else self._library.lines(call.name, args, {}, args[0])
            self._write(lines or [Line(call.function, args, {})])
        elif self._is_always_the_same(call):
            self._values |= {id(one): one.real for one in call.results}
            self._always |= {id(one) for one in call.results}
            for one in call.results:
                self._library.settled(one.real)
        elif self._is_view(call) and not any([isinstance(leaf, Name) for leaf in flatten((args, kwargs), [])]):
            found = call.function(*args, **kwargs)
            found = found if isinstance(found, (tuple, list)) else [found]
            self._values |= {id(one): array for one, array in zip(call.results, found, strict=True)}
        elif not self._write_into_array(number, call, args, kwargs):
            names = [Name(f"v{number}_{i}", one.real) for i, one in enumerate(call.results)]
            self._values |= {id(one): name for one, name in zip(call.results, names, strict=True)}
            self._write([Line(call.function, args, kwargs)], ", ".join([name.name for name in names]) + " = ")

    def free(self, number: int) -> None:
        """Gives the arrays free that call `number` was the last to need."""
        for memory in self._ending.get(number, ()):
            if memory in self._own:
                array = self._own.pop(memory)
                self._free.setdefault(self._library.layout(array), []).append(array)

    def program(self, result: Any, lent: list[Any]) -> Program:
        """The code that was written, as a function."""
        kept = {id(leaf) for leaf in flatten([result], [])} - {id(leaf) for leaf in lent}
        returned = self._written(result, lambda leaf: self._returned(leaf, id(leaf) in kept))
        arguments = ", ".join([f"a{place}" for place in range(len(self._inputs))])
        body = "\n".join([f"        {line}" for line in [*self._code, f"return {returned}"]])
        source = f"def link({', '.join(self._names.values())}):\n    def play({arguments}):\n{body}\n    return play\n"
        scope: dict[str, Any] = {}
        exec(source, scope)  # noqa: S102 - written above
        kinds = [(place, _kind(_real(leaf))) for place, leaf in enumerate(self._inputs) if place not in self._fixed]
        return Program(scope["link"](*self._constants), list(self._fixed.items()), kinds, source)

    def _is_view(self, call: Call) -> bool:
        given = {self._memory(one) for one in _stand_ins(call, results=False) if is_array(one)}
        return not call.changes and is_array(call.results[0]) and self._memory(call.results[0]) in given

    def _is_always_the_same(self, call: Call) -> bool:
        known = all([id(one) in self._always for one in _stand_ins(call, results=False)])
        return known and not any([self._memory(one) in self._changed for one in call.results])

    def _write_into_array(self, number: int, call: Call, args: Any, kwargs: Any) -> bool:
        """Writes a call so that its result goes into an array that is there already, if the library can."""
        result = call.results[0]
        if len(call.results) > 1 or not is_array(result) or self._is_view(call):
            return False
        memory = self._memory(result)
        if call.name == "concat" and memory in self._own:
            self._write_parts(call, args[0], self._own[memory])
            return True
        part = self._parts.get(memory)
        out = self._array(number, call) if part is None else part
        lines = None if out is None else self._library.lines(call.name, args, kwargs, out)
        if lines is None:
            return False
        if part is None:
            self._own[memory] = out
        self._values[id(result)] = out
        self._write(lines)
        return True

    def _array(self, number: int, call: Call) -> Any:
        """An array like the result: an argument that is not needed any more, a free one, or a new one."""
        new = self._library.like(call.results[0].real)
        if new is None:
            return None
        layout, given = self._library.layout(new), [one for one in _stand_ins(call, results=False) if is_array(one)]
        for one in given if call.name in self._library.elementwise else []:
            memory = self._memory(one)
            own, others = self._own.get(memory), [other for other in given if self._memory(other) == memory]
            if own is not None and self._last[memory] == number and self._library.layout(own) == layout:
                if all([self._values[id(other)] is own for other in others]):
                    return self._own.pop(memory)
        return self._free_array(new)

    def _free_array(self, new: Any) -> Any:
        """An array of this layout that nobody needs, else this one."""
        layout = self._library.layout(new)
        if free := self._free.get(layout):
            return free.pop()
        self._arrays.setdefault(layout, []).append(new)
        return new

    def _parts_of_vectors(self) -> dict[Any, Any]:
        """Where results that are put together to a vector may be written at once: places in that vector, by memory."""
        made = {}
        for call in self.calls:
            if not call.changes and call.name != "concat" and not self._is_view(call) and is_array(call.results[0]):
                made[self._memory(call.results[0])] = call.results[0]
        found: dict[Any, Any] = {}
        for number, call in enumerate(self.calls):
            if call.name == "concat" and call.results[0].ndim == 1:
                vector, start = self._free_array(self._library.like(call.results[0].real)), 0
                self._own[self._memory(call.results[0])] = vector
                for piece in call.args[0]:
                    memory, stop = self._memory(piece), start + piece.size
                    result = made.get(memory)
                    whole = result is not None and result.size == piece.size and memory not in found
                    if whole and self._last[memory] == number:
                        place = namespace(vector).reshape(vector[start:stop], result.shape)
                        if self._library.layout(place) == self._library.layout(result.real):
                            found[memory] = place
                    start = stop
        return found

    def _write_parts(self, call: Call, pieces: Any, vector: Any) -> None:
        """Writes what is not in the vector yet into its place."""
        start = 0
        for piece in pieces:
            like = piece.real if isinstance(piece, Name) else piece
            place = vector[start : start + like.shape[0]]
            if isinstance(piece, Name) or self._library.memory(piece) != self._library.memory(vector):
                self._write(self._library.lines("astype", (piece, vector.dtype), {}, place) or [])
            start += like.shape[0]
        self._values[id(call.results[0])] = vector

    def _value(self, leaf: Any) -> Any:
        return self._values[id(leaf)] if isinstance(leaf, StandIn) else leaf

    def _returned(self, leaf: Any, kept: bool) -> str:
        """A leaf of the result: an array of the program's own is copied for who keeps it."""
        if not isinstance(leaf, StandIn):
            return self._expression(leaf)
        for place, given in enumerate(self._inputs):
            if leaf is given:
                return f"a{place}"
        value = self._expression(self._value(leaf))
        kept = kept or not (is_array(leaf) and self._memory(leaf) in self._own)
        own = kept and is_array(leaf) and not isinstance(self._value(leaf), Name)
        return f"{self._expression(self._library.copy)}({value})" if own else value

    def _write(self, lines: list[Line], before: str = "") -> None:
        for function, args, kwargs in lines:
            given = [self._written(arg, self._expression) for arg in args]
            given += [f"{name}={self._written(arg, self._expression)}" for name, arg in kwargs.items()]
            self._code.append(f"{before}{self._expression(function)}({', '.join(given)})")

    def _written(self, tree: Any, leaf: Callable[[Any], str]) -> str:
        """The code of a tree, from the code of its leaves."""
        if isinstance(tree, dict):
            return "{" + ", ".join([f"{name!r}: {self._written(own, leaf)}" for name, own in tree.items()]) + "}"
        if isinstance(tree, (tuple, list)):
            inside = "".join([f"{self._written(own, leaf)}, " for own in tree])
            if hasattr(tree, "_fields"):
                return f"{self._expression(type(tree))}({inside})"
            return f"[{inside}]" if isinstance(tree, list) else f"({inside})"
        return leaf(tree)

    def _expression(self, value: Any) -> str:
        """The code of a value: short ones as they are written, others by a name."""
        if isinstance(value, Name):
            return value.name
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        name = self._names.get(id(value))
        if name is None:
            word = str(getattr(value, "__name__", ""))
            name = self._names[id(value)] = f"{word if word.isidentifier() else 'c'}_{len(self._constants)}"
            self._constants.append(value)
        return name


def _real(leaf: Any) -> Any:
    return leaf.real if isinstance(leaf, StandIn) else leaf


def _stand_ins(call: Call, *, results: bool = True) -> Iterator[StandIn]:
    """The stand-ins among a call's arguments, and its results."""
    given = (call.args, call.kwargs, call.results if results else ())
    return (leaf for leaf in flatten(given, []) if isinstance(leaf, StandIn))
