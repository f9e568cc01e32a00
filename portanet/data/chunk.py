"""Chunk: some rows of a table, stored by column, before the kinds of its columns are decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from portanet._typing import HostArray
from portanet.data.cells import as_uint8


class Texts(NamedTuple):
    """Text cells, dictionary-encoded: row i has `texts[codes[i]]`, or is missing if the code is -1."""

    codes: HostArray
    texts: Sequence[str]


@dataclass(frozen=True)
class Chunk:
    """Rows of a table. Columns are known by their position in the source.

    numbers   (N, K) values of the columns that hold only numbers; NaN if missing
    position  the column in `numbers` of each of these, by its position in the source
    texts     the text columns, by their position in the source
    dates     the columns of NumPy's datetime64, by their position in the source
    """

    rows: int
    numbers: HostArray
    position: Mapping[int, int]
    texts: Mapping[int, Texts]
    dates: Mapping[int, HostArray] = field(default_factory=dict)

    def where(self, chosen: HostArray) -> Chunk:
        """The rows for which `chosen` (N,) is true."""
        texts = {position: Texts(cells.codes[chosen], cells.texts) for position, cells in self.texts.items()}
        dates = {position: moments[chosen] for position, moments in self.dates.items()}
        return Chunk(int(chosen.sum()), self.numbers[chosen], self.position, texts, dates)


class Chunks(Protocol):
    """A table that can be read repeatedly, in chunks of rows."""

    @property
    def names(self) -> Sequence[str]:
        """The names of its columns."""

    def read(self, as_text: Iterable[int]) -> Iterable[Chunk]:
        """The chunks, with the columns at these positions as text."""

    def padded(self, columns: Iterable[int]) -> set[int]:
        """Those of these integer columns in which a cell has a leading zero, which a number would lose."""


def smallest(values: HostArray) -> HostArray:
    """The same values in the smallest of uint8, float32 and float64 that represents all of them exactly."""
    if (small := as_uint8(values)) is not None:
        return small
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
    exact = np.array_equal(single, values, equal_nan=values.dtype.kind == "f")
    return single if exact else values.astype(np.float64, copy=False)
