"""Options that several commands share."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from reprlib import repr as brief
from typing import Any, TypeVar

import click

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh]?)", re.ASCII)
_SIZE = re.compile(r" *[1-9][0-9]{0,17} *")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DIGITS = 19  # of the largest integer, 2**63 - 1

Function = TypeVar("Function", bound=Callable[..., Any])


class BackendName(click.Choice[str]):
    """The name of a backend; the names are looked up when they are needed, since that takes time."""

    def __init__(self) -> None:
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names of the backends, and auto."""
        from portanet.backends import NAMES

        return ("auto", *NAMES)


class Whole(click.ParamType[Any]):
    """An integer from `least` to `most`, or one of the words."""

    name = "N"

    def __init__(self, least: int = 1, most: int | None = None, words: tuple[str, ...] = ()) -> None:
        self.least, self.most, self.words = least, most, words

    def convert(self, value: Any, param: Any, context: Any) -> int | str:
        if value in self.words:
            return str(value)
        if len(str(value)) > _DIGITS:
            self.fail(f"{brief(str(value))} is too long for a number.", param, context)
        number = int(value) if str(value).isdecimal() else -1
        if number < self.least or (self.most is not None and number > self.most):
            span = f"of at least {self.least}" if self.most is None else f"from {self.least} to {self.most}"
            wanted = " or ".join([f"an integer {span}", *map(repr, self.words)])
            self.fail(f"{value!r} is not {wanted}.", param, context)
        return number


class Seconds(click.ParamType[float]):
    """A time in seconds, or in minutes or hours with the suffix m or h."""

    name = "SECONDS"

    def convert(self, value: Any, param: Any, context: Any) -> float:
        number = _DURATION.fullmatch(str(value))
        if number is None or not 0 < (seconds := float(number[1]) * _UNITS[number[2]]) < math.inf:
            self.fail(f"{brief(str(value))} is not a time above 0, such as 90, 5m or 1h.", param, context)
        return seconds


class Share(click.ParamType[float]):
    """A number between 0 and 1."""

    name = "SHARE"

    def convert(self, value: Any, param: Any, context: Any) -> float:
        try:
            share = float(value)
        except ValueError:
            share = math.nan
        if not 0 < share < 1:
            self.fail(f"{brief(str(value))} is not a share between 0 and 1, such as 0.9.", param, context)
        return share


class Sizes(click.ParamType[tuple[int, ...]]):
    """Integers above 0, separated by commas."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, context: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        sizes = value.split(",") if len(value) < 100 * _DIGITS else []
        if not sizes or not all(map(_SIZE.fullmatch, sizes)):
            self.fail(f"{brief(value)} is not a size for each hidden layer, such as 64,32.", param, context)
        return tuple(map(int, sizes))


class Image(click.ParamType[tuple[int, ...]]):
    """The shape of an image, written CxHxW."""

    name = "CxHxW"

    def convert(self, value: Any, param: Any, context: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        sizes = value.lower().split("x") if len(value) < 4 * _DIGITS else []
        if len(sizes) != 3 or not all(size.isdecimal() and int(size) for size in sizes):
            self.fail(f"{brief(value)} is not CxHxW, channels x height x width, such as 1x28x28.", param, context)
        return tuple(map(int, sizes))


def backend(function: Function) -> Function:
    """--backend and --device."""
    function = click.option("--device", metavar="D", help="Device of the backend, such as cuda:0.")(function)
    return click.option(
        "--backend", type=BackendName(), default="auto", show_default=True,
        help="Library that computes; auto takes CuPy where a GPU works, else NumPy.",
    )(function)  # fmt: skip


def data(function: Function) -> Function:
    """--label and --image, for reading DATA."""
    function = click.option(
        "--image", type=Image(), metavar="CxHxW", help="Shape of a table's images, or size for pictures."
    )(function)
    return label("Label column of a CSV; may be repeated, to learn several at once.  [default: label]")(function)


def label(text: str) -> Callable[[Function], Function]:
    """--label, with this help: None, a name, or a tuple of several."""

    def one_or_several(context: Any, parameter: Any, names: tuple[str, ...]) -> str | tuple[str, ...] | None:
        return names if len(names) > 1 else names[0] if names else None

    return click.option("--label", multiple=True, metavar="COLUMN", callback=one_or_several, help=text)


def debug(function: Function) -> Function:
    """--debug, which `main` handles."""
    return click.option("--debug", is_flag=True, expose_value=False, help="Show tracebacks of errors.")(function)


def as_json(function: Function) -> Function:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(function)


MODEL = click.Path(path_type=Path)


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(value))
