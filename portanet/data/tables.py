"""Tables of any source as a Dataset, with kinds of columns from a model or decided on the training rows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from portanet._text import listed
from portanet._typing import HostArray
from portanet.data import columns
from portanet.data.cell_values import CellValues
from portanet.data.cells import cell_error, quoted
from portanet.data.checks import Check, check
from portanet.data.chunk import Chunk
from portanet.data.dataset import Dataset, Ids
from portanet.data.decide import decided
from portanet.data.label_columns import Absent, Labels, checks_of, learned
from portanet.data.matrix import Matrix
from portanet.data.memmap.mapped import Found, Parts, Sink
from portanet.data.request import Request, Source
from portanet.data.split import split_rows
from portanet.errors import DataError
from portanet.storage.label import label_names
from portanet.storage.schema import DATE, NUMBER, Schema


def read_rows(source: Source, request: Request, sink: Sink, *, keep: bool) -> Found:
    """Add all rows to the sink, and return their labels and the schema of the columns as JSON data.

    With `keep` the chunks stay in memory while the kinds are decided, so that the source is read once.
    """
    _require_all_labels(source, request)
    read = _read_pixels if source.header.image else _read_columns
    return read(source, request, sink, keep)


def _read_pixels(source: Source, request: Request, sink: Sink, keep: bool) -> Found:
    header, labels, rows = source.header, Labels(source, request), 0
    checks: dict[int, Check] = dict.fromkeys(header.inputs, lambda cell: cell_error(cell, pixel=True))
    checks |= checks_of(source, request)
    try:
        for chunk in source.read(header.labels):
            if chunk.numbers.dtype != np.uint8 or any(position not in chunk.position for position in header.inputs):
                raise ValueError("not a table of integers from 0 to 255")
            rows += chunk.rows
            chunk = labels.add(chunk, header.labels)
            sink.add(chunk.numbers[:, [chunk.position[position] for position in header.inputs]])
    except (ValueError, OverflowError, csv.Error) as error:
        raise source.explained(error, checks, rows) from error
    if request.labelled:
        labels.require(source, request, checks)
    return _found(source, labels, rows, {})


def _read_columns(source: Source, request: Request, sink: Sink, keep: bool) -> Found:
    header, labels, rows = source.header, Labels(source, request), 0
    checks: dict[int, Check] | None = None
    try:
        schema, kept, positions = request.table, None, header.inputs
        if schema is None:
            training = partial(_training_rows, source, request, keep)
            schema, kept = decided(source, header.labels, request.kinds, source.dialect, training, keep=keep)
            place = {name: i for i, name in enumerate(source.names)}
            positions = tuple(place[column.name] for column in schema.used)
            if not positions:
                kinds = f"kinds={ {schema.columns[-1].name: NUMBER}!r}"
                raise DataError(
                    f"{source.name} has no column to learn from; {'; '.join(columns.told(schema.columns))}.",
                    remedy=f"where one counts all the same, say what it holds, as in {kinds}",
                )
        checks = {position: check(column, source.dialect) for position, column in zip(positions, schema.used)}
        checks |= checks_of(source, request)
        matrix = (CellValues if request.cells else Matrix)(schema, positions, source.dialect)
        as_text = [position for position, column in zip(positions, schema.used) if column.kind not in (NUMBER, DATE)]
        chunks = source.read([*as_text, *header.labels]) if kept is None else _consumed(kept)
        for chunk in chunks:
            rows += chunk.rows
            sink.add(matrix.rows(labels.add(chunk, header.labels)))
        if matrix.seen.faults and not request.coerce:
            raise ValueError("; ".join(matrix.seen.told()))
    except (ValueError, OverflowError, csv.Error) as error:
        raise source.explained(error, checks, 0) from error
    if request.labelled:
        labels.require(source, request, checks)
    words = matrix.seen.told_words() if request.table is None else []
    return _found(source, labels, rows, {"table": schema.to_dict(), "seen": [*words, *matrix.seen.told()]})


def _found(source: Source, labels: Labels, rows: int, about: dict[str, Any]) -> Found:
    if not rows:
        raise DataError(f"{source.name} has a header but no rows.")
    labels.absent.require_some(source.name)
    about["absent"] = asdict(labels.absent)
    return (np.concatenate(labels.codes) if labels.codes else None), list(labels.texts), about


def _training_rows(source: Source, request: Request, cheap: bool, chunks: Iterable[Chunk]) -> HostArray | None:
    """A mask (N,) of the training rows; None if all are, or if labels have faults, which are reported later.

    Rows without a label are excluded, also if no rows are held out, provided that a pass over them is `cheap`.
    """
    positions, labels = source.header.labels, Labels(source, request)
    if not positions or not (request.held_out or (cheap and request.labelled)):
        return None
    present = []
    for chunk in chunks:
        present.append(labels.present(chunk, positions))
        labels.add(chunk, positions)
    labels.absent.require_some(source.name)
    if not present:
        return None
    rows = np.flatnonzero(np.concatenate(present))
    if request.held_out:
        try:
            targets, classes, _ = learned(source, np.concatenate(labels.codes), list(labels.texts), request)
        except (DataError, ValueError):
            return None
        parts = split_rows(targets if classes else None, len(targets), request.held_out)
        if parts is None:
            return None
        rows = rows[parts[0]]
    elif len(rows) == labels.absent.rows:
        return None
    chosen = np.zeros(sum(map(len, present)), bool)
    chosen[rows] = True
    return chosen


def _require_all_labels(source: Source, request: Request) -> None:
    """Raise DataError if only some of several label columns are there."""
    wanted, there = label_names(request.wanted), label_names(source.header.label)
    if request.labelled and there and (missing := [name for name in wanted if name not in there]):
        which = f"which is one of the labels {listed(wanted, quoted)}"
        raise DataError(f"{source.name} has no column {quoted(missing[0])}, {which}.")


def _consumed(chunks: list[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks in order, and release each before the next."""
    chunks.reverse()
    while chunks:
        yield chunks.pop()


