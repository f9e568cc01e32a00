"""Tally: statistics of a table's columns, collected chunk by chunk."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from portanet._typing import HostArray
from portanet.data.cells import as_floats, is_gap, signed_number
from portanet.data.chunk import Chunk, Texts
from portanet.data.signs import is_unit
from portanet.storage.schema import Dialect

MOST = 2**16
"""Distinct texts of a column that are counted; a column with more is free text."""
PADDED = re.compile(r"0\d+")
"""A code such as 01067, whose leading zero a number would lose."""
_ID_ENDS = ("id", "key", "number", "index")
_NOT_IDS = {"paid", "bid", "acid", "humid", "grid", "solid", "fluid", "liquid", "valid", "mid", "aid", "kid"}


@dataclass
class Tally:
    """Statistics of the cells of one column, collected chunk by chunk.

    numbers   the number of cells that hold a number; their range is `low` to `high`
    signs     the number of cells with a number and a sign or unit, by sign
    rising    whether the numbers are whole and rise by one from row to row, starting with `first`
    texts     counts of the texts that are not missing; empty if there are more than MOST
    as_text   whether every chunk was text
    """

    is_id: bool = False
    rows: int = 0
    missing: int = 0
    numbers: int = 0
    low: float = np.inf
    high: float = -np.inf
    whole: bool = True
    rising: bool = True
    wide: bool = False
    as_text: bool = True
    overflow: bool = False
    texts: dict[str, int] = field(default_factory=dict)
    values: list[HostArray] = field(default_factory=list)
    moments: bool = False
    first: float = np.nan
    signs: Counter[str] = field(default_factory=Counter)

    def add_numbers(self, values: HostArray, rows: HostArray) -> None:
        """Count the numbers of these rows; NaN is missing."""
        self.as_text = False
        self.rows += len(values)
        present = values if values.dtype.kind in "iub" else values[~np.isnan(values)]
        self.missing += len(values) - len(present)
        self.numbers += len(present)
        if not len(present):
            return
        self.low, self.high = min(self.low, float(present.min())), max(self.high, float(present.max()))
        if self.whole and present.dtype.kind == "f":
            self.whole = bool((present == np.trunc(present)).all())
        if self.rising:
            starts = present.astype(np.float64) - (rows if len(present) == len(rows) else np.nan)
            self.first = float(starts[0]) if np.isnan(self.first) else self.first
            self.rising = bool(self.whole and (starts == self.first).all())
        if not self.wide and present.dtype == np.float64:
            floats = as_floats(present)
            self.wide = floats is None or floats.dtype == np.float64
        if self.is_id and self.whole:
            self.values.append(present)

    def add_texts(self, cells: Texts, dialect: Dialect) -> None:
        """Count the texts of the next rows."""
        self.rows += len(cells.codes)
        counts = np.bincount(cells.codes + 1, minlength=len(cells.texts) + 1).tolist()
        self.missing += counts[0]
        found: list[float] = []
        for text, count in zip(cells.texts, counts[1:]):
            text = text.strip()
            if not count:  # occurs only in excluded rows
                continue
            if is_gap(text, dialect):
                self.missing += count
                continue
            number, sign = signed_number(text, dialect)
            if sign:
                self.signs[sign] += count
            elif number is not None:
                self.numbers += count
            if number is not None:
                found.append(number)
            if not self.overflow:
                self.texts[text] = self.texts.get(text, 0) + count
        if found:
            values = np.array(found)
            self.low, self.high = min(self.low, values.min()), max(self.high, values.max())
            self.whole = self.whole and bool((values == np.trunc(values)).all())
            floats = as_floats(values)
            self.wide = self.wide or floats is None or floats.dtype == np.float64
        self.rising = False
        if len(self.texts) > MOST:
            self.overflow = True

    @property
    def present(self) -> int:
        """The number of cells that are not missing."""
        return self.rows - self.missing

    @property
    def holds_codes(self) -> bool:
        """Whether all cells are digits, and some have a leading zero."""
        return any(map(PADDED.fullmatch, self.texts)) and all(map(str.isdecimal, self.texts))

    @property
    def sign(self) -> str:
        """The sign of at least nine of ten cells, or the unit if all other cells are plain numbers; else "".

        A column with two units, or with words, remains text: only the user knows how to convert it.
        """
        sign, count = next(iter(self.signs.most_common(1)), ("", 0))
        fits = not is_unit(sign) or count + self.numbers == self.present
        return sign if sign and fits and 10 * count >= 9 * self.present else ""

    @property
    def is_distinct(self) -> bool:
        """Whether no value occurs twice; numbers are kept only if the name suggests an identifier."""
        if self.numbers == self.present and not self.as_text:
            values = np.concatenate(self.values) if self.values else np.empty(0)
            return len(values) == len(np.unique(values)) == self.present
        return not self.overflow and len(self.texts) == self.present


def names_an_id(name: str) -> bool:
    """Whether a column of this name may hold identifiers: it is unnamed, or ends in id, key, number or index."""
    name = name.strip().lower()
    unnamed = not name or re.fullmatch(r"unnamed: [0-9]+|column [0-9]+", name)
    return bool(unnamed) or (name.endswith(_ID_ENDS) and re.split(r"[^a-z]", name)[-1] not in _NOT_IDS)


def tallies(
    names: Sequence[str],
    chunks: Iterable[Chunk],
    dialect: Dialect,
    without: Collection[int],
    chosen: HostArray | None = None,
) -> list[Tally]:
    """The tally of each column, over all rows or the `chosen` ones; columns at `without` are skipped."""
    found = [Tally(names_an_id(name)) for name in names]
    start = 0
    for chunk in chunks:
        stop = start + chunk.rows
        rows = np.arange(start, stop) if chosen is None else start + np.flatnonzero(chosen[start:stop])
        chunk = chunk if chosen is None else chunk.where(chosen[start:stop])
        start = stop
        for position, tally in enumerate(found):
            if position in without:
                continue
            if position in chunk.position:
                tally.add_numbers(chunk.numbers[:, chunk.position[position]], rows)
            elif position in chunk.texts:
                tally.add_texts(chunk.texts[position], dialect)
            else:
                tally.moments, tally.as_text = True, False
                tally.rows += chunk.rows
                tally.missing += int(np.isnat(chunk.dates[position]).sum())
    return found
