"""What a function does with its arrays, noted while it runs."""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from portanet._tree import flatten, is_array, map_leaves
from portanet.tracing.library import Library
from portanet.xp import namespace, register


class Tracer:
    """Stands for an array, or for a number that may be another one the next time; `real` is what it stands for."""

    __slots__ = ("real", "trace")
    __array_ufunc__ = None  # NumPy's arrays leave operators to ours
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, trace: Trace, real: Any) -> None:
        self.trace, self.real = trace, real

    shape = property(lambda self: self.real.shape)
    size = property(lambda self: self.real.size)
    ndim = property(lambda self: self.real.ndim)
    dtype = property(lambda self: self.real.dtype)
    device = property(lambda self: getattr(self.real, "device", None))
    T = property(lambda self: self.trace.call("T", operator.attrgetter("T"), self))

    def __getitem__(self, key: Any) -> Any:
        return self.trace.call("getitem", operator.getitem, self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.trace.change("setitem", operator.setitem, self, key, value)

    def __bool__(self) -> bool:
        raise TypeError("a traced function cannot decide by a value that may be another one the next time")

    __float__ = __int__ = __index__ = __len__ = __iter__ = __array__ = __bool__


def _add_operator(short: str, standard: str) -> None:
    """Gives Tracer an operator of the standard: forward, reflected and in place."""
    plain, inplace = getattr(operator, f"__{short}__"), getattr(operator, f"__i{short}__", lambda *_: None)

    def forward(self: Tracer, *other: Any) -> Any:
        return self.trace.call(standard, plain, self, *other)

    def reflected(self: Tracer, other: Any) -> Any:
        return self.trace.call(standard, plain, other, self)

    def changed(self: Tracer, other: Any) -> Any:
        return self.trace.change(standard, inplace, self, other)

    setattr(Tracer, f"__{short}__", forward)
    if hasattr(operator, f"__i{short}__"):
        setattr(Tracer, f"__r{short}__", reflected)
        setattr(Tracer, f"__i{short}__", changed)


for _short, _standard in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "matmul": "product", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    "neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert",
}.items():  # fmt: skip
    _add_operator(_short, _standard)


class _Names:
    """The namespace of tracers: the library's functions, whose calls are noted."""

    def __init__(self, xp: Any) -> None:
        self._xp = xp

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._xp, name)
        if callable(found) and not isinstance(found, type):
            found = functools.partial(_ask if name in _OF_DTYPES else _note, name, found)
        setattr(self, name, found)
        return found


_OF_DTYPES = {"isdtype", "can_cast", "finfo", "iinfo", "result_type", "broadcast_shapes"}


def _note(name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return _here.trace.call(name, function, *args, **kwargs)


def _ask(_: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(*map_leaves(args, _known), **map_leaves(kwargs, _known))


@functools.cache
def _class_for(xp: Any) -> type[Tracer]:
    """A class for each library, since the class of an array tells its namespace."""
    kind = type("Tracer", (Tracer,), {"__slots__": ()})
    register(kind, _Names(xp))
    return kind


class Op(NamedTuple):
    """One call: what it is in the standard, how it is done, and on what; `changes` if it writes into args[0]."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[Tracer, ...]
    changes: bool


class Trace:
    """The calls that were made while a function ran, in their order."""

    def __init__(self, library: Library) -> None:
        self.calls: list[Op] = []
        self._library = library
        self._given: dict[Any, list[Any]] = {}  # the arguments' arrays, by their memory
        self._before: list[tuple[Any, Any]] = []  # those that were changed, and what they held

    def run(self, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Any]:
        """What the function returns, and the tracers in place of arrays and numbers that it was given."""
        inputs = map_leaves(args, self._input)
        _here.trace = self
        try:
            result = function(*inputs)
            map_leaves(result, _known)
            return result, inputs
        finally:
            del _here.trace

    def rewind(self) -> None:
        """Gives the arguments that were changed the values that they had, and forgets all that was noted."""
        for array, before in reversed(self._before):
            array[...] = before
        self._before.clear()
        self._given.clear()
        self.calls.clear()  # each array there knows its trace

    def call(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = map_leaves((args, kwargs), lambda leaf: leaf)  # a list may be changed afterwards
        _check(name, args, kwargs, self._library)
        found = function(*map_leaves(args, _known), **map_leaves(kwargs, _known))
        several = isinstance(found, (tuple, list))
        if found is None or (several and len(found) < 2):
            raise TypeError(f"what {name} did cannot be traced")
        results = tuple([self._wrapped(one) for one in (found if several else (found,))])
        self.calls.append(Op(name, function, args, kwargs, results, changes=False))
        return results if several else results[0]

    def change(self, name: str, function: Callable[..., Any], target: Tracer, *rest: Any) -> Any:
        rest = map_leaves(rest, lambda leaf: leaf)
        self._keep(target.real)
        found = function(target.real, *map_leaves(rest, _known))
        same = found is None or (found is target.real and _changes(found))
        result = target if same else self._wrapped(found)
        self.calls.append(Op(name, function, (target, *rest), {}, (result,), changes=same))
        return result

    def _keep(self, array: Any) -> None:
        """Copies an argument before it is changed for the first time."""
        for given in self._given.pop(self._library.memory(array), []) if _changes(array) else []:
            self._before.append((given, self._library.copy(given)))

    def _input(self, leaf: Any) -> Any:
        if is_array(leaf):
            self._given.setdefault(self._library.memory(leaf), []).append(leaf)
        elif type(leaf) not in (int, float):
            return leaf
        return self._wrapped(leaf)

    def _wrapped(self, found: Any) -> Tracer:
        if not is_array(found):
            return Tracer(self, found)
        if not self._library.is_native(found):
            raise TypeError(f"{type(found)} cannot be traced")
        return _class_for(namespace(found))(self, found)


class _Here(threading.local):
    trace: Trace


_here = _Here()


def is_tracing() -> bool:
    """Whether this thread is noting calls now."""
    return hasattr(_here, "trace")


_WITH_NUMBERS = {
    "asarray", "atan2", "clip", "copysign", "full_like", "getitem", "hypot", "logaddexp", "pow", "where",
}  # fmt: skip
_REFUSED = {
    "nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values",  # as many as there happen to be
    "copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask",
}  # fmt: skip


def _check(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], library: Library) -> None:
    """TypeError for a call whose result may have another shape the next time, or that writes into its arguments."""
    leaves = flatten([args[:1] if name == "full" else args, kwargs], [])
    numbers = any(isinstance(leaf, Tracer) and not is_array(leaf) for leaf in leaves)
    numbers = numbers and name not in library.elementwise | _WITH_NUMBERS
    masks = name == "getitem" and any(is_array(leaf) and "bool" in str(leaf.dtype) for leaf in flatten(args[1:], []))
    if numbers or masks or name in _REFUSED or "out" in kwargs:
        raise TypeError(f"{name} depends on values, or writes into an array")


def _changes(array: Any) -> bool:
    """Whether it can be changed: NumPy's numbers cannot."""
    return is_array(array) and hasattr(array, "__setitem__")


def _known(leaf: Any) -> Any:
    """What a stand-in stands for; TypeError for an array from elsewhere, which may be another one the next time."""
    if isinstance(leaf, Tracer):
        return leaf.real
    if is_array(leaf):
        raise TypeError("an array that was neither given nor computed from what was given cannot be traced")
    return leaf
