"""The remedies of the library's errors for the command line: arguments become options."""

from __future__ import annotations

import ast
import re
import shlex

FLAGS = {
    "accumulate": "--accumulate",
    "batch_size": "--batch-size",
    "classes": "--classes",
    "coerce": "--coerce",
    "decimal": "--decimal",
    "device": "--device",
    "dtype": "--dtype",
    "encoding": "--encoding",
    "force": "--force",
    "id": "--id",
    "image": "--image",
    "kinds": "--column",
    "label": "--label",
    "metric": "--metric",
    "missing": "--missing",
    "out": "--out",
    "preset": "--preset",
    "reduce": "--reduce",
    "task": "--task",
    "timeout": "--rank-timeout",
    "valid": "--valid",
    "workers": "--workers",
}

_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_PAIR = rf"\{{(?:{_TEXT}): (?:{_TEXT})\}}"
_ARGUMENT = re.compile(rf"\b([a-z_]+)=({_TEXT}|\([^)]*\)|{_PAIR}|\.\.\.|[\w.]*\w)")


def with_flags(remedy: str) -> str:
    """The remedy with `batch_size=128` as `--batch-size 128`, `image=(1, 28, 28)` as `--image 1x28x28`, and
    `kinds={'day': 'date'}` as `--column day=date`.
    """
    return _ARGUMENT.sub(_option, remedy)


def _option(argument: re.Match[str]) -> str:
    name, value = argument.groups()
    if name not in FLAGS:
        return argument[0]
    if value in ("...", "True"):
        return FLAGS[name]
    return f"{FLAGS[name]} {_as_typed(value)}"


def _as_typed(value: str) -> str:
    """A Python value, or a placeholder such as FOLDER, as typed in a shell."""
    try:
        literal = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    if isinstance(literal, dict):
        literal = "=".join(*literal.items())
    if isinstance(literal, tuple):
        return "x".join(map(str, literal))
    text = str(literal)
    return shlex.quote(text) if text.isprintable() else value
