"""An array library as tracing needs it: its calls that write into an array that is there already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

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

    def statements(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Statement] | None:
        """The statements that write into `out` what the standard's function gives; None if the library has none."""
        if name in self.elementwise and not kwargs:
            return self.write_elementwise(name, args, out)
        write = getattr(self, f"write_{name}", None)
        return write(out, *args, **kwargs) if write else None
