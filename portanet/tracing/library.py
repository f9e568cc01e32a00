"""An array library as tracing needs it: its calls that write into an array that is there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from portanet.tracing.kernel import Kernel
    from portanet.tracing.op import Op

RunPair = Callable[[Callable[[], Any], Callable[[], Any]], None]
"""Calls two functions, at the same time if a second thread is there."""


@dataclass(frozen=True)
class Var:
    """A variable of the emitted code, and the value that it had while the function was traced."""

    name: str
    real: Any


@dataclass(frozen=True, eq=False)
class Constant:
    """An array whose values are the same in every call."""

    real: Any


def real(value: Any) -> Any:
    """The value of a Var or a Constant; anything else itself."""
    return value.real if isinstance(value, (Var, Constant)) else value


class Statement(NamedTuple):
    """One call in the emitted code; its arguments are Vars, Constants, arrays that stay the same, and other values."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Form(NamedTuple):
    """How an elementwise call computes one element: what it is called, and the dtypes by name.

    dtypes  to which each argument is cast
    dtype   of the result
    """

    name: str
    dtypes: tuple[str, ...]
    dtype: str


class Library:
    """A library whose arrays can be written to. A subclass adds `write_NAME(out, *args, **kwargs)` for functions of
    the standard, which returns the statements that write their result into `out`, or None where it cannot.

    elementwise  the functions of the standard that read each number before they write it: out may be an argument
    """

    elementwise: frozenset[str]

    def is_native(self, array: Any) -> bool:
        """Whether it is an array of this library, and no more than that."""
        raise NotImplementedError

    def memory(self, array: Any) -> Any:
        """Whose memory the array lies in: equal for an array and its views."""
        raise NotImplementedError

    def like(self, array: Any) -> Any:
        """A new array of the same shape, dtype and layout, with any values; None for what cannot be written to."""
        raise NotImplementedError

    def layout(self, array: Any) -> Any:
        """Equal for arrays of the same shape, dtype and layout."""
        raise NotImplementedError

    def copy(self, array: Any) -> Any:
        """A separate array with the same values."""
        raise NotImplementedError

    def write_elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Statement] | None:
        """The statements that write an elementwise function's result into `out`."""
        raise NotImplementedError

    def form(self, op: Op) -> Form | None:
        """How a kernel computes an elementwise call; None where it cannot, so nothing is fused unless a library can."""
        return None

    def gathers(self, op: Op) -> bool:
        """Whether a kernel can read by itself the rows that a call of `take` gives."""
        return False

    def spreads(self, shape: tuple[int, ...]) -> bool:
        """Whether a loop of this shape had better compute what is broadcast for each element than read it."""
        return True

    def pays(self, kernel: Kernel) -> bool:
        """Whether a kernel is faster than the calls that it is made of."""
        return True

    def address(self, array: Any) -> tuple[int, tuple[int, ...]] | None:
        """Where an array begins, and its strides in bytes; None where a kernel cannot read it."""
        raise NotImplementedError

    def prepare(self, kernels: list[Kernel]) -> Callable[[], bool] | None:
        """Begin to compile kernels, if need be; says whether they are ready. None where kernels are not for here."""
        return None

    def write_kernel(self, kernel: Kernel, value: Callable[[Any], Any]) -> list[Statement]:
        """The statements that run a kernel, whose Tracers have these values."""
        raise NotImplementedError

    def statements(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Statement] | None:
        """The statements that write into `out` what the standard's function gives; None if the library has none."""
        if name in self.elementwise and not kwargs:
            return self.write_elementwise(name, args, out)
        write = getattr(self, f"write_{name}", None)
        return write(out, *args, **kwargs) if write else None