def dataset(source: Source, parts: Parts, request: Request, notes: Sequence[str]) -> Dataset:
    """The rows of a table with their labels as numbers or classes."""
    header = source.header
    x = parts.x.reshape(len(parts.x), *header.image) if header.image else parts.x
    table = Schema.from_dict(parts.about["table"]) if "table" in parts.about else None
    notes = [*notes, *(columns.told(table.columns) if table and not request.table else ())]
    notes += parts.about.get("seen", ())
    names = table.names if table else None
    if request.table is not None:
        notes += _left_out(source, request)
    if parts.targets is None or not request.labelled:
        return Dataset(source.name, x, None, (), names, None, table, tuple(notes), _ids(source, request))
    targets, classes, why = learned(source, parts.targets, parts.texts, request)
    absent = Absent(**parts.about["absent"])
    if classes:
        absent.require_no_words(source.name, request.classes)
    return Dataset(source.name, x, targets, classes, names, header.label, table, (*notes, *absent.told(), *why))


def _ids(source: Source, request: Request) -> Ids | None:
    """The cells of the identifier column, unchanged; raises DataError if the requested one is missing."""
    name = request.id or (columns.identifier(request.table.columns) if request.table else None)
    if name is None or name not in source.names:
        if request.id is None:
            return None
        raise DataError(f"{source.name} has no column {quoted(request.id)}; its columns: {listed(source.names)}.")
    position = source.names.index(name)
    try:
        cells = [chunk.texts[position] for chunk in source.read([position])]
    except (ValueError, OverflowError, csv.Error) as error:
        raise source.explained(error, {}, 0) from error
    return Ids(name, np.concatenate([np.array([*cell.texts, ""], object)[cell.codes] for cell in cells]))


def _left_out(source: Source, request: Request) -> list[str]:
    """A note on the columns that the model does not know."""
    table = request.table.columns if request.table else ()
    known = {column.name for column in table} | {*label_names(source.header.label), request.id}
    others = [name for name in source.names if name not in known]
    note = f"{source.name}: left out, as the model has no such column: {listed(others, quoted)}"
    return [note] if others else []
