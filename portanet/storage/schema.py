"""Schema: the encoding of a table as a matrix of numbers; a model keeps it to read the next file in the same way."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from reprlib import repr as brief
from typing import Any

from portanet.errors import ConfigError
from portanet.nn.columns import GAPS
from portanet.nn.columns import NUMBER as NUMBER

CATEGORY, YES_NO, DATE = "category", "yes/no", "date"
ID, TEXT, CONSTANT, DROP = "id", "text", "constant", "drop"
KINDS = (NUMBER, CATEGORY, YES_NO, DATE, ID, TEXT, CONSTANT, DROP)
FORMS = (
    "year-month-day", "day.month.year", "month/day/year", "day month-name year", "month-name day year",
    "year-month", "month/year", "month-name year", "hour:minute", "yearmonthday", "unix seconds", "datetime64",
)  # fmt: skip
"""The formats of dates: see data/dates.py."""
CLOCK = "hour:minute"
"""The format of a time of day without a date."""
CHOSEN = (NUMBER, CATEGORY, DATE, ID, DROP, *FORMS[:-1])
"""The kinds that the user may choose for a column; a date format means a date in this format."""
TIME = " time"
"""The suffix of a date format that includes a time of day."""

THOUSANDS = "'\u2019\u00a0\u202f "
"""Apostrophes and spaces that separate thousands, besides the comma and the point."""

_MOST = 2**17  # columns, and categories per column


@dataclass(frozen=True)
class Dialect:
    """The format of a text file with a table.

    separator  one character, or " " for runs of spaces and tabs
    decimal    "." or ","
    thousands  ",", ".", a space or an apostrophe, or "" for none
    quote      '"' or "'"
    header     whether the first row names the columns; otherwise they are numbered from 1
    encoding   Python's name of the encoding, such as utf-8
    missing    further texts for a missing value, in lower case
    comments   whether lines that begin with # are skipped
    spaces     whether separators are followed by spaces
    """

    separator: str = ","
    decimal: str = "."
    thousands: str = ""
    quote: str = '"'
    header: bool = True
    encoding: str = "utf-8"
    missing: tuple[str, ...] | None = None
    comments: bool = False
    spaces: bool = False


@dataclass(frozen=True)
class Column:
    """One column of a table, in the file.

    kind    number, category, yes/no or date, which are inputs; id, text, constant or drop, which are left out
    values  the categories in order: the code of values[0] is 1, and 0 stands for missing or unknown
    gaps    whether a value was missing in training
    form    the format of a date
    wide    whether float32 would merge distinct numbers
    why     the reason for its kind
    sign    the currency sign, percent sign or unit of its numbers
    """

    name: str
    kind: str = NUMBER
    values: tuple[str, ...] = ()
    gaps: bool = False
    form: str = ""
    wide: bool = False
    why: str = ""
    sign: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of its columns in the matrix."""
        if self.form == CLOCK:
            return (f"{self.name}.hour",)
        if self.kind == DATE:
            hour = (f"{self.name}.hour",) if "time" in self.form else ()
            return (*(f"{self.name}.{part}" for part in ("year", "month", "weekday", "days")), *hour)
        return (self.name,) if self.kind in (NUMBER, CATEGORY, YES_NO) else ()

    @property
    def features(self) -> tuple[int | str, ...]:
        """The kind of each part in `nn.Columns`: a number, a number with gaps, or the count of categories."""
        if self.values:
            return (len(self.values),)
        return tuple(GAPS if self.gaps and part == self.parts[0] else NUMBER for part in self.parts)


