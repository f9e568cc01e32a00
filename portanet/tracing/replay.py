"""Traced: a function that is traced after some calls, and replayed from then on."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from portanet._tree import flatten, is_array
from portanet.tracing.emit import emit
from portanet.tracing.guard import Guard, make_guard, signature
from portanet.tracing.library import Library
from portanet.tracing.op import FIXED, Buffer, Op, Outs
from portanet.tracing.passes import optimize
from portanet.tracing.trace import Trace, is_tracing

_WARMUP = 20  # calls
_CHECKS = 8  # checks that the function still makes the traced calls; the interval doubles after each
_MOST = 64  # kinds of arguments; with more, tracing would take longer than it saves


@dataclass
class Program:
    """The replayed form of a function.

    guard   takes the arguments and returns their leaves, or None for arguments of another kind
    replay  takes the leaves
    fixed   the arrays, by their position among the leaves, that were the same objects in every call so far
    source  the source code of `replay`
    trace   the trace of the function, one line per op
    kind    the kind of arguments that it is for
    """

    guard: Guard
    replay: Callable[..., Any]
    fixed: dict[int, Any]
    source: str
    trace: list[str]
    kind: _Kind


class Traced:
    """A wrapper with the same results as `function`, which is traced for each frequent kind of arguments.

    function  takes arrays and numbers, in tuples and dicts; control flow may depend on shapes, not on values
    library   the library of the arrays
    reused    the position in the returned tuple of arrays that the caller reads before the next call, and does not keep
    pure      whether the function is known to read only its arguments, so that it need not be checked again
    warmup    the number of direct calls before tracing, which does not pay off in a short run

    All other results belong to the caller; arguments are changed in place as by the function. Keyword arguments are
    static and part of the signature. A function that cannot be traced, because it reads the value of an array, uses
    arrays that are not arguments, or makes different calls each time, is called directly. So is a function that no
    longer makes the traced calls, because it read a list or an attribute that has changed, once a check notices it:
    there are a few checks, after 42, 84, 168, ... calls. Each thread has its own programs.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        library: Library,
        reused: int | None = None,
        warmup: int = _WARMUP,
        pure: bool = False,
    ) -> None:
        self._function, self._library, self._reused, self._warmup = function, library, reused, warmup
        self._here, self._pure = _Here(), pure

    def __call__(self, *args: Any, **static: Any) -> Any:
        key = (len(args), *static.items(), *map(type, static.values()))
        here = self._here
        here.calls += 1
        if here.calls == here.next_check:
            self._check(args, static, key)
        if here.waiting:
            here.take_kernels()
        for program in here.programs.get(key, ()):
            if (leaves := program.guard(*args)) is not None:
                return program.replay(*leaves)
        return self._watch(functools.partial(self._function, **static), args, key)

    def programs(self) -> list[Program]:
        """This thread's programs; empty if the function is called directly."""
        return [program for programs in self._here.programs.values() for program in programs]

    def _watch(self, function: Callable[..., Any], args: tuple[Any, ...], key: tuple[Any, ...]) -> Any:
        """Call the function directly, and note which arrays change between calls, until it is traced."""
        form: list[Any] = []
        leaves = flatten(args, [], form)
        if is_tracing() or not all(self._library.is_native(leaf) for leaf in leaves if is_array(leaf)):
            return function(*args)
        kind = (*key, *form, *(signature(leaf, self._library.layout) for leaf in leaves))
        kinds = self._here.kinds
        if kind not in kinds and len(kinds) >= _MOST:
            return function(*args)
        seen = kinds.setdefault(kind, _Kind(leaves))
        seen.look(leaves)
        if seen.calls <= self._warmup or seen.plain:
            return function(*args)
        programs = self._here.programs.setdefault(key, [])
        programs[:] = [program for program in programs if program is not seen.program]
        seen.program = self._compile(function, args, seen)
        if seen.program is None:
            seen.plain = True
            return function(*args)
        programs.append(seen.program)
        if not self._pure:
            self._here.check_later()
        return seen.program.replay(*leaves)

    def _check(self, args: tuple[Any, ...], static: dict[str, Any], key: tuple[Any, ...]) -> None:
        """Trace the function again, and drop a program whose trace has changed."""
        self._here.check_later()
        programs = self._here.programs.get(key, [])
        for program in [program for program in programs if program.guard(*args) is not None]:
            trace = Trace(self._library)
            try:
                trace.run(functools.partial(self._function, **static), args, program.kind.traced)
                same = list(map(str, trace.ops)) == program.trace
            except Exception:  # a direct call raises it
                same = False
            finally:
                trace.rewind()
            if not same:
                program.kind.plain = True
                programs.remove(program)

    def _compile(self, function: Callable[..., Any], args: tuple[Any, ...], kind: _Kind) -> Program | None:
        """Trace the function, without changing the arguments; None if that is not possible."""
        trace, dynamic = Trace(self._library), frozenset(kind.dynamic)
        kind.traced = dynamic
        try:
            trace.run(function, args, dynamic)
            first = list(map(str, trace.ops))
            trace.rewind()
            trace.run(function, args, dynamic)
            if list(map(str, trace.ops)) != first:  # random numbers, or a clock
                return None
            fixed = {op.args[0]: op.results[0].real for op in trace.ops if op.out is FIXED}
            guard, leaves = make_guard(args, fixed, self._library.layout), len(flatten(args, []))
            replay, source = self._emit(optimize(trace.ops, self._library), leaves)
            program = Program(guard, replay, fixed, source, first, kind)
            self._fuse(trace.ops, program, leaves)
            return program
        except Exception:  # a direct call raises it too, or avoids it
            return None
        finally:
            trace.rewind()

    def _emit(self, ops: list[Op], leaves: int, *, joined: bool = False) -> tuple[Callable[..., Any], str]:
        return emit(self._here.share(ops, self._library), self._library, leaves, self._reused, joined=joined)

    def _fuse(self, ops: list[Op], program: Program, leaves: int) -> None:
        """Use kernels in a program as soon as they are ready."""
        ops = optimize(ops, self._library, fused=True)
        kernels = [op.kernel for op in ops if op.is_fused]
        ready = self._library.prepare(kernels) if kernels else None
        if ready is not None:
            self._here.waiting.append((program, ready, functools.partial(self._emit, ops, leaves, joined=True)))


