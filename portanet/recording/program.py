"""A function that was recorded, for one kind of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from portanet.recording.tree import is_array


class Program(NamedTuple):
    """What is played in place of the function.

    play    takes the leaves of the arguments
    fixed   the places of arrays that were the same ones in every call so far, and those arrays: the code holds them
    kinds   the places of all other arguments, and what they have in common from call to call
    source  the code of `play`, to read
    """

    play: Callable[..., Any]
    fixed: list[tuple[int, Any]]
    kinds: list[tuple[int, Any]]
    source: str

    def takes(self, given: list[Any]) -> bool:
        """Whether `play` may be called with these."""
        for place, array in self.fixed:  # loops, since this is asked in every step
            if given[place] is not array:
                return False
        for place, kind in self.kinds:  # noqa: SIM110
            if kind_of(given[place]) != kind:
                return False
        return True


def kind_of(leaf: Any) -> Any:
    """What calls with this argument have in common."""
    return (leaf.shape, leaf.dtype) if is_array(leaf) else type(leaf)
