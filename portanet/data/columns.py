"""Which kind each column of a table is, decided on the rows to train on."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray
from portanet.data import dates
from portanet.data.cells import as_floats, is_missing, number_of, quoted
from portanet.data.chunk import Chunk, Texts
from portanet.errors import ConfigError
from portanet.storage import schema as kinds
from portanet.storage.schema import Column, Dialect

_MOST = 2**16  # texts of a column that are told apart; more of them are free text
_FEW_ROWS = 5  # below, whole numbers that rise by one may be anything
_FEW = 20  # values of a column that are categories, however many of its cells they fill
_WORDS = 4  # of a cell, in the mean, from which text is free
_ID_ENDS = ("id", "key", "number", "index")
_NOT_IDS = {"paid", "bid", "acid", "humid", "grid", "solid", "fluid", "liquid", "valid", "mid", "aid", "kid"}
_ASKED = "as asked"

TRUTHS = (("no", "n", "false", "f", "off", "0"), ("yes", "y", "true", "t", "on", "1"))
"""The words of the kind yes/no, in lower case, in the order of its codes."""


@dataclass
class Tally:
    """Counts over the cells of one column, chunk after chunk.

    numbers   cells that hold a number; `low` to `high` are their values
    rising    whether they are whole and rise by one from row to row, from `first` in the first row of all
    texts     how often each text occurs that is not missing; empty where there are more than _MOST
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
            if not count:  # of rows that are not looked at
                continue
            if is_gap(text, dialect):
                self.missing += count
                continue
            if (number := number_of(text, dialect)) is not None:
                self.numbers += count
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
        if len(self.texts) > _MOST:
            self.overflow = True

    @property
    def present(self) -> int:
        """How many cells hold a value."""
        return self.rows - self.missing

    @property
    def is_distinct(self) -> bool:
        """Whether no value occurs twice; numbers are kept only where the name suggests an identifier."""
        if self.numbers == self.present and not self.as_text:
            values = np.concatenate(self.values) if self.values else np.empty(0)
            return len(values) == len(np.unique(values)) == self.present
        return not self.overflow and len(self.texts) == self.present


def names_an_id(name: str) -> bool:
    """Whether a column of this name may hold identifiers: it has none, or one that ends in id, key, number or index."""
    name = name.strip().lower()
    unnamed = not name or re.fullmatch(r"unnamed: [0-9]+|column [0-9]+", name)
    return bool(unnamed) or (name.endswith(_ID_ENDS) and re.split(r"[^a-z]", name)[-1] not in _NOT_IDS)


def is_gap(text: str, dialect: Dialect) -> bool:
    """Whether a cell's text is a missing value."""
    return is_missing(text) or text == "-" or text.lower() in (dialect.missing or ())


def tallies(
    names: Sequence[str],
    chunks: Iterable[Chunk],
    dialect: Dialect,
    without: Collection[int],
    chosen: HostArray | None = None,
) -> list[Tally]:
    """What each column holds, of all rows or of those that are `chosen`; those at `without` are not looked at."""
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


def decide(name: str, tally: Tally, dialect: Dialect, forced: str | None = None) -> Column:
    """The column with its kind, and why it has that; `forced` is the kind that the user chose."""
    column = Column(name, gaps=tally.missing > 0)
    if forced is not None:
        return _forced(column, tally, forced)
    if not tally.present and tally.rows:
        return replace(column, kind=kinds.CONSTANT, why="it has no values")
    if tally.moments:
        return replace(column, kind=kinds.DATE, form=f"datetime64{kinds.TIME}")
    if tally.numbers == tally.present:
        return _number(column, tally)
    return _text(column, tally)


def _number(column: Column, tally: Tally) -> Column:
    if tally.low == tally.high and not tally.missing and tally.rows >= _FEW_ROWS:
        return replace(column, kind=kinds.CONSTANT, why=f"every value is {tally.low:g}")
    if tally.rows >= _FEW_ROWS and not tally.missing and tally.whole:
        if tally.rising:
            return replace(column, kind=kinds.ID, why=f"integers that rise by one from {tally.first:.0f}")
        if tally.is_id and tally.is_distinct:
            return replace(column, kind=kinds.ID, why="distinct integers under such a name")
    return replace(column, wide=tally.wide)