@dataclass(frozen=True)
class Schema:
    """The columns of a table in the order of its file, and the file's dialect if it was text."""

    columns: tuple[Column, ...]
    dialect: Dialect | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the matrix columns."""
        return tuple(part for column in self.columns for part in column.parts)

    @property
    def kinds(self) -> tuple[int | str, ...]:
        """The kind in `nn.Columns` of each matrix column."""
        return tuple(kind for column in self.columns for kind in column.features)

    @property
    def is_plain(self) -> bool:
        """Whether all columns are numbers without missing values."""
        return all(column.kind == NUMBER and not column.gaps for column in self.used)

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that are inputs."""
        return tuple(column for column in self.columns if column.parts)

    @property
    def wide(self) -> bool:
        """Whether the matrix needs float64."""
        return any(column.wide for column in self.used)

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as JSON data, without default values."""
        dialect = None if self.dialect is None else _changed(self.dialect)
        return {"columns": [_changed(column) for column in self.columns], "dialect": dialect}

    @classmethod
    def from_dict(cls, schema: Any) -> Schema:
        """Return the schema that `to_dict` gave; raises ConfigError for impossible entries."""
        if not (isinstance(schema, dict) and isinstance(schema.get("columns"), list) and set(schema) <= _ENTRIES):
            raise ConfigError(f"its table cannot be {brief(schema)}.")
        columns = tuple(_checked(Column, entry) for entry in schema["columns"][: _MOST + 1])
        names = {column.name for column in columns}
        if not columns or len(columns) > _MOST or len(names) < len(columns):
            raise ConfigError("its table must have columns of distinct names.")
        dialect = schema.get("dialect")
        return cls(columns, None if dialect is None else _checked(Dialect, dialect))


_ENTRIES = {"columns", "dialect"}


def _changed(value: Any) -> dict[str, Any]:
    """The fields that differ from their defaults, as JSON data."""
    defaults = {field.name: field.default for field in fields(value)}
    changed = {name: entry for name, entry in asdict(value).items() if entry != defaults[name]}
    return {name: list(entry) if isinstance(entry, tuple) else entry for name, entry in changed.items()}


def _checked(kind: type[Any], entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        raise ConfigError(f"its table's {kind.__name__.lower()} cannot be {brief(entry)}.")
    for name, value in entry.items():
        if name not in _IS_VALID[kind] or not _IS_VALID[kind][name](value):
            raise ConfigError(f"its table's {kind.__name__.lower()} cannot have {brief(name)} {brief(value)}.")
    if kind is Column:
        _require_column(entry)
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()})


def _require_column(entry: Mapping[str, Any]) -> None:
    kind, values = entry.get("kind", NUMBER), entry.get("values", [])
    fits = bool(values) == (kind in (CATEGORY, YES_NO)) and (kind != YES_NO or len(values) == 2)
    if "name" not in entry or not fits or (kind == DATE) != bool(entry.get("form")):
        raise ConfigError(f"its table's column {brief(entry.get('name'))} is not a {kind}.")


def _is_texts(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) <= _MOST and all(map(_is_text, value)) and len(set(value)) == len(value)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool)


def is_encoding(value: Any) -> bool:
    """Whether this is Python's name of a text encoding."""
    if not (isinstance(value, str) and re.fullmatch(r"[\w.-]{1,40}", value)):
        return False
    try:
        return bool(getattr(codecs.lookup(value), "_is_text_encoding", True))
    except (LookupError, ValueError):
        return False


_IS_VALID: dict[type[Any], dict[str, Callable[[Any], bool]]] = {
    Column: {
        "name": _is_text,
        "kind": lambda value: value in KINDS,
        "values": _is_texts,
        "gaps": _is_truth,
        "form": lambda value: value == "" or (_is_text(value) and value.removesuffix(TIME) in FORMS),
        "wide": _is_truth,
        "why": _is_text,
        "sign": lambda value: _is_text(value) and len(value) <= 40,
    },
    Dialect: {
        "separator": lambda value: _is_text(value) and len(value) == 1 and value not in "\"'\r\n\0",
        "decimal": lambda value: value in (".", ","),
        "thousands": lambda value: value in ("", ",", ".", *THOUSANDS),
        "quote": lambda value: value in ('"', "'"),
        "header": _is_truth,
        "encoding": is_encoding,
        "missing": _is_texts,
        "comments": _is_truth,
        "spaces": _is_truth,
    },
}
