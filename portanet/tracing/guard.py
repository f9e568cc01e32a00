"""Guards and signatures: a signature distinguishes kinds of arguments, a guard checks for one kind fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portanet._tree import BRANCHES, is_array
from portanet.tracing.code import Code

Layout = Callable[[Any], Any]
Signature = tuple[type, Callable[[Any], Any] | None, Any]  # a type, a property of its values, and what that must equal
Guard = Callable[..., list[Any] | None]


def make_guard(args: tuple[Any, ...], fixed: dict[int, Any], layout: Layout) -> Guard:
    """A function that returns the leaves of arguments like these, and None for others.

    It is straight-line code, since it runs in every step. `fixed` are arrays that must be the same objects, by their
    position among the leaves.
    """
    code = Code()
    leaves: list[str] = []

    def check(tree: Any, name: str) -> None:
        if not isinstance(tree, BRANCHES):
            if (array := fixed.get(len(leaves))) is not None:
                code.refuse(f"{name} is not {code.value(array)}")
            else:
                kind, measure, expected = signature(tree, layout)
                code.refuse(f"type({name}) is not {code.value(kind)}")
                if measure is not None:
                    code.refuse(f"{code.value(measure)}({name}) != {code.value(expected)}")
            leaves.append(name)
            return
        code.refuse(f"type({name}) is not {code.value(type(tree))}")
        if isinstance(tree, dict):
            code.refuse(f"tuple({name}) != {code.value(tuple(tree))}")
        else:
            code.refuse(f"len({name}) != {len(tree)}")
        for number, (key, branch) in enumerate(tree.items() if isinstance(tree, dict) else enumerate(tree)):
            code.name(f"{name}_{number}", f"{name}[{code.value(key)}]")
            check(branch, f"{name}_{number}")

    for number, arg in enumerate(args):
        check(arg, f"a{number}")
    return code.function(len(args), f"[{', '.join(leaves)}]")[0]


def signature(leaf: Any, layout: Layout) -> Signature:
    """The signature of an argument: an array's layout, a number's type, else the value."""
    kind = type(leaf)
    if kind in (int, float, type(None)):
        return kind, None, None
    return (kind, layout, layout(leaf)) if is_array(leaf) else (kind, _itself, leaf)


def _itself(leaf: Any) -> Any:
    return leaf
