"""Tables of any source as a Dataset: the kinds of their columns are decided on the rows to train on, or a model's."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray, Shape
from portanet.data import columns
from portanet.data.cells import as_floats, cell_error, number_of, quoted
from portanet.data.checks import Check, check, label_check
from portanet.data.chunk import Chunk, Chunks, Texts
from portanet.data.csv.dialect import Asked
from portanet.data.csv.header import Header
from portanet.data.dataset import Dataset, Ids
from portanet.data.decide import decided
from portanet.data.labels import encode, require_labels
from portanet.data.matrix import Matrix
from portanet.data.memmap.mapped import Found, Parts, Sink
from portanet.data.split import split_rows
from portanet.errors import DataError
from portanet.storage.schema import DATE, NUMBER, Dialect, Schema

_CLASSES = 20  # whole numbers of so many values are classes, unless the task is named


@dataclass(frozen=True)
class Request:
    """How a table is to be read: what the caller says of it, and what a trained model knows.

    label    the label's column; `default_label` is that of a model, which may be missing
    image    the shape of a row's pixels
    digits   whether pictures become digits as MNIST has them
    regress  whether labels are numbers to predict; None to decide it by what they are
    classes  those of a model
    table    the model's schema, by which columns are matched by name
    asked    what is said of a text file's dialect
    kinds    the kinds that columns were told to have
    coerce   whether a cell that does not fit its column is missing
    labelled whether labels are wanted; what a label column holds does not matter else
    held_out the fraction of the rows that will be held out, as `holdout` does: kinds are decided on the others
    id       the column whose cells become `Dataset.ids`; by default the identifier of a model whose rows are read
             without labels, if it is there
    """

    label: str | None = None
    default_label: str | None = None
    image: Shape | None = None
    regress: bool | None = False
    classes: Sequence[str] | None = None
    table: Schema | None = None
    asked: Asked = field(default_factory=Asked)
    kinds: Mapping[str, str] = field(default_factory=dict)
    coerce: bool = False
    labelled: bool = True
    held_out: float = 0.0
    id: str | None = None
    digits: bool = False


class Source(Chunks, Protocol):
    """A table whose columns are known, and that can say where it is wrong."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def dialect(self) -> Dialect:
        """How its cells are written."""

    @property
    def header(self) -> Header:
        """What its columns are for."""

    def explained(self, error: Exception, checks: Mapping[int, Check] | None, valid_rows: int) -> DataError:
        """The error with the places of all faults.

        `checks` are those of columns, None where it is not decided what they hold; the first rows are valid.
        """


class _Labels:
    """The labels of rows: `codes` of their `texts`."""

    def __init__(self) -> None:
        self.codes: list[HostArray] = []
        self.texts: dict[str, int] = {}

    def add(self, cells: Texts) -> None:
        codes = [self.texts.setdefault(text, len(self.texts)) for text in cells.texts]
        missing = self.texts.setdefault("", len(self.texts)) if (cells.codes < 0).any() else -1
        self.codes.append(np.array([*codes, missing], np.int32)[cells.codes])

    def require(self, source: Source, request: Request, checks: Mapping[int, Check]) -> None:
        """DataError with all faults where a label is missing, or not a number where such are to be predicted."""
        wrong = label_check(request.regress, (), source.dialect)
        if request.regress and (found := next((words for text in self.texts if (words := wrong(text))), None)):
            raise source.explained(ValueError(f"a label: {found}"), checks, 0)
        if self.codes and not request.regress:
            require_labels(
                source.name, [text.strip() for text in self.texts], np.concatenate(self.codes), request.classes or ()
            )


def read_rows(source: Source, request: Request, sink: Sink, *, keep: bool) -> Found:
    """Give all rows to the sink; their labels come back, and what is known of the columns as JSON data.

    With `keep` the chunks are kept in memory while the kinds are decided, so that the source is read once.
    """
    read = _read_pixels if source.header.image else _read_columns
    return read(source, request, sink, keep)


def _read_pixels(source: Source, request: Request, sink: Sink, keep: bool) -> Found:
    header, labels, rows = source.header, _Labels(), 0
    checks: dict[int, Check] = dict.fromkeys(header.inputs, lambda cell: cell_error(cell, pixel=True))
    checks |= _label_checks(source, request)
    try:
        for chunk in source.read(_position(header.label)):
            if chunk.numbers.dtype != np.uint8 or any(position not in chunk.position for position in header.inputs):
                raise ValueError("not a table of integers from 0 to 255")
            sink.add(chunk.numbers[:, [chunk.position[position] for position in header.inputs]])
            rows += chunk.rows
            if header.label is not None:
                labels.add(chunk.texts[header.label])
    except (ValueError, OverflowError, csv.Error) as error:
        raise source.explained(error, checks, rows) from error
    if request.labelled:
        labels.require(source, request, checks)
    return _found(source, labels, rows, {})


