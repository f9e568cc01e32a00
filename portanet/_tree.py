"""Nested values: arrays by name in dicts, and the leaves of tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from portanet._typing import Array, Params

Path = tuple[str, ...]
BRANCHES = (tuple, list, dict)
_leaf_types: set[type] = set()  # types that are known to be leaves


def tree_items(params: Params, above: Path = ()) -> Iterator[tuple[Path, Array]]:
    """Yield each array of nested params with its path: (("2", "weight"), array)."""
    for name, value in params.items():
        if isinstance(value, dict):
            yield from tree_items(value, (*above, name))
        else:
            yield (*above, name), value


def tree_get(params: Params, path: Path) -> Array:
    """Return the array at a path."""
    for name in path[:-1]:
        params = params[name]
    array: Array = params[path[-1]]
    return array


def tree_set(params: Params, path: Path, array: Any) -> None:
    """Set the array at a path, making the dicts on the way."""
    *above, last = path
    for name in above:
        params = params.setdefault(name, {})
    params[last] = array


def tree_map(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return the same tree with `change` applied to every array; numbers, text and None stay."""

    def changed(leaf: Any) -> Any:
        plain = leaf is None or type(leaf) in (bool, int, float, str)  # a NumPy number is an array
        return leaf if plain else change(leaf)

    return map_leaves(tree, changed)


def to_plain(tree: Any) -> Any:
    """Return the same tree with a dict by field name in place of each NamedTuple, for a file."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return {name: to_plain(branch) for name, branch in zip(tree._fields, tree, strict=True)}
    if isinstance(tree, dict):
        return {name: to_plain(branch) for name, branch in tree.items()}
    return [to_plain(branch) for branch in tree] if isinstance(tree, (tuple, list)) else tree


def from_plain(like: Any, plain: Any) -> Any:
    """Return the values of `plain` in the NamedTuples, tuples and lists that `like` has at the same positions."""
    if isinstance(like, tuple) and hasattr(like, "_fields"):
        return type(like)(*[from_plain(branch, plain[name]) for name, branch in zip(like._fields, like, strict=True)])
    if isinstance(like, dict):
        return {name: from_plain(like.get(name), branch) for name, branch in plain.items()}
    if isinstance(like, (tuple, list)):
        return type(like)([from_plain(branch, value) for branch, value in zip(like, plain, strict=True)])
    return plain


def tree_merge(params: Params, changed: Params) -> Params:
    """Return `params` with the arrays of `changed` replaced; neither dict is changed."""
    if not changed:
        return params
    merged = copy_dicts(params)
    for path, array in tree_items(changed):
        tree_set(merged, path, array)
    return merged


def copy_dicts(params: Params) -> Params:
    """Return new dicts with the same arrays."""
    return {name: copy_dicts(value) if isinstance(value, dict) else value for name, value in params.items()}


def flatten(tree: Any, into: list[Any], form: list[Any] | None = None) -> list[Any]:
    """Return `into` with the values of a tuple, list or dict added in order; their containers are added to `form`."""
    named = isinstance(tree, dict)
    if form is not None:
        form.append(type(tree))
        form.append(len(into))
        form.extend(tree if named else (len(tree),))
    for branch in tree.values() if named else tree:
        kind = type(branch)
        if kind in _leaf_types:
            into.append(branch)
        elif issubclass(kind, BRANCHES):
            flatten(branch, into, form)
        else:
            _leaf_types.add(kind)
            into.append(branch)
    return into


def is_array(leaf: Any) -> bool:
    """Whether a value is an array of any library, or stands for one."""
    return hasattr(leaf, "shape") and hasattr(leaf, "dtype") and not isinstance(leaf, type)  # NumPy's dtypes are types


def map_leaves(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The same tree with `change` applied to every value."""
    if isinstance(tree, dict):
        return {name: map_leaves(branch, change) for name, branch in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[map_leaves(branch, change) for branch in tree])
    if isinstance(tree, (tuple, list)):
        return type(tree)([map_leaves(branch, change) for branch in tree])
    return change(tree)