class _Kind:
    """Statistics of the calls with arguments of one kind."""

    def __init__(self, leaves: list[Any]) -> None:
        self.calls, self.plain = 0, False
        self.program: Program | None = None
        self.dynamic: set[int] = set()  # positions of arrays that change between calls
        self.traced: frozenset[int] = frozenset()  # the same at the time of tracing
        self._leaves = leaves

    def look(self, leaves: list[Any]) -> None:
        """Count a call, and note which arrays have changed."""
        self.calls += 1
        self.dynamic |= {i for i, leaf in enumerate(leaves) if leaf is not self._leaves[i] and is_array(leaf)}
        self._leaves = leaves


class _Here(threading.local):
    """One thread's programs. They never run concurrently, so they share buffers."""

    def __init__(self) -> None:
        self.programs: dict[Any, list[Program]] = {}
        self.kinds: dict[Any, _Kind] = {}
        self.calls, self.next_check, self._checks = 0, 0, 0
        self._arrays: dict[Any, list[Any]] = {}  # by layout
        self.waiting: list[tuple[Program, Callable[[], bool], Callable[[], Any]]] = []  # for their kernels

    def check_later(self) -> None:
        """Schedule the next check after twice as many calls, up to a limit of checks."""
        self._checks += 1
        self.next_check = 2 * self.calls if self._checks <= _CHECKS else 0

    def take_kernels(self) -> None:
        """Switch programs to their kernels if these are ready."""
        for program, ready, make in list(self.waiting):
            if ready():
                self.waiting.remove((program, ready, make))
                with contextlib.suppress(Exception):  # kernels may not support its arrays
                    program.replay, program.source = make()

    def share(self, ops: list[Op], library: Library) -> list[Op]:
        """The ops with the buffers of earlier programs, if layouts are equal."""
        buffers: dict[int, Buffer] = {}
        taken: dict[Any, int] = {}

        def shared(out: Any) -> Any:
            if isinstance(out, Outs):
                return Outs(map(shared, out))
            if not isinstance(out, Buffer):
                return out
            if out.number not in buffers:
                layout = library.layout(out.array)
                arrays, count = self._arrays.setdefault(layout, []), taken.get(layout, 0)
                if count == len(arrays):
                    arrays.append(out.array)
                buffers[out.number] = Buffer(out.number, arrays[count])
                taken[layout] = count + 1
            return buffers[out.number]

        return [replace(op, out=shared(op.out)) for op in ops]
