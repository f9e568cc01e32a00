"""The part of an exported predict.py that reads a table: a CSV file or named columns, as the network's rows."""

from __future__ import annotations

import datetime
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet.data.cells import LARGEST, is_gap, number_of
from portanet.data.columns import truth_of
from portanet.data.csv.dialect import DECLARED, HASH, split
from portanet.data.csv.header import distinct
from portanet.data.dates import parse, parts_of
from portanet.data.labels import shortest
from portanet.storage.schema import Dialect

# Defined by the exported file.
ROW_SHAPE: tuple[int, ...] = ()
ROW_DTYPE: Any = np.float32
COLUMNS: list[tuple[str, Any, dict[str, Any]]] = []
DIALECT = Dialect()
ENCODINGS: list[str] = []
NOT_NUMBERS: list[float] = []
WIDTH = 0
LABELS = ["label"]


def matrix(table: Any) -> Any:
    """Return the rows (N, D) that the network takes: numbers, the codes of categories, and the parts of dates.

    table  a dict of columns by name, a data frame, a list of rows as dicts, or an array that is such rows already
    """
    if isinstance(table, np.ndarray):
        return table.astype(ROW_DTYPE).reshape(-1, *ROW_SHAPE)
    if not isinstance(table, Mapping) and isinstance(table, (list, tuple)):
        table = {name: [row.get(name) for row in table] for name in {name for row in table for name in row}}
    if absent := [name for name, *_ in COLUMNS if name not in table]:
        raise ValueError(f"there is no column {absent[0]!r}")
    parts = [encoded(name, list(table[name]), read_cell, settings) for name, read_cell, settings in COLUMNS]
    if len({len(part) for part in parts}) > 1:
        raise ValueError("the columns do not have the same number of rows")
    return np.concatenate(parts, axis=1).astype(ROW_DTYPE)


def encoded(name: str, cells: Any, read_cell: Any, settings: Any) -> Any:
    """Return a column as (N, 1), or a date's parts as (N, 4) or (N, 5)."""
    rows: Any = []
    known: Any = {}  # most columns have few values
    for cell in cells:
        try:
            if (key := (type(cell), cell)) not in known:
                known[key] = read_cell(cell, **settings)
        except (TypeError, ValueError):
            text = f"{str(cell)[:40]!r} is not a {read_cell.__name__}"
            raise ValueError(f"row {len(rows) + 1}, column {name!r}: {text}") from None
        rows.append(known[key])
    return np.array(rows, float).reshape(len(rows), len(read_cell("", **settings)))


def number(cell: Any, sign: str = "") -> Any:
    """Return a number, with its sign or without, for a duration its seconds; NaN if it is missing."""
    if is_gap(str(cell).strip(), DIALECT):
        return [np.nan]
    if isinstance(cell, (datetime.timedelta, np.timedelta64)):
        cell = cell / np.timedelta64(1, "s")
    value = number_of(cell, DIALECT, sign) if isinstance(cell, str) else float(cell)
    if value is None or abs(value) > LARGEST:
        raise ValueError
    return [np.nan if value in NOT_NUMBERS else value]


def category(cell: Any, codes: Any) -> Any:
    """Return the code of a category; 0 for a missing or unknown one."""
    text = str(cell).strip()
    return [codes.get(text) or codes.get(shortest(text)) or 0]


def yes_no(cell: Any, codes: Any) -> Any:
    """Return 1 for a no, 2 for a yes, 0 for anything else."""
    return [category(cell, codes)[0] or truth_of(str(cell).strip())]


def date(cell: Any, form: str) -> Any:
    """Return year, month, weekday, days since 1970 and, where dates have a time of day, the hour.

    A moment with a time zone counts in UTC, as frames do; text by the clock as it is written.
    """
    cell = getattr(cell, "start_time", cell)  # of a period
    if getattr(cell, "tzinfo", None) is not None:
        cell = cell.astimezone(datetime.UTC)
    text = shortest(str(cell).strip())
    moment = parse(text, form if isinstance(cell, (str, int, float, np.number, datetime.time)) else "year-month-day")
    if moment is None and not is_gap(text, DIALECT):
        raise ValueError
    return parts_of(moment, form)


def read(path: str) -> Any:
    """Return the columns of a file by name, written as the one that was learned from; or the rows of a .npy file."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    text = io.StringIO(DECLARED.sub("", text_of(path)), newline="")
    lines = (line for line in text if not (DIALECT.comments and HASH.match(line)))
    rows = list(split(lines, DIALECT))
    while rows and is_blank(rows[0]):
        rows.pop(0)
    if not rows:
        raise ValueError("it is empty")
    names = names_of(rows.pop(0), rows) if DIALECT.header else numbers_of(rows)
    rows = [row or [""] for row in rows if len(names) == 1 or not is_blank(row)]
    for place, row in enumerate(rows, 1):
        if len(row) < len(names) or any(cell.strip() for cell in row[len(names) :]):
            raise ValueError(f"row {place} has {len(row)} cells, the header {len(names)}")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def is_blank(row: Any) -> bool:
    """Return whether a line is empty but for spaces."""
    return not row or (len(row) == 1 and not row[0].strip())


def names_of(head: Any, rows: Any) -> Any:
    """Return the names of the columns, all different; rows may begin with an unnamed column, as R writes them."""
    if DIALECT.separator in " \t" and rows and all(len(row) == len(head) + 1 for row in rows):
        head = ["", *head]
    while head and not head[-1].strip() and not any(cell.strip() for row in rows for cell in row[len(head) - 1 :]):
        head.pop()
    head = [name.strip() for name in head]
    return distinct([head[0].lstrip("# "), *head[1:]] if not DIALECT.comments and head[0].startswith("#") else head)


def numbers_of(rows: Any) -> Any:
    """Return the indices of unnamed columns, without those of the labels if just these are missing."""
    width = max((place for row in rows for place, cell in enumerate(row, 1) if cell.strip()), default=0)
    names = [str(place) for place in range(1, width + len(LABELS) + 1)]
    is_without = width == WIDTH and all(label.isdecimal() for label in LABELS)
    return [name for name in names if name not in LABELS] if is_without else names[:width]


def text_of(path: str) -> Any:
    """Return the text of a file, decoded by the first encoding that fits."""
    with open(path, "rb") as file:
        content = file.read()
    for encoding in ENCODINGS[:-1]:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode(ENCODINGS[-1])
