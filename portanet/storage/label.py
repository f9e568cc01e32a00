"""Label: the name of the column that a model predicts, or a tuple of several."""

from __future__ import annotations

from reprlib import repr as brief
from typing import Any

from portanet.errors import ConfigError

Label = str | tuple[str, ...] | None
"""One name, a tuple of at least two, or None without names."""


def as_label(label: Any) -> Label:
    """Return one name, or several as a tuple; raises ConfigError for anything else, and for duplicate names."""
    if label is None or isinstance(label, str):
        return label
    if not isinstance(label, (list, tuple)) or not label or not all(isinstance(name, str) for name in label):
        raise ConfigError(f"label must be the name of a column, or a list of names, got {brief(label)}.")
    names = tuple(map(str, label))
    if twice := [name for i, name in enumerate(names) if name in names[:i]]:
        raise ConfigError(f"label names {brief(twice[0])} twice; name each column once.")
    return names if len(names) > 1 else names[0]


def label_names(label: Label) -> tuple[str, ...]:
    """Return the names in order; empty for None."""
    return () if label is None else (label,) if isinstance(label, str) else label


def in_words(label: Label) -> str:
    """Return the names, separated by commas; empty for None."""
    return ", ".join(label_names(label))
