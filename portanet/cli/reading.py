"""Options for the dialect of a table's file and the kinds of its columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from portanet._text import plain
from portanet.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])

NAMES = ("separator", "decimal", "header", "encoding", "missing", "column", "coerce")
"""The settings, as places and a configuration file name them."""

_OPTIONS = (
    click.option("--separator", metavar="CHAR", help="Between cells: , ; tab space or another.  [default: found]"),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal mark.  [default: found]"),
    click.option(
        "--header", type=click.Choice(["yes", "none"]),
        help="Whether the first row names the columns; else they are numbered from 1.  [default: found]",
    ),
    click.option("--encoding", metavar="NAME", help="Such as utf-8 or cp1252.  [default: found]"),
    click.option("--missing", metavar="WORD,...", help="More words for a missing value, besides ? - NA nan null none."),
    click.option(
        "--column", multiple=True, metavar="NAME=KIND",
        help="Take a column as number, category, date (or its form, such as day.month.year) or id, or drop it; may be "
        "repeated.  [default: found]",
    ),
    click.option("--coerce", is_flag=True, help="Take a cell that does not fit its column as missing."),
)  # fmt: skip


def options(function: Function) -> Function:
    """Add the options `NAMES` to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def places(settings: dict[str, Any]) -> dict[str, Any]:
    """Remove the options from a command's settings, and return them as plain data; None if not given."""
    found = {name: settings.pop(name) for name in NAMES}
    return found | {"column": list(found["column"] or ()) or None, "coerce": found["coerce"] or None}


def arguments(places: Mapping[str, Any]) -> dict[str, Any]:
    """The same as arguments of `portanet.read`."""
    separator, header, missing = places["separator"], places["header"], places["missing"]
    return {
        "separator": {"tab": "\t", "\\t": "\t", "space": " "}.get(separator, separator),
        "decimal": places["decimal"],
        "header": None if header is None else header == "yes",
        "encoding": places["encoding"],
        "missing": None if missing is None else missing.split(","),
        "kinds": _kinds(places["column"] or ()),
        "coerce": bool(places["coerce"]),
    }


def are_valid(places: Mapping[str, Any]) -> dict[str, bool]:
    """Whether the settings in a record are valid for their options."""
    texts = {name: places[name] is None or isinstance(places[name], str) for name in NAMES[:5]}
    column, coerce = places["column"], places["coerce"]
    are_texts = column is None or (isinstance(column, list) and all(isinstance(entry, str) for entry in column))
    return texts | {"column": are_texts, "coerce": coerce in (None, True)}


def _kinds(entries: Sequence[str]) -> dict[str, str]:
    """NAME=KIND by name; the last one counts."""
    found = {}
    for entry in entries:
        name, equals, kind = entry.rpartition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--column takes NAME=KIND, such as zip=category; got {plain(entry)!r}.")
        found[name.strip()] = kind.strip()
    return found
