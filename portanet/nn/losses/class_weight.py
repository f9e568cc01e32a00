"""Class weights: the weight of each class in a loss."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal

from portanet._text import shown
from portanet.errors import ConfigError

ClassWeight = tuple[Any, ...] | Literal["balanced"]
"""One number for each class; or pairs of a class and its number, or "balanced", until `fit` knows the classes."""

_WANTED = "one number for each class, a dict of them by class, or 'balanced'"


def as_class_weight(owner: str, given: Any) -> ClassWeight:
    """Return class weights as a hashable value, () for none; raises ConfigError for invalid ones.

    A dict or a pandas Series becomes pairs of a class, by number or name, and its weight.
    """
    if given is None:
        return ()
    if isinstance(given, str) and given == "balanced":
        return "balanced"
    refused = ConfigError(f"{owner}: class_weight must be >= 0, {_WANTED}, and not all 0; got {shown(given)}.")
    if isinstance(given, (str, bytes, set, frozenset)) or not isinstance(given, Iterable):
        raise refused
    items = getattr(given, "items", None)
    entries: list[Any] = list(items() if callable(items) else given)
    by_class = callable(items) or any(isinstance(entry, (tuple, list)) for entry in entries)
    try:
        weights = [float(entry[1] if by_class else entry) for entry in entries]
        classes = [_class(entry[0]) for entry in entries] if by_class else []
    except (TypeError, ValueError, IndexError):
        raise refused from None
    if entries and not (all(0 <= weight < math.inf for weight in weights) and any(weights)):
        raise refused
    return tuple(zip(classes, weights, strict=True)) if by_class else tuple(weights)


def is_resolved(class_weight: ClassWeight) -> bool:
    """Whether the weights are one number for each class."""
    return class_weight != "balanced" and not any(isinstance(weight, tuple) for weight in class_weight)


def _class(key: Any) -> int | str:
    """A class number or a class name."""
    key = key.item() if hasattr(key, "item") else key
    if isinstance(key, bytes):
        return key.decode(errors="replace")
    if isinstance(key, float) and key.is_integer():
        return int(key)
    if isinstance(key, (int, str)) and not isinstance(key, bool):
        return key
    return str(key)
