"""A function that was recorded, for one kind of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from portanet.recording.tree import is_array

Layout = Callable[[Any], Any]
Kind = tuple[type, Callable[[Any], Any] | None, Any]  # a type, and what is the same of its values


class Program(NamedTuple):
    """What is played in place of the function.

    play    takes the leaves of the arguments
    fixed   the places of arrays that were the same ones in every call so far, and those arrays: the code holds them
    kinds   the places of all other arguments, and what they have in common from call to call: type, shape and dtype
    source  the code of `play`, to read
    """

    play: Callable[..., Any]
    fixed: list[tuple[int, Any]]
    kinds: list[tuple[int, Kind]]
    source: str

    def takes(self, given: list[Any]) -> bool:
        """Whether `play` may be called with these."""
        for place, array in self.fixed:  # loops, since this is asked in every step
            if given[place] is not array:
                return False
        for place, (kind, what, known) in self.kinds:
            leaf = given[place]
            if type(leaf) is not kind or (what is not None and what(leaf) != known):
                return False
        return True


def kind_of(leaf: Any, layout: Layout) -> Kind:
    """What calls with this argument have in common: an array's layout, a number's type, else the value."""
    kind = type(leaf)
    if kind in (int, float, type(None)):
        return kind, None, None
    return (kind, layout, layout(leaf)) if is_array(leaf) else (kind, _itself, leaf)


def _itself(leaf: Any) -> Any:
    return leaf
