"""Untrusted text, made safe for messages and terminals."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from reprlib import repr as brief
from typing import Any

_LISTED = 8  # values in a message, at most


def plain(text: object, most: int | None = 40) -> str:
    """Return the text on one line, without control characters, and at most `most` characters long."""
    shown = str(text)
    shown = shown if shown.isprintable() else repr(shown)[1:-1]
    return shown if most is None or len(shown) <= most else f"{shown[:most]}..."


def listed(values: Sequence[Any], show: Callable[[Any], str] = plain) -> str:
    """Return the first values in a line, each as `show` writes it, and how many more there are."""
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(map(show, values[:_LISTED])) + more


def shown(value: object) -> str:
    """Return a short one-line repr of a value for messages; of an array, its type and shape."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    if name := getattr(value, "__name__", ""):
        return str(name)  # of a class, a function or a module
    try:
        text = " ".join(brief(value).split())
    except Exception:  # a repr of others may raise anything
        text = ""
    return type(value).__name__ if not text or text.startswith("<") or re.search(r"0x[0-9a-fA-F]{6}", text) else text
