"""A function that is traced after some calls, and replayed from then on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from portanet._tree import flatten, is_array
from portanet.tracing.compile import Arrays, link
from portanet.tracing.guard import Program, kind_of
from portanet.tracing.library import Library
from portanet.tracing.trace import Trace, is_tracing

_WARMUP = 20  # calls
_MOST = 64  # kinds of arguments: where there are ever new ones, tracing them costs more than it gains


class Traced:
    """A function that gives what `function` gives, and is traced for each kind of arguments that comes often.

    function  of arrays and numbers, in tuples and dicts; what it does depends on shapes, but not on values
    library   of the arrays
    reused    the place in the returned tuple of arrays that the caller reads before the next call, and does not keep
    warmup    how many calls are made as they are: a short training is over before tracing has paid

    All else that is returned is the caller's; arguments are changed in place as by the function. What is given by name
    is no array, and part of the kind. A function that cannot be traced, since it asks for the value of an array or
    has arrays of its own, is called as it is. Each thread has programs of its own.
    """

    def __init__(
        self, function: Callable[..., Any], library: Library, reused: int | None = None, warmup: int = _WARMUP
    ) -> None:
        self._function, self._library, self._reused, self._warmup = function, library, reused, warmup
        self._here = _Here()

    def __call__(self, *args: Any, **same: Any) -> Any:
        key = (len(args), *same.items(), *map(type, same.values()))
        for program in self._here.programs.get(key, ()):
            if (given := program.enter(*args)) is not None:
                return program.play(*given)
        return self._watch(functools.partial(self._function, **same), args, key)

    def programs(self) -> list[Program]:
        """What this thread has recorded; nothing where the function is called as it is."""
        return [program for programs in self._here.programs.values() for program in programs]

    def _watch(self, function: Callable[..., Any], args: tuple[Any, ...], key: tuple[Any, ...]) -> Any:
        """Calls the function as it is, and sees which arrays are other ones each time, until it is recorded."""
        form: list[Any] = []
        given = flatten(args, [], form)
        if is_tracing() or not all(self._library.is_native(leaf) for leaf in given if is_array(leaf)):
            return function(*args)
        kind, kinds = (*key, *form, *(kind_of(leaf, self._library.layout) for leaf in given)), self._here.kinds
        if kind not in kinds and len(kinds) >= _MOST:
            return function(*args)
        seen = kinds.setdefault(kind, _Kind(given))
        seen.look(given)
        if seen.calls <= self._warmup or seen.plain:
            return function(*args)
        programs = self._here.programs.setdefault(key, [])
        programs[:] = [program for program in programs if program is not seen.program]
        trace = Trace(self._library)
        try:
            result, tracers = trace.run(function, args)
            reused = [] if self._reused is None else flatten([result[self._reused]], [])
            inputs, varying = flatten(tracers, []), frozenset(seen.varying)
            seen.program = link(
                self._library, trace.calls, args, inputs, result, lent=reused, varying=varying, arrays=self._here.arrays
            )
        except Exception:  # whatever it is, the function as it is shall raise it, or do without
            trace.rewind()
            seen.plain = True
            return function(*args)
        trace.rewind()  # that was a rehearsal
        programs.append(seen.program)
        return seen.program.play(*given)


class _Kind:
    """What is known of calls with arguments of one kind."""

    def __init__(self, given: list[Any]) -> None:
        self.calls, self.plain = 0, False
        self.program: Program | None = None
        self.varying: set[int] = set()  # the places of arrays that are other ones each time
        self._given = given

    def look(self, given: list[Any]) -> None:
        """Counts a call."""
        self.calls += 1
        self.varying |= {place for place, leaf in enumerate(given) if leaf is not self._given[place] and is_array(leaf)}
        self._given = given


class _Here(threading.local):
    """One thread's programs. They are played one after the other, so they share the arrays that they write to."""

    def __init__(self) -> None:
        self.programs: dict[Any, list[Program]] = {}
        self.kinds: dict[Any, _Kind] = {}
        self.arrays: Arrays = {}
