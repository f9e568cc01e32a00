"""What a recording must know of the library whose calls it plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True)
class Name:
    """A variable of the played code, and what it held while the code was recorded."""

    name: str
    real: Any


def real(value: Any) -> Any:
    """What a Name held; anything else itself."""
    return value.real if isinstance(value, Name) else value


class Line(NamedTuple):
    """One call in the played code; its arguments are arrays that stay, Names, and anything that is no array."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Library(Protocol):
    """A library whose arrays can be written to.

    elementwise  the functions of the standard that read each number before they write it: out may be an argument
    """

    elementwise: frozenset[str]

    def knows(self, array: Any) -> bool:
        """Whether it is an array of this library, and no more than that."""

    def memory(self, array: Any) -> Any:
        """Whose memory the array lies in: equal for an array and its views."""

    def like(self, array: Any) -> Any:
        """An array of the same shape, dtype and layout, with any values; None for what cannot be written to."""

    def layout(self, array: Any) -> Any:
        """Equal for arrays of the same shape, dtype and layout."""

    def copy(self, array: Any) -> Any:
        """An array of its own with the same values."""

    def settled(self, array: Any) -> None:
        """Says of an array that its values are already what they will always be."""

    def lines(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> list[Line] | None:
        """The calls that write into `out` what the standard's function gives; None if the library has none."""
