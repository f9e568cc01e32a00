"""The trace of a function: its calls on arrays, recorded while it runs."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Set
from typing import Any

from portanet._tree import flatten, is_array, map_leaves
from portanet.tracing.library import Library
from portanet.tracing.op import FIXED, Op
from portanet.tracing.tracer import Tracer
from portanet.xp import namespace, register


class Trace:
    """The calls made while a function runs, in order.

    ops  the inputs first, the return last
    """

    def __init__(self, library: Library) -> None:
        self.ops: list[Op] = []
        self._library, self._count = library, 0
        self._inputs: dict[Any, list[Any]] = {}  # arrays among the arguments, by memory
        self._before: list[tuple[Any, Any]] = []  # arrays that were changed, and copies of their previous values

    def run(self, function: Callable[..., Any], args: tuple[Any, ...], dynamic: Set[int] | None = None) -> None:
        """Call the function with Tracers in place of arrays and numbers.

        dynamic  the positions among the leaves of the arguments of arrays that change between calls; None for all
        """
        tracers = map_leaves(args, self._input)
        for position, leaf in enumerate(flatten(tracers, [])):
            if isinstance(leaf, Tracer):
                fixed = dynamic is not None and position not in dynamic and is_array(leaf)
                self.ops.append(Op("input", None, (position,), results=(leaf,), out=FIXED if fixed else None))
        _here.trace = self
        try:
            result = function(*tracers)
            map_leaves(result, _real)
        finally:
            del _here.trace
        self.ops.append(Op("return", None, (result,)))

    def rewind(self) -> None:
        """Undo the side effects of tracing, and clear the trace."""
        for array, before in reversed(self._before):
            array[...] = before
        self._before.clear()
        self._inputs.clear()
        self.ops.clear()  # breaks the reference cycles: each Tracer refers to its trace
        self._count = 0

    def call(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function of the standard, and record it."""
        args, kwargs = map_leaves((args, kwargs), lambda leaf: leaf)  # copied: a list may be changed afterwards
        _require_traceable(name, args, kwargs, self._library)
        value = function(*map_leaves(args, _real), **map_leaves(kwargs, _real))
        several = isinstance(value, (tuple, list))
        if value is None or (several and len(value) < 2):
            raise TypeError(f"{name} cannot be traced")
        results = tuple([self._tracer(each) for each in (value if several else (value,))])
        self.ops.append(Op(name, function, args, kwargs, results))
        return results if several else results[0]

    def change(self, name: str, function: Callable[..., Any], target: Tracer, *rest: Any) -> Any:
        """Call a function that writes into `target`, and record it."""
        rest = map_leaves(rest, lambda leaf: leaf)
        self._save(target.real)
        value = function(target.real, *map_leaves(rest, _real))
        inplace = value is None or (value is target.real and _is_writable(value))
        result = target if inplace else self._tracer(value)
        self.ops.append(Op(name, function, (target, *rest), {}, (result,), inplace))
        return result

    def _save(self, array: Any) -> None:
        """Copy an argument before it is changed for the first time."""
        for argument in self._inputs.pop(self._library.memory(array), []) if _is_writable(array) else []:
            self._before.append((argument, self._library.copy(argument)))

    def _input(self, leaf: Any) -> Any:
        if is_array(leaf):
            self._inputs.setdefault(self._library.memory(leaf), []).append(leaf)
        elif type(leaf) not in (int, float):
            return leaf
        return self._tracer(leaf)

    def _tracer(self, value: Any) -> Tracer:
        number, self._count = self._count, self._count + 1
        if not is_array(value):
            return Tracer(self, value, number, ("number", number))
        if not self._library.is_native(value):
            raise TypeError(f"{type(value)} cannot be traced")
        return _class_for(namespace(value))(self, value, number, self._library.memory(value))


class _Here(threading.local):
    trace: Trace


_here = _Here()


def is_tracing() -> bool:
    """Whether this thread is tracing."""
    return hasattr(_here, "trace")


class _Namespace:
    """The namespace of Tracers: the library's functions, with their calls recorded."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._xp, name)
        if callable(member) and not isinstance(member, type):
            member = functools.partial(_ask if name in _OF_DTYPES else _note, name, member)
        setattr(self, name, member)
        return member


_OF_DTYPES = {"isdtype", "can_cast", "finfo", "iinfo", "result_type", "broadcast_shapes"}


def _note(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return _here.trace.call(name, function, *args, **kwargs)


def _ask(_: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*map_leaves(args, _real), **map_leaves(kwargs, _real))


@functools.cache
def _class_for(xp: Any) -> type[Tracer]:
    """A Tracer class for each library, since the namespace of an array is looked up by its class."""
    kind = type("Tracer", (Tracer,), {"__slots__": ()})
    register(kind, _Namespace(xp))
    return kind


_WITH_NUMBERS = {
    "asarray", "atan2", "clip", "copysign", "full_like", "getitem", "hypot", "logaddexp", "pow", "where",
}  # fmt: skip
_REFUSED = {
    "nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values",  # the shape depends on values
    "copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask",
}  # fmt: skip


def _require_traceable(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], library: Library) -> None:
    """Raise TypeError for a call whose result shape may depend on values, or that writes into its arguments."""
    leaves = flatten([args[:1] if name == "full" else args, kwargs], [])
    numbers = any(isinstance(leaf, Tracer) and not is_array(leaf) for leaf in leaves)
    numbers = numbers and name not in library.elementwise | _WITH_NUMBERS
    masks = name == "getitem" and any(is_array(leaf) and "bool" in str(leaf.dtype) for leaf in flatten(args[1:], []))
    if numbers or masks or name in _REFUSED or "out" in kwargs:
        raise TypeError(f"{name} depends on values, or writes into an array")


def _is_writable(array: Any) -> bool:
    """Whether an array can be changed: NumPy's scalars cannot."""
    return is_array(array) and hasattr(array, "__setitem__")


def _real(leaf: Any) -> Any:
    """The value of a Tracer; raises TypeError for other arrays, which may change between calls."""
    if isinstance(leaf, Tracer):
        return leaf.real
    if is_array(leaf):
        raise TypeError("an array that is neither an argument nor computed from arguments cannot be traced")
    return leaf
