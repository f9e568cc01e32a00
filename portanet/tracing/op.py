"""One call of a traced function, and where its result is stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from portanet._tree import flatten, is_array
from portanet.tracing.tracer import Tracer
from portanet.xp import namespace

if TYPE_CHECKING:
    from portanet.tracing.kernel import Kernel


@dataclass(frozen=True)
class Place:
    """Where a constant result is stored."""

    text: str

    def __str__(self) -> str:
        return self.text


FIXED = Place("same array")  # an input
CONSTANT = Place("constant")
VIEW = Place("view")  # of an array that is the same in every call


@dataclass(frozen=True, eq=False)
class Buffer:
    """An array that every call overwrites."""

    number: int
    array: Any

    def __str__(self) -> str:
        return f"buffer {self.number}"


@dataclass(frozen=True, eq=False)
class Part:
    """Entries start:stop of a vector that is concatenated later."""

    vector: Tracer
    start: int
    stop: int

    def within(self, vector: Any, like: Any) -> Any:
        """These entries of the vector's array, in the shape of another array."""
        return namespace(vector).reshape(vector[self.start : self.stop], tuple(like.shape))

    def __str__(self) -> str:
        return f"{self.vector}[{self.start}:{self.stop}]"


class Outs(tuple[Buffer | Part | None, ...]):
    """Where the new arrays of a kernel are stored; arrays changed in place are not listed."""


@dataclass(frozen=True, eq=False)
class Op:
    """One call, written `%3 = maximum(%2, 0.0) -> buffer 1`.

    The first ops of a trace are its inputs, each with the position of a leaf among the arguments; the last is the
    return.

    name      the name of the function in the standard, or "input" or "return"
    function  the callable; None for inputs and the return
    args      Tracers, and other values except arrays, in tuples, lists and dicts
    results   one Tracer, or several
    inplace   whether it writes into args[0], which is also its result
    out       where a pass has decided to store the result; None for a variable
    """

    name: str
    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    results: tuple[Tracer, ...] = ()
    inplace: bool = False
    out: Place | Buffer | Part | Outs | None = None

    @cached_property
    def operands(self) -> list[Tracer]:
        """The Tracers among the arguments."""
        return [leaf for leaf in flatten([self.args, self.kwargs], []) if isinstance(leaf, Tracer)]

    @property
    def is_call(self) -> bool:
        """Whether it is neither an input nor the return."""
        return self.function is not None

    @property
    def is_fused(self) -> bool:
        """Whether it is a kernel: args[0] are read, args[1] are changed and are also the last of its results."""
        return isinstance(self.out, Outs)

    @property
    def kernel(self) -> Kernel:
        """The function of a kernel."""
        return cast("Kernel", self.function)

    @cached_property
    def is_view(self) -> bool:
        """Whether the result shares memory with an argument."""
        if self.inplace or self.is_fused or not self.results or not is_array(self.results[0]):
            return False
        return self.results[0].memory in {operand.memory for operand in self.operands if is_array(operand)}

    def __str__(self) -> str:
        if isinstance(self.out, Outs):
            return self._fused_text(self.out)
        args = [_text(arg) for arg in self.args] + [f"{name}={_text(arg)}" for name, arg in self.kwargs.items()]
        text = f"{self.name}({', '.join(args)})"
        if self.results and not self.inplace:
            text = f"{', '.join(map(str, self.results))} = {text}"
        out = self.results[0] if self.inplace else self.out
        return text if out is None else f"{text} -> {out}"

    def _fused_text(self, outs: Outs) -> str:
        """A kernel, written `%3 = multiply+add(%1, %2) -> buffer 1, %2`."""
        made = "".join([f"{result}, " for result in self.results[: len(outs)]])[:-2]
        written = ", ".join(map(str, (*[out for out in outs if out is not None], *self.args[1])))
        text = f"{made} = " * bool(outs) + f"{self.function}({', '.join(map(str, self.args[0]))})"
        return f"{text} -> {written}" if written else text


def show(ops: Sequence[Op]) -> str:
    """The ops as text, one per line."""
    return "\n".join(map(str, ops))


def _text(tree: Any) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{name!r}: {_text(branch)}" for name, branch in tree.items()) + "}"
    if isinstance(tree, (tuple, list)):
        inside = ", ".join(map(_text, tree))
        return f"[{inside}]" if isinstance(tree, list) else f"({inside})"
    if isinstance(tree, slice):
        bounds = [tree.start, tree.stop] + ([] if tree.step is None else [tree.step])
        return ":".join("" if bound is None else _text(bound) for bound in bounds)
    if isinstance(tree, Tracer):
        return str(tree)
    return "..." if tree is Ellipsis else getattr(tree, "__name__", None) or repr(tree)
