"""CSV files with a header, Kaggle's among them, read in chunks to keep memory near the result's size."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray, Shape
from portanet.data.cells import as_floats, as_uint8
from portanet.data.csv.fault import find_fault, read_names
from portanet.data.csv.header import Header, understand
from portanet.data.dataset import Dataset
from portanet.data.files import reading
from portanet.data.labels import encode
from portanet.data.memmap.cache import CacheError
from portanet.data.memmap.mapped import Found, InMemory, Parts, Progress, Sink, is_large, kept, require_memory
from portanet.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_CELLS = 2**21  # of a chunk
_LINE = 2**25  # letters of a line, at most
_ROWS = 256  # of a chunk at least: pandas takes half a millisecond for each column of each chunk


def read_table(
    path: str | Path,
    *,
    label: str | None = None,
    usual_label: str | None = None,
    image: Shape | None = None,
    regress: bool = False,
    classes: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    mapped: bool | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The rows of a CSV file: images where the columns are pixels, numbers under their names otherwise.

    `label` names the label column (default "label", if there is one); `image` is the shape of a row's pixels.
    `classes` and `columns` are those of a trained model: columns are then matched by name, and its `usual_label`
    may be missing.
    The rows are `mapped` from the cache instead of read into memory where that is said, or where the file is large;
    `progress` is told how far the map is made.
    DataError names the first row, line and column that is wrong.
    """
    wanted, trained = usual_label if label is None else label, label is None
    header = _header(path, label=wanted, image=image, columns=columns, trained=trained)
    parts = _parts(path, header, regress, mapped=is_large(path) if mapped is None else mapped, progress=progress)
    x = parts.x.reshape(len(parts.x), *header.image) if header.image else parts.x
    if parts.targets is None or regress:
        return Dataset(str(path), x, parts.targets, columns=header.columns, label=header.label_name)
    targets, names = encode(str(path), parts.texts, parts.targets, classes)
    return Dataset(str(path), x, targets, names, header.columns, header.label_name)


def _header(path: str | Path, **wanted: Any) -> Header:
    with reading(path) as file:
        text = _text(file)  # a name, as it would close the file where it ends
        try:
            names = read_names(csv.reader(text))
        except csv.Error as error:
            raise DataError(f"{path} does not begin with a line of column names ({plain(error, 200)}).") from error
    if not names:
        raise DataError(f"{path} is empty.")
    return understand(str(path), names, **wanted)


def _parts(path: str | Path, header: Header, regress: bool, *, mapped: bool, progress: Progress | None) -> Parts:
    def read(sink: Sink, progress: Progress | None = None) -> Found:
        try:
            return _read(path, header, regress, sink, progress)
        except _NeedsFloat64:
            sink.restart()
            return _read(path, header, regress, sink, progress, wide=True)

    if mapped:
        settings = ["csv", header.names, header.numbers, header.label, header.image, regress]
        try:
            return kept(path, settings, (len(header.numbers),), lambda sink: read(sink, progress))
        except CacheError as error:
            require_memory(path, error)
    sink = InMemory()
    found = read(sink)
    return Parts(sink.array(), *found)


class _NeedsFloat64(Exception):  # noqa: N818 - no error: the file is read once more
    """Float32 would make one value of two."""


def _read(
    path: str | Path, header: Header, regress: bool, sink: Sink, progress: Progress | None, *, wide: bool = False
) -> Found:
    """Gives all rows to the sink, in float64 if they are `wide`."""
    builder = _Builder(header, regress, sink, wide)
    with reading(path) as file:
        size, text = os.fstat(file.fileno()).st_size, _text(file)
        try:
            read_names(csv.reader(text))
            first = text.next_row()
            if len(first) > len(header.names):  # pandas would make that the width of the table
                raise ValueError("the first row is longer than the header")
            for frame in _frames(text, header, regress=regress):
                builder.add(frame)
                if progress is not None:
                    progress(file.tell(), size)
            if first and not builder.rows:  # pandas takes a blank first line for an empty file
                raise ValueError("the first row is blank")
        except (ValueError, OverflowError, csv.Error) as error:
            fault = find_fault(path, header, regress=regress, sound=builder.rows)
            raise fault or DataError(f"{path}: not a table of numbers ({plain(error, 200)}).") from error
    if not builder.rows:
        raise DataError(f"{path} has a header but no rows.")
    return builder.found()


