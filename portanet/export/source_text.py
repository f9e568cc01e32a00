"""The source of functions for predict.py: without types, so that the maths is easy to read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType

Function = Callable[..., object]


def sources(module: ModuleType, code: str | None = None) -> Iterator[str]:
    """Yield the source of a module's functions; with `code`, only of those that it calls.

    A function that raises NotImplementedError is a placeholder for one in another module, and is left out.
    """
    for name, function in vars(module).items():
        if inspect.isfunction(function) and function.__module__ == module.__name__:
            text = source_of(function)
            if "NotImplementedError" not in text and (code is None or re.search(rf"\b{name}\(", code)):
                yield text


def source_of(function: Function) -> str:
    """Return the source of a function without annotations."""
    head, colon, body = inspect.getsource(function).strip().partition(":\n")
    arguments = re.sub(r": [A-Za-z.]+(\[[\w, .]*\])?( \| None)?(?=[,)]| =)", "", head)
    arguments = re.sub(r" = (?=[^,]*[,)])", "=", arguments)
    arguments = re.sub(r" -> [\w\[\], .|]+$", "", arguments)
    return arguments + colon + re.sub(r"^( +\w+): [\w\[\], .|]+ = ", r"\1 = ", body, flags=re.MULTILINE)
