"""Values inside tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

BRANCHES = (tuple, list, dict)
_single: set[type] = set()  # types of values that are no branches, as they were met


def flatten(tree: Any, into: list[Any], form: list[Any] | None = None) -> list[Any]:
    """The values of a tuple, list or dict in their order, added to a list; what holds them is added to `form`."""
    named = isinstance(tree, dict)
    if form is not None:
        form.append(type(tree))
        form.append(len(into))
        form.extend(tree if named else (len(tree),))
    for branch in tree.values() if named else tree:
        kind = type(branch)
        if kind in _single:
            into.append(branch)
        elif issubclass(kind, BRANCHES):
            flatten(branch, into, form)
        else:
            _single.add(kind)
            into.append(branch)
    return into


def is_array(leaf: Any) -> bool:
    """Whether a value is an array of any library, or stands for one."""
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and not isinstance(leaf, type)  # NumPy's dtypes are types


def each(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The same tree with `change` of every value."""
    if isinstance(tree, dict):
        return {name: each(branch, change) for name, branch in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[each(branch, change) for branch in tree])
    if isinstance(tree, (tuple, list)):
        return type(tree)([each(branch, change) for branch in tree])
    return change(tree)