def _text(column: Column, tally: Tally) -> Column:
    texts = list(tally.texts)
    if len(texts) == 1 and not tally.missing and tally.rows >= _FEW_ROWS:
        return replace(column, kind=kinds.CONSTANT, why=f"every value is {quoted(texts[0])}")
    truths = tuple(sorted(texts, key=truth_of))
    if [truth_of(text) for text in truths] == [1, 2]:
        return replace(column, kind=kinds.YES_NO, values=truths)
    if _is_spoilt(tally):
        return replace(column, wide=tally.wide, why="nine of ten cells are numbers")
    if form := dates.form_of(texts):
        return replace(column, kind=kinds.DATE, form=form)
    if tally.is_distinct and tally.present >= _FEW_ROWS:
        return replace(column, kind=kinds.ID, why="every value is different")
    if tally.overflow or (len(texts) > _FEW and (2 * len(texts) > tally.present or _is_prose(tally))):
        shown = f"{len(texts):,}" if not tally.overflow else f"over {_MOST:,}"
        return replace(column, kind=kinds.TEXT, why=f"{shown} different texts in {tally.present:,} cells")
    return replace(column, kind=kinds.CATEGORY, values=in_order(tally.texts))


def _is_spoilt(tally: Tally) -> bool:
    """Whether numbers of many values have some text among them: nine of ten cells at least are numbers."""
    many = not tally.as_text or len(tally.texts) > _FEW or 2 * len(tally.texts) > tally.present
    return many and 10 * tally.numbers >= 9 * tally.present


def _is_prose(tally: Tally) -> bool:
    words = sum(text.count(" ") + 1 for text in tally.texts)
    return words >= _WORDS * len(tally.texts)


def in_order(texts: Iterable[str]) -> tuple[str, ...]:
    """Categories in the order of their values: numbers by size, before other text by its letters."""
    plain_marks = Dialect()

    def key(text: str) -> tuple[bool, float, str]:
        number = number_of(text, plain_marks)
        return number is None, 0.0 if number is None else number, text

    return tuple(sorted(texts, key=key))


def truth_of(text: str) -> int:
    """1 for a no, 2 for a yes, 0 for other texts: the codes of the kind yes/no."""
    lowered = text.lower()
    return next((code for code, words in enumerate(TRUTHS, 1) if lowered in words), 0)


def _forced(column: Column, tally: Tally, kind: str) -> Column:
    column = replace(column, kind=kind, wide=tally.wide and kind == kinds.NUMBER, why=_ASKED)
    if kind == kinds.NUMBER and not tally.numbers:
        raise ConfigError(f"the column {quoted(column.name)} holds no numbers.")
    if kind == kinds.CATEGORY:
        if not tally.texts:
            raise ConfigError(f"the column {quoted(column.name)} has no values.")
        if tally.overflow:
            raise ConfigError(f"the column {quoted(column.name)} has over {_MOST:,} values, too many for categories.")
        return replace(column, values=in_order(tally.texts))
    if kind == kinds.DATE and not tally.moments:
        form = dates.form_of(list(tally.texts), numbers=True)
        if not form:
            example = next(iter(tally.texts), "")
            raise ConfigError(f"the column {quoted(column.name)} has no dates: {quoted(example)} is not one.")
        return replace(column, form=form)
    return replace(column, form=f"datetime64{kinds.TIME}") if kind == kinds.DATE else column


def identifier(columns: Sequence[Column]) -> str | None:
    """The identifier column: one chosen as such, else by its name, else the first possible one."""
    ids = [column for column in columns if column.kind == kinds.ID]
    best = min(ids, key=lambda column: (column.why != _ASKED, not names_an_id(column.name)), default=None)
    return None if best is None else best.name


def told(columns: Sequence[Column]) -> list[str]:
    """One line for all columns that are left out, and why."""
    left = [
        f"{plain(column.name) or 'a column without a name'} ({column.why})" for column in columns if not column.parts
    ]
    return [f"left out: {', '.join(left[:8])}{f' and {len(left) - 8} more' if len(left) > 8 else ''}"] if left else []