class _Text(io.TextIOWrapper):
    """Text that shows its next row, and refuses NUL, where C parsers would end a cell early."""

    _shown = ""

    def next_row(self) -> list[str]:
        """The cells of the next line that is not blank, which stays to be read; none at the end of the file."""
        lines: list[str] = []
        row = read_names(csv.reader(lines.append(line) or line for line in self))  # type: ignore[func-returns-value]
        self._shown = "".join(lines)
        return row

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        """A line of a header, of the first row, or of what follows a fault."""
        line = super().readline(_LINE)
        if "\0" in line:
            raise DataError(f"{self.name} holds NUL bytes; save it as UTF-8 text.")
        if len(line) == _LINE:
            raise DataError(f"{self.name} has a line of over {_LINE:,} letters; is it a table?")
        return line

    def read(self, size: int | None = -1, /) -> str:
        text, self._shown = self._shown or super().read(size), ""
        if "\0" in text:
            raise DataError(f"{self.name} holds NUL bytes; save it as UTF-8 text.")
        return text


def _text(file: BinaryIO) -> _Text:
    return _Text(file, encoding="utf-8-sig", errors="surrogateescape", newline="")


class _Builder:
    """Chunks of a table on their way to a sink: pixels as uint8, other numbers as floats."""

    def __init__(self, header: Header, regress: bool, sink: Sink, wide: bool) -> None:
        self.header, self.sink = header, sink
        self.regress, self.wide = regress, wide
        self.rows = 0
        self.targets: list[HostArray] = []
        self.texts: dict[str, int] = {}

    def add(self, frame: pd.DataFrame) -> None:
        """Take the next rows; ValueError where they are not numbers."""
        if frame.shape[1] != len(self.header.names):
            raise ValueError("rows and header differ in length")
        values = _numbers(frame, list(self.header.numbers))
        chunk = as_uint8(values) if self.header.image else self._floats(values)
        if chunk is None:
            raise ValueError("a value is out of range")
        if self.header.label is not None:
            self.targets.append(self._labels(frame, self.header.label))
        self.sink.add(chunk)
        self.rows += len(chunk)

    def found(self) -> Found:
        """The targets of all rows taken so far, and the texts that they stand for."""
        return (np.concatenate(self.targets) if self.targets else None), list(self.texts)

    def _floats(self, values: HostArray) -> HostArray | None:
        floats = as_floats(values)
        if floats is not None and self.wide:
            return values.astype(np.float64, copy=False)
        if floats is not None and floats.dtype == np.float64:
            raise _NeedsFloat64
        return floats

    def _labels(self, frame: pd.DataFrame, position: int) -> HostArray:
        import pandas as pd

        if self.regress:
            targets = self._floats(_numbers(frame, [position])[:, 0])
            if targets is None:
                raise ValueError("a label is out of range")
            return targets
        codes, texts = pd.factorize(frame[position])
        if any(not text.strip() for text in texts):
            raise ValueError("a label is empty")
        return np.array([self.texts.setdefault(text, len(self.texts)) for text in texts], np.int32)[codes]


def _frames(text: io.TextIOBase, header: Header, *, regress: bool) -> Iterator[pd.DataFrame]:
    import pandas as pd

    width = len(header.names)
    texts = [] if header.label is None or regress else [header.label]
    try:
        # The header is read already: the first row then sets the width, and no extra cell is an index.
        yield from pd.read_csv(
            text,
            header=None,
            index_col=False,
            na_filter=False,
            low_memory=False,
            skip_blank_lines=width > 1,
            dtype=dict.fromkeys(texts, str),
            chunksize=max(_ROWS, _CELLS // width),
        )
    except pd.errors.EmptyDataError:
        return


def _numbers(frame: pd.DataFrame, positions: list[int]) -> HostArray:
    chosen = frame[positions]
    if not all(dtype.kind in "if" for dtype in chosen.dtypes):
        raise ValueError("a cell is not a number")
    return chosen.to_numpy()
