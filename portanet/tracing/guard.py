"""A function that was recorded, for one kind of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from portanet._tree import BRANCHES, is_array
from portanet.tracing.emit import Code

Layout = Callable[[Any], Any]
Kind = tuple[type, Callable[[Any], Any] | None, Any]  # a type, and what is the same of its values


class Program(NamedTuple):
    """What is played in place of the function.

    enter   takes the arguments and gives their leaves; None where they are of another kind
    play    takes the leaves
    fixed   the places of arrays that were the same ones in every call so far, and those arrays: the code holds them
    source  the code of `play`, to read
    """

    enter: Callable[..., list[Any] | None]
    play: Callable[..., Any]
    fixed: dict[int, Any]
    source: str


def entry(args: tuple[Any, ...], fixed: dict[int, Any], layout: Layout) -> Callable[..., list[Any] | None]:
    """What gives the leaves of arguments like these: straight code, since it is asked in every step."""
    code = Code()
    leaves: list[str] = []

    def open_up(tree: Any, name: str) -> None:
        if not isinstance(tree, BRANCHES):
            if (array := fixed.get(len(leaves))) is not None:
                code.refuse(f"{name} is not {code.value(array)}")
            else:
                kind, what, known = kind_of(tree, layout)
                code.refuse(f"type({name}) is not {code.value(kind)}")
                if what is not None:
                    code.refuse(f"{code.value(what)}({name}) != {code.value(known)}")
            leaves.append(name)
            return
        code.refuse(f"type({name}) is not {code.value(type(tree))}")
        if isinstance(tree, dict):
            code.refuse(f"tuple({name}) != {code.value(tuple(tree))}")
        else:
            code.refuse(f"len({name}) != {len(tree)}")
        for number, (key, branch) in enumerate(tree.items() if isinstance(tree, dict) else enumerate(tree)):
            code.name(f"{name}_{number}", f"{name}[{code.value(key)}]")
            open_up(branch, f"{name}_{number}")

    for number, arg in enumerate(args):
        open_up(arg, f"a{number}")
    return code.function(len(args), f"[{', '.join(leaves)}]")[0]


def kind_of(leaf: Any, layout: Layout) -> Kind:
    """What calls with this argument have in common: an array's layout, a number's type, else the value."""
    kind = type(leaf)
    if kind in (int, float, type(None)):
        return kind, None, None
    return (kind, layout, layout(leaf)) if is_array(leaf) else (kind, _itself, leaf)


def _itself(leaf: Any) -> Any:
    return leaf
