"""The cell values of a table by a model's schema: text, numbers and dates, before they are encoded."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray
from portanet.data import dates
from portanet.data.chunk import Chunk, Texts
from portanet.data.matrix import Matrix
from portanet.storage.schema import DATE, NUMBER, Column


class CellValues(Matrix):
    """Turns chunks into rows of objects, one for each column that the schema uses.

    A number is a float, NaN if missing; a date is a `datetime64[s]`, NaT if missing; a category is its original text,
    stripped of surrounding spaces.
    """

    def rows(self, chunk: Chunk) -> HostArray:
        """The rows of a chunk (N, columns); a cell of the wrong kind becomes missing and is counted in `seen`."""
        cells = np.empty((chunk.rows, len(self.positions)), object)
        for place, (column, position) in enumerate(zip(self.schema.used, self.positions)):
            cells[:, place] = self._cells(column, chunk, position)
        return cells

    def _cells(self, column: Column, chunk: Chunk, position: int) -> HostArray:
        if column.kind == NUMBER and position in chunk.position:
            return chunk.numbers[:, chunk.position[position]].astype(np.float64)
        if column.kind == NUMBER:
            return self._numbers(column, chunk.texts[position])
        if column.kind == DATE and position in chunk.dates:
            return chunk.dates[position].astype("datetime64[s]")
        cells = self._texts(chunk, position)
        if column.kind == DATE:
            moments = [np.datetime64(dates.parse(text, column.form), "s") for text in cells.texts]
            return _in_rows(cells, [*moments, np.datetime64("NaT", "s")])
        return _in_rows(cells, [*(text.strip() for text in cells.texts), ""])


def _in_rows(cells: Texts, values: list[object]) -> HostArray:
    """The value of each row's text; the last value is for the code -1."""
    found = np.empty(len(values), object)
    found[:] = values
    return found[cells.codes]