def _read_columns(source: Source, request: Request, sink: Sink, keep: bool) -> Found:
    header, labels, rows = source.header, _Labels(), 0
    checks: dict[int, Check] | None = None
    try:
        schema, kept, positions = request.table, None, header.inputs
        if schema is None:
            training = partial(_training_rows, source, request)
            schema, kept = decided(source, header.label, request.kinds, source.dialect, training, keep=keep)
            place = {name: i for i, name in enumerate(source.names)}
            positions = tuple(place[column.name] for column in schema.used)
            if not positions:
                raise DataError(
                    f"{source.name} has no column to learn from; {'; '.join(columns.told(schema.columns))}."
                )
        checks = {position: check(column, source.dialect) for position, column in zip(positions, schema.used)}
        checks |= _label_checks(source, request)
        matrix = Matrix(schema, positions, source.dialect)
        as_text = [position for position, column in zip(positions, schema.used) if column.kind not in (NUMBER, DATE)]
        chunks = source.read([*as_text, *_position(header.label)]) if kept is None else _consumed(kept)
        for chunk in chunks:
            sink.add(matrix.rows(chunk))
            rows += chunk.rows
            if header.label is not None:
                labels.add(chunk.texts[header.label])
        if matrix.seen.faults and not request.coerce:
            raise ValueError("; ".join(matrix.seen.told()))
    except (ValueError, OverflowError, csv.Error) as error:
        raise source.explained(error, checks, 0) from error
    if request.labelled:
        labels.require(source, request, checks)
    return _found(source, labels, rows, {"table": schema.to_dict(), "seen": matrix.seen.told()})


def _found(source: Source, labels: _Labels, rows: int, about: dict[str, Any]) -> Found:
    if not rows:
        raise DataError(f"{source.name} has a header but no rows.")
    return (np.concatenate(labels.codes) if labels.codes else None), list(labels.texts), about


def _training_rows(source: Source, request: Request, chunks: Iterable[Chunk]) -> HostArray | None:
    """Which rows (N,) are to train on; None where all are, or where labels are at fault, which is told later."""
    label, labels = source.header.label, _Labels()
    if label is None or not request.held_out:
        return None
    for chunk in chunks:
        labels.add(chunk.texts[label])
    try:
        targets, classes, _ = _targets(source, np.concatenate(labels.codes), list(labels.texts), request)
    except (DataError, ValueError):
        return None
    parts = split_rows(targets if classes else None, len(targets), request.held_out)
    if parts is None:
        return None
    chosen = np.zeros(len(targets), bool)
    chosen[parts[0]] = True
    return chosen


def _position(label: int | None) -> list[int]:
    return [] if label is None else [label]


def _consumed(chunks: list[Chunk]) -> Iterator[Chunk]:
    """Chunks in their order, each free when the next one comes."""
    chunks.reverse()
    while chunks:
        yield chunks.pop()


def _label_checks(source: Source, request: Request) -> dict[int, Check]:
    label = source.header.label
    if label is None or not request.labelled:
        return {}
    return {label: label_check(request.regress, request.classes or (), source.dialect)}


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
    targets, classes, why = _targets(source, parts.targets, parts.texts, request)
    return Dataset(source.name, x, targets, classes, names, header.label_name, table, (*notes, *why))


def _targets(
    source: Source, codes: HostArray, texts: Sequence[str], request: Request
) -> tuple[HostArray, tuple[str, ...], list[str]]:
    """Labels as a loss takes them, their classes, and a line that says which task they make where it is not named."""
    regress, why = request.regress, []
    if regress is None and not source.header.image:
        regress, line = is_number_task(str(source.header.label_name), texts, source.dialect)
        why = [line]
    if not regress:
        return *encode(source.name, texts, codes, request.classes), why
    targets = targets_of(codes, texts, source.dialect)
    if targets is None:
        raise source.explained(ValueError("a label is not a number"), _label_checks(source, request), 0)
    return targets, (), why


def _ids(source: Source, request: Request) -> Ids | None:
    """The cells of the column that identifies rows, as the source has them; DataError for one that is not there."""
    name = request.id or (columns.identifier(request.table.columns) if request.table else None)
    if name is None or name not in source.names:
        if request.id is None:
            return None
        shown = ", ".join(map(plain, source.names[:8]))
        raise DataError(f"{source.name} has no column {quoted(request.id)}; its columns: {shown}.")
    position = source.names.index(name)
    try:
        cells = [chunk.texts[position] for chunk in source.read([position])]
    except (ValueError, OverflowError, csv.Error) as error:
        raise source.explained(error, {}, 0) from error
    return Ids(name, np.concatenate([np.array([*cell.texts, ""], object)[cell.codes] for cell in cells]))


def _left_out(source: Source, request: Request) -> list[str]:
    """A note of the columns that a model has never seen."""
    table = request.table.columns if request.table else ()
    known = {column.name for column in table} | {source.header.label_name, request.id}
    others = [name for name in source.names if name not in known]
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    shown = f"{', '.join(map(quoted, others[:3]))}{more}"
    return [f"{source.name}: left out, as the model has no such column: {shown}"] if others else []


def is_number_task(name: str, texts: Sequence[str], dialect: Dialect) -> tuple[bool, str]:
    """Whether labels are learnt as numbers where no task is named; and which it is, and why, in words."""
    values = [number_of(text, dialect) for text in texts if not columns.is_gap(text.strip(), dialect)]
    numbers = {value for value in values if value is not None}
    if not values or len(numbers) == 0 or None in values:
        return False, f"{name} holds text: learnt as a class"
    if not all(value.is_integer() for value in numbers):
        return True, f"{name} holds fractions: learnt as a number"
    count = f"{len(numbers):,} value{'s' if len(numbers) > 1 else ''}"
    is_number = len(numbers) > _CLASSES
    return is_number, f"{name} holds integers of {count}: learnt as a {'number' if is_number else 'class'}"


def targets_of(codes: HostArray, texts: Sequence[str], dialect: Dialect) -> HostArray | None:
    """Labels as numbers to predict, or None where one is not a number, or too large."""
    values = [number_of(text, dialect) for text in texts]
    if any(value is None for value in values):
        return None
    return as_floats(np.array(values, np.float64)[codes])
