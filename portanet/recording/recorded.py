"""A function that is recorded when it is first called, and played from then on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from portanet.recording.library import Library
from portanet.recording.linker import Arrays, link
from portanet.recording.program import Program, kind_of
from portanet.recording.tape import Tape, recording
from portanet.recording.tree import flatten, is_array

_MOST = 64  # kinds of arguments: where there are ever new ones, recording them costs more than it gains


class Recorded:
    """A function that gives what `function` gives, and is recorded for each kind of arguments when they first come.

    function  of arrays and numbers, in tuples and dicts; what it does depends on shapes, but not on values
    library   of the arrays
    lent      the place in the returned tuple of arrays that the caller reads before the next call, and does not keep

    All else that is returned is the caller's; arguments are changed in place as by the function. What is given by name
    is no array, and part of the kind. A function that cannot be recorded, since it asks for the value of an array or
    has arrays of its own, is called as it is. Each thread has recordings of its own.
    """

    def __init__(self, function: Callable[..., Any], library: Library, lent: int | None = None) -> None:
        self._function, self._library, self._lent = function, library, lent
        self._here = _Here()

    def __call__(self, *args: Any, **same: Any) -> Any:
        form: list[Any] = []
        given = flatten(args, [], form)
        key = (*form, *same.items(), *map(type, same.values()))
        for program in self._here.programs.get(key, ()):
            if program.takes(given):
                return program.play(*given)
        function = functools.partial(self._function, **same)
        if recording() or not all(self._library.knows(leaf) for leaf in given if is_array(leaf)):
            return function(*args)
        kinds = [kind_of(leaf, self._library.layout) for leaf in given]
        if kinds in self._here.plain.get(key, ()):
            return function(*args)
        return self._record(function, args, key, kinds)

    def programs(self) -> list[Program]:
        """What this thread has recorded; nothing where the function is called as it is."""
        return [program for programs in self._here.programs.values() for program in programs]

    def _record(self, function: Callable[..., Any], args: tuple[Any, ...], key: Any, kinds: list[Any]) -> Any:
        given, tape = flatten(args, []), Tape(self._library)
        here = self._here
        programs = here.programs.setdefault(key, [])
        varying: frozenset[int] = frozenset()
        for program in [one for one in programs if one.would_take(given, self._library.layout)]:
            programs.remove(program)
            here.count -= 1
            varying = program.varying(given)
        if here.count >= _MOST:
            return function(*args)
        here.count += 1
        try:
            result, inputs = tape.run(function, args)
            lent = [] if self._lent is None else flatten([result[self._lent]], [])
            inputs = flatten(inputs, [])
            program = link(self._library, tape.calls, inputs, result, lent=lent, varying=varying, arrays=here.arrays)
        except Exception:  # whatever it is, the function as it is shall raise it, or do without
            tape.rewind()
            here.plain.setdefault(key, []).append(kinds)
            return function(*args)
        tape.rewind()  # that was a rehearsal
        programs.append(program)
        return program.play(*given)


class _Here(threading.local):
    """One thread's recordings. They are played one after the other, so they share the arrays that they write to."""

    def __init__(self) -> None:
        self.programs: dict[Any, list[Program]] = {}
        self.plain: dict[Any, list[Any]] = {}  # the kinds of arguments that cannot be recorded
        self.count = 0  # of both
        self.arrays: Arrays = {}
