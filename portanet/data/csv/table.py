"""Reading text files as tables: detect the dialect, name the columns, load or map the rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from portanet.data.cells import is_missing
from portanet.data.csv.dialect import Asked, told
from portanet.data.csv.frames import TextTable
from portanet.data.csv.header import matched, names_of, parse_header
from portanet.data.csv.text import find_dialect
from portanet.data.dataset import Dataset
from portanet.data.memmap.cache import CacheError
from portanet.data.memmap.mapped import InMemory, Parts, Progress, is_large, kept, require_memory
from portanet.data.request import Request
from portanet.data.tables import dataset, read_rows
from portanet.errors import DataError
from portanet.storage.label import label_names
from portanet.storage.schema import Dialect, Schema


def read_table(
    path: str | Path,
    request: Request | None = None,
    *,
    name: str | None = None,
    mapped: bool | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The rows of a text file: images if the columns are pixels, otherwise a table.

    With `mapped`, or by default if the file is large, the rows are a memory map from the cache; `progress` is called
    while the map is made. Raises DataError with all faults, by row, line and column.
    """
    request = request or Request()
    source, notes = open_table(path, request, name or str(path))
    parts = _parts(source, request, mapped=is_large(path) if mapped is None else mapped, progress=progress)
    return dataset(source, parts, request, notes)


def cells_of(path: str | Path, asked: Asked) -> dict[str, list[str]]:
    """The cells of all columns as text, by column name; "" for a missing cell."""
    source, _ = open_table(path, Request(asked=asked), str(path))
    try:
        chunks = list(source.read(range(len(source.names))))
    except (ValueError, OverflowError, csv.Error) as error:
        raise source.explained(error, {}, 0) from error
    return {
        name: [cells.texts[code] if code >= 0 else "" for cells in parts for code in cells.codes.tolist()]
        for position, name in enumerate(source.names) for parts in [[chunk.texts[position] for chunk in chunks]]
    }  # fmt: skip


def open_table(path: str | Path, request: Request, name: str) -> tuple[TextTable, list[str]]:
    """The table in a file, and notes on its dialect."""
    if request.table is not None:
        return _like(path, name, request, request.table)
    dialect, rows = _start(path, name, request.asked)
    if _names_label(rows[0], request) and request.asked.header is None:
        dialect, rows = _start(path, name, replace(request.asked, header=True))
    header = parse_header(
        name, names_of(name, rows, dialect), label=request.wanted, image=request.image, trained=request.label is None
    )
    return TextTable(path, name, dialect, header), [f"{name}: {words}"] if (words := told(dialect)) else []


def _like(path: str | Path, name: str, request: Request, table: Schema) -> tuple[TextTable, list[str]]:
    """The same for a model: in the dialect of its training file, or a detected one if columns are not found."""
    known = table.dialect
    if known is not None:
        own = {field: value for field, value in asdict(request.asked).items() if value is not None}
        asked = Asked(known.separator, known.decimal, known.header, None, known.missing)
        dialect, rows = _start(path, name, replace(asked, **own))
        if request.asked.decimal is None:
            dialect = replace(dialect, thousands=known.thousands)
        try:
            header = matched(name, names_of(name, rows, dialect), table, request.default_label, request.label)
        except DataError:
            found, _ = _start(path, name, request.asked)
            if (found.separator, found.header) == (dialect.separator, dialect.header):
                raise
        else:
            return TextTable(path, name, dialect, header), []
    dialect, rows = _start(path, name, request.asked)
    header = matched(name, names_of(name, rows, dialect), table, request.default_label, request.label)
    note = f"{name}: {told(dialect) or 'separated by commas'}; the table trained on was not"
    return TextTable(path, name, dialect, header), [note] if known is not None else []


def _start(path: str | Path, name: str, asked: Asked) -> tuple[Dialect, list[list[str]]]:
    dialect, rows = find_dialect(path, asked)
    if not rows:
        raise DataError(f"{name} is empty.")
    return dialect, rows


def _names_label(first: Sequence[str], request: Request) -> bool:
    """Whether the first row contains the label names, and so is a header even if its other cells are numbers."""
    labels = label_names(request.wanted)
    return bool(labels) and all(label in first and not label.isdecimal() for label in labels)


def _parts(source: TextTable, request: Request, *, mapped: bool, progress: Progress | None) -> Parts:
    if mapped:
        if progress is not None and not source.header.image and request.table is None:
            progress = _Walks(progress, 3 if request.held_out else 2)
        told = replace(source, told=progress)
        try:
            settings = _settings(source, request)
            return kept(source.path, settings, lambda sink: read_rows(told, request, sink, keep=False))
        except CacheError as error:
            require_memory(source.path, error)
    sink = InMemory()
    found = read_rows(source, request, sink, keep=True)
    return Parts(sink.array(), *found)


def _settings(source: TextTable, request: Request) -> list[Any]:
    """The settings that a map of the file depends on, as plain data."""
    table = None if request.table is None else request.table.to_dict()
    header, kinds = source.header, sorted(request.kinds.items())
    split = [request.held_out, request.regress, request.classes] if request.held_out and table is None else []
    words = sorted(filter(is_missing, request.classes or ()))  # classes, although such rows are left out otherwise
    labels = [bool(request.regress), words] if header.labels and request.labelled else []
    return [asdict(source.dialect), asdict(header), table, kinds, request.coerce, *split, labels]


class _Walks:
    """Reports several passes over a file as one; all but the last pass decide the kinds of its columns."""

    def __init__(self, told: Progress, most: int) -> None:
        self._told, self._walks, self._most = told, 0, most

    def __call__(self, done: int, size: int) -> None:
        self._walks += done == 0
        before = min(self._walks, self._most) - 1
        self._told((done + size * before) // self._most, size)
