"""Data frames of pandas, or of any library with named columns, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.data.checks import Check
from portanet.data.chunk import Chunk, Texts, smallest
from portanet.data.csv.header import Header, distinct, matched, parse_header
from portanet.data.dataset import Dataset
from portanet.data.labels import shortest
from portanet.data.memmap.mapped import InMemory, Parts
from portanet.data.request import Request
from portanet.data.tables import dataset, read_rows
from portanet.errors import DataError
from portanet.storage.schema import CATEGORY, Dialect

_FEW = 20  # distinct numbers that may be categories even in a short frame


def is_frame(source: Any) -> bool:
    """Whether a source is a data frame: it has named columns and rows."""
    return not isinstance(source, str) and hasattr(source, "columns") and hasattr(source, "shape")


@dataclass(frozen=True)
class FrameTable:
    """Consecutive frames with the same columns, as a table."""

    name: str
    header: Header
    frames: Any
    dialect: Dialect = field(default_factory=Dialect)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self.header.names

    def read(self, as_text: Iterable[int] = ()) -> Iterator[Chunk]:
        """A chunk of each frame."""
        for frame in self.frames():
            yield _chunk(frame, set(as_text))

    def padded(self, columns: Iterable[int]) -> set[int]:
        """The empty set: numbers in a frame have no leading zeros."""
        return set()

    def explained(self, error: Exception, checks: Mapping[int, Check] | None, valid_rows: int) -> DataError:
        """The DataError with the first faulty row, from 1, of each column."""
        faults = []
        for position, check in (checks or {}).items():
            row = count = 0
            for chunk in self.read([position]):
                cells = chunk.texts[position]
                wrong = [*map(check, cells.texts), check("")]  # the last is for a missing cell, with code -1
                rows = [i for i, code in enumerate(cells.codes) if wrong[code]]
                if rows and not count:
                    first = f"row {row + rows[0] + 1}, column {self.names[position]!r}: {wrong[cells.codes[rows[0]]]}"
                count, row = count + len(rows), row + chunk.rows
            if count:
                faults.append(first + (f" and {count - 1:,} more" if count > 1 else ""))
        return DataError(f"{self.name}: {'; '.join(faults) or error}.")


def read_frames(name: str, columns: Iterable[Any], frames: Any, request: Request) -> Dataset:
    """The rows of the frames that `frames()` yields at each call."""
    names = distinct([str(column).strip() for column in columns])
    if request.table is not None:
        header = matched(name, names, request.table, request.default_label, request.label)
    else:
        header = parse_header(name, names, label=request.wanted, image=request.image, trained=request.label is None)
    source = FrameTable(name, header, frames, Dialect(missing=request.asked.missing))
    sink = InMemory()
    found = read_rows(source, request, sink, keep=True)
    return dataset(source, Parts(sink.array(), *found), request, ())


def read_frame(frame: Any, request: Request) -> Dataset:
    """The rows of a frame, under the name "the data frame"."""
    if request.table is None:
        names = distinct([str(column).strip() for column in frame.columns])
        request = replace(request, kinds={**_numbered_categories(frame, names), **request.kinds})
    return read_frames("the data frame", list(frame.columns), lambda: iter([frame]), request)


def read_inputs(frame: Any) -> Dataset:
    """The rows of a frame without a label: every column is an input, or left out with a note, whatever its name."""
    return read_frame(frame, Request(default_label="", labelled=False))


def _chunk(frame: Any, as_text: set[int]) -> Chunk:
    rows, width = frame.shape
    numbers: dict[int, HostArray] = {}
    texts: dict[int, Texts] = {}
    moments: dict[int, HostArray] = {}
    for position in range(width):
        values = _values(frame, position)
        if values.dtype.kind == "M" and position not in as_text:
            moments[position] = values
        elif values.dtype.kind in "iuf" and position not in as_text:
            numbers[position] = values.astype(np.float64) if values.dtype.kind == "f" else values
        else:
            texts[position] = _texts(values)
    matrix = np.column_stack(list(numbers.values())) if numbers else np.empty((rows, 0), np.uint8)
    return Chunk(rows, smallest(matrix), {position: i for i, position in enumerate(numbers)}, texts, moments)


def _column(frame: Any, position: int) -> Any:
    return frame.iloc[:, position] if hasattr(frame, "iloc") else frame[frame.columns[position]]


def _numbered_categories(frame: Any, names: Sequence[str]) -> dict[str, str]:
    """The kind category for columns of pandas' categorical dtype whose categories are numbers, if values repeat."""
    kinds = {}
    for position, name in enumerate(names):
        column = _column(frame, position)
        if str(column.dtype) == "category" and column.dtype.categories.dtype.kind in "iuf":
            count = int(column.nunique())
            if 1 < count <= max(_FEW, len(column) // 2):
                kinds[name] = CATEGORY
    return kinds


def _values(frame: Any, position: int) -> HostArray:
    """A column as a NumPy array: numbers, datetime64 or objects; a duration in seconds, a period as its start."""
    column = _column(frame, position)
    kind = getattr(column.dtype, "kind", "")
    if str(column.dtype).startswith("period["):
        return np.asarray(column.dt.to_timestamp())
    if kind == "m":
        lengths = np.asarray(column.to_numpy("timedelta64[ns]"))
        return np.where(np.isnat(lengths), np.nan, lengths.astype(np.float64) / 1e9)
    if kind in "iuf" and not isinstance(column.dtype, np.dtype):  # pandas' extension dtypes
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    values = np.asarray(column)
    if values.dtype.kind == "O" and kind == "M":  # with a time zone
        return np.asarray(column.to_numpy("datetime64[ns]"))
    return values


def _texts(values: HostArray) -> Texts:
    codes: dict[str, int] = {}
    found = [
        -1 if value is None or value != value else codes.setdefault(_text(value), len(codes))
        for value in (present(value) for value in values.tolist())
    ]
    return Texts(np.array(found, np.int64), list(codes))


def present(value: Any) -> Any:
    """Return a value, or None for pandas' NA and NaT."""
    return None if type(value).__name__ in ("NAType", "NaTType") else value


def _text(value: Any) -> str:
    return shortest(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
