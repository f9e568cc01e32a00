"""The rows of a text file, read by pandas in chunks that keep memory near the result's size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._text import plain
from portanet.data.cells import is_text, number_of
from portanet.data.checks import Check, check
from portanet.data.chunk import Chunk, Texts, smallest
from portanet.data.columns import decide
from portanet.data.csv.dialect import split
from portanet.data.csv.fault import find_faults, well_formed_rows
from portanet.data.csv.header import Header
from portanet.data.csv.padded import has_padded
from portanet.data.csv.text import first_row, opened, settings
from portanet.data.tally import PADDED, tallies
from portanet.errors import ConfigError, DataError
from portanet.storage.schema import Dialect

if TYPE_CHECKING:
    import pandas as pd

_CELLS = 2**21  # per chunk
_ROWS = 256  # per chunk, at least: pandas takes half a millisecond for each column of each chunk


class _ShortRow(ValueError):  # noqa: N818
    """A row has too few cells, which pandas would pad with empty ones."""


@dataclass(frozen=True)
class TextTable:
    """A text file as a table; any columns beyond its header are empty."""

    path: str | Path
    name: str
    dialect: Dialect
    header: Header
    told: Callable[[int, int], None] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return self.header.names

    def read(self, as_text: Iterable[int] = ()) -> Iterator[Chunk]:
        """The chunks, with the columns at `as_text` as text; raises ValueError or csv.Error for ragged rows."""
        width, may_be_short = len(self.names), False
        words = [number_of(word, self.dialect) for word in self.dialect.missing or ()]
        extra = [number for number in words if number is not None]
        for frame in frames(self.path, self.dialect, width, as_text, self.told):
            chunk = _chunk(frame, width, extra)
            may_be_short = may_be_short or (width - 1 in chunk.texts and "" in chunk.texts[width - 1].texts)
            yield chunk
        if may_be_short and find_faults(self.path, self.name, self.dialect, self.names, {}) is not None:
            raise _ShortRow

    def padded(self, columns: Iterable[int]) -> set[int]:
        """Those of these integer columns in which a cell has a leading zero, as codes do."""
        columns, found = list(columns), set()
        if columns and has_padded(self.path, self.dialect):
            for frame in frames(self.path, self.dialect, len(self.names), columns, None):
                found |= {i for i in columns if frame[i].str.fullmatch(rf"\s*{PADDED.pattern}\s*").any()}
        return found

    def explained(self, error: Exception, checks: Mapping[int, Check] | None, valid_rows: int) -> DataError:
        """The DataError with the positions of all faults."""
        valid_rows = 0 if isinstance(error, _ShortRow) else valid_rows
        if checks is None:
            with contextlib.suppress(DataError, ConfigError, ValueError):
                checks = self._likely_checks()
        found = find_faults(self.path, self.name, self.dialect, self.names, checks or {}, valid_rows=valid_rows)
        return found or DataError(f"{self.name}: not a table that can be read ({plain(error, 200)}).")

    def _likely_checks(self) -> dict[int, Check]:
        """Checks for the columns, inferred from the rows with as many cells as the header."""
        rows = list(well_formed_rows(self.path, self.dialect, len(self.names)))
        if not rows:
            return {}
        cells = {i: _texts(column) for i, column in enumerate(zip(*rows))}
        chunk = Chunk(len(rows), np.empty((len(rows), 0), np.uint8), {}, cells)
        found = tallies(self.names, [chunk], self.dialect, self.header.labels)
        return {
            i: check(decide(name, tally, self.dialect), self.dialect)
            for i, (name, tally) in enumerate(zip(self.names, found))
            if i not in self.header.labels
        }


def frames(
    path: str | Path, dialect: Dialect, width: int, as_text: Iterable[int], told: Callable[[int, int], None] | None
) -> Iterator[pd.DataFrame]:
    """The rows below the header as pandas reads them."""
    import pandas as pd

    with opened(path, dialect) as text:
        if dialect.header:
            first_row(split(text, dialect))
        first = text.next_row(dialect)
        if told is not None:
            told(0, text.progress()[1])
        if len(first) > width and any(cell.strip() for cell in first[width:]):
            raise ValueError("the first row is longer than the header")
        if not first:
            return
        try:
            # The header has been read, so the first row sets the width, and an extra cell is not an index.
            parts = pd.read_csv(
                text,
                header=None,
                index_col=False,
                na_filter=False,
                low_memory=False,
                skip_blank_lines=width > 1,
                dtype=dict.fromkeys(as_text, str),
                chunksize=max(_ROWS, _CELLS // width),
                **settings(dialect),
            )
            for frame in parts:
                yield frame
                if told is not None:
                    told(*text.progress())
        except pd.errors.EmptyDataError:
            if first:  # pandas takes a blank first line for an empty file
                raise ValueError("the first row is blank") from None


def _chunk(frame: pd.DataFrame, width: int, missing: list[float]) -> Chunk:
    if frame.shape[1] < width:
        raise ValueError("rows are shorter than the header")
    for position in range(width, frame.shape[1]):
        if not (frame[position].dtype.kind == "O" and (frame[position] == "").all()):
            raise ValueError("rows are longer than the header")
    kinds = [dtype.kind for dtype in frame.dtypes[:width]]
    numeric = [position for position, kind in enumerate(kinds) if kind in "iuf"]
    numbers = frame[numeric].to_numpy() if numeric else np.empty((len(frame), 0), np.uint8)
    if missing and numeric:
        numbers = np.where(np.isin(numbers, missing), np.nan, numbers)
    texts = {position: _texts(frame[position]) for position, kind in enumerate(kinds) if kind not in "iuf"}
    return Chunk(len(frame), smallest(numbers), {position: i for i, position in enumerate(numeric)}, texts)


def _texts(column: Any) -> Texts:
    import pandas as pd

    codes, texts = pd.factorize(column if hasattr(column, "dtype") else np.array(column, object))
    cells = Texts(codes, [str(text) for text in texts])
    if not all(map(is_text, cells.texts)):
        raise ValueError("not UTF-8 text")
    return cells
