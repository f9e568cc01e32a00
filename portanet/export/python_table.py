"""A table in predict.py: its columns, its file format, and the functions of portanet that read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from portanet.data import cells, columns, dates, labels, signs
from portanet.data.categories import codes_of
from portanet.data.csv import dialect as dialects
from portanet.data.csv import header
from portanet.export import numpy_table
from portanet.export.source_text import source_of, sources
from portanet.storage.schema import CATEGORY, CLOCK, DATE, NUMBER, TIME, YES_NO, Column, Dialect, Schema

IMPORTS = ("datetime", "io", "re")
"""The modules for reading a table, besides those of any model."""
NAMES = (
    "from collections import Counter", "from collections.abc import Mapping", "from types import SimpleNamespace",
)  # fmt: skip
"""The names imported from modules."""

_SHARED = (
    cells.number_of, cells.is_missing, cells.is_gap, columns.truth_of, labels.shortest, dates.parse, dates.year_of,
    dates.parts_of, dialects.split, header.distinct, signs.without_sign,
)  # fmt: skip
_FUNCTIONS = {NUMBER: "number", CATEGORY: "category", YES_NO: "yes_no", DATE: "date"}


def table_sources(table: Schema) -> Iterator[str]:
    """Yield the source of the table reader: constants, then the functions of numpy_table and those of portanet."""
    yield "\n".join(_constants(table))
    yield from sources(numpy_table)
    for function in _SHARED:
        yield source_of(function)


def table_columns(table: Schema) -> str:
    """Return the source of COLUMNS: each column's name, the function that reads its cells, and its settings."""
    lines = [f"    ({column.name!r}, {_FUNCTIONS[column.kind]}, {_settings(column)!r})," for column in table.used]
    comment = "# The columns: their names, the functions that read them, and the settings of these."
    return "\n".join([comment, "COLUMNS = [", *lines, "]"])


def _settings(column: Column) -> dict[str, Any]:
    if column.kind == DATE:
        return {"form": column.form}
    if column.values:
        return {"codes": codes_of(column.values)}
    return {"sign": column.sign} if column.sign else {}


def _constants(table: Schema) -> Iterator[str]:
    """The constants of the file format, by the names that the shared functions use."""
    dialect = table.dialect or Dialect()
    numbers = [cells.number_of(word, dialect) for word in dialect.missing or ()]
    yield f"WIDTH = {len(table.columns)}  # columns of the training table, without the label"
    yield f"ENCODINGS = {_encodings(dialect)!r}"
    yield from _dialect(dialect)
    yield f"NOT_NUMBERS = {[number for number in numbers if number is not None]!r}"
    yield f"MISSING = {_set(cells.MISSING)}"
    yield f"LARGEST = {cells.LARGEST!r}"
    yield f"NUMBER = {_pattern(cells.NUMBER)}"
    yield f"HASH = {_pattern(dialects.HASH)}"
    yield f"DECLARED = {_pattern(dialects.DECLARED)}"
    yield f"INTEGER = {_pattern(cells.INTEGER)}"
    yield f"TRUTHS = {columns.TRUTHS!r}"
    yield f"CLOCK, TIME = {CLOCK!r}, {TIME!r}"
    yield f"LONGEST = {dates.LONGEST!r}"
    yield f"EPOCH = datetime.datetime({dates.EPOCH:%Y, %-m, %-d})"
    yield f"MONTHS = {dates.MONTHS!r}"
    forms = {column.form.removesuffix(TIME) for column in table.used if column.form} | {"year-month-day"}
    yield "PATTERNS = {"
    for form in sorted(forms):
        yield f"    {form!r}: {_pattern(dates.PATTERNS[form])},"
    yield "}"


def _dialect(dialect: Dialect) -> Iterator[str]:
    yield "DIALECT = SimpleNamespace("
    yield f"    separator={dialect.separator!r}, decimal={dialect.decimal!r}, thousands={dialect.thousands!r},"
    yield f"    quote={dialect.quote!r}, header={dialect.header!r}, comments={dialect.comments!r},"
    yield f"    missing={_set(dialect.missing or ())},"
    yield ")"


def _encodings(dialect: Dialect) -> list[str]:
    """The encodings to try: a training file's UTF-16 first; then UTF-8, since other text is rarely valid UTF-8."""
    own = dialect.encoding.lower().replace("_", "-")
    if own in ("utf-8", "utf8", "utf-8-sig"):
        return ["utf-8-sig", "cp1252"]
    return [own, "utf-8-sig"] if own.startswith(("utf-16", "utf-32")) else ["utf-8-sig", own]


def _set(words: Iterable[str]) -> str:
    """The source of a set literal, in a fixed order."""
    found = sorted(words)
    return f"{{{', '.join(map(repr, found))}}}" if found else "()"


def _pattern(pattern: re.Pattern[str]) -> str:
    return f"re.compile({pattern.pattern!r})"
