"""The interface of an array library for tracing: its calls that write into existing arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from portanet.tracing.kernel import Kernel
    from portanet.tracing.op import Op

RunPair = Callable[[Callable[[], Any], Callable[[], Any]], None]
"""Calls two functions, concurrently if there is a second thread."""


@dataclass(frozen=True)
class Var:
    """A variable of the emitted code, and its value during tracing."""

    name: str
    real: Any


@dataclass(frozen=True, eq=False)
class Constant:
    """An array whose values are the same in every call."""

    real: Any


def real(value: Any) -> Any:
    """The value of a Var or a Constant; anything else unchanged."""
    return value.real if isinstance(value, (Var, Constant)) else value


class Statement(NamedTuple):
    """One call in the emitted code; its arguments are Vars, Constants, constant arrays and other values."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


Line = tuple[Statement, "list[Var] | None"]
"""A statement, and the names of its results."""


class Form(NamedTuple):
    """The computation of one element by an elementwise call.

    dtypes  the names of the dtypes that the arguments are cast to
    dtype   the name of the result's dtype
    """

    name: str
    dtypes: tuple[str, ...]
    dtype: str


class Library:
    """A library whose arrays can be written to. A subclass adds `write_NAME(out, *args, **kwargs)` for functions of
    the standard, which returns the statements that write their result into `out`, or None if it cannot.

    elementwise  the functions of the standard that read each element before they write it, so that `out` may be an
                 argument
    launches     whether each call is a launch on a device, which may take longer than the computation
    """

    elementwise: frozenset[str]
    launches: bool = False

    def is_native(self, array: Any) -> bool:
        """Whether an array is exactly of this library's class, not a subclass."""
        raise NotImplementedError

    def memory(self, array: Any) -> Any:
        """The owner of the array's memory: equal for an array and its views."""
        raise NotImplementedError

    def like(self, array: Any) -> Any:
        """A new uninitialised array of the same shape, dtype and layout; None if it could not be written to."""
        raise NotImplementedError

    def layout(self, array: Any) -> Any:
        """A value that is equal for arrays of the same shape, dtype and layout."""
        raise NotImplementedError

    def copy(self, array: Any) -> Any:
        """A separate array with the same values."""
        raise NotImplementedError

    def write_elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Statement] | None:
        """The statements that write an elementwise function's result into `out`."""
        raise NotImplementedError

    def form(self, op: Op) -> Form | None:
        """The form of an elementwise call in a kernel; None if kernels do not support it. By default none are fused."""
        return None

    def gathers(self, op: Op) -> bool:
        """Whether a kernel can read the rows of a `take` directly."""
        return False

    def spreads(self, shape: tuple[int, ...]) -> bool:
        """Whether a loop of this shape should recompute broadcast values for each element instead of reading them."""
        return True

    def pays(self, kernel: Kernel) -> bool:
        """Whether a kernel is faster than the calls that it replaces."""
        return True

    def address(self, array: Any) -> tuple[int, tuple[int, ...]] | None:
        """The address of an array, and its strides in bytes; None if a kernel cannot read it."""
        raise NotImplementedError

    def prepare(self, kernels: list[Kernel]) -> Callable[[], bool] | None:
        """Start to compile kernels; return a function that returns whether they are ready, or None without kernels."""
        return None

    def write_kernel(self, kernel: Kernel, value: Callable[[Any], Any]) -> list[Statement]:
        """The statements that run a kernel, given the values of its Tracers."""
        raise NotImplementedError

    def joined(self, lines: list[Line]) -> list[Line]:
        """The same calls in fewer statements, if the library can merge some."""
        return lines

    def statements(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Statement] | None:
        """The statements that write the result of the standard's function into `out`; None if the library has none."""
        if name in self.elementwise and not kwargs:
            return self.write_elementwise(name, args, out)
        write = getattr(self, f"write_{name}", None)
        return write(out, *args, **kwargs) if write else None
