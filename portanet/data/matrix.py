"""Encoding chunks of a table as rows of a matrix, by a schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from portanet._text import listed, plain
from portanet._typing import HostArray
from portanet.data import dates
from portanet.data.categories import codes_of
from portanet.data.cells import LARGEST, is_gap, number_of, quoted
from portanet.data.chunk import Chunk, Texts
from portanet.data.columns import truth_of
from portanet.data.labels import shortest
from portanet.storage.schema import DATE, NUMBER, YES_NO, Column, Dialect, Schema


@dataclass
class Seen:
    """Values of a table that did not occur in training, by column.

    new     counts of values that are not among the categories, for a few of them
    gaps    the number of missing values in columns that had none in training
    bare    the number of numbers without a sign, and the sign that was assumed
    faults  the number of cells not of the column's kind, and the text of the first
    words   counts of the texts that were taken as missing
    """

    new: dict[str, Counter[str]] = field(default_factory=dict)
    gaps: Counter[str] = field(default_factory=Counter)
    bare: dict[str, tuple[int, str]] = field(default_factory=dict)
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    words: dict[str, Counter[str]] = field(default_factory=dict)

    def told_words(self) -> list[str]:
        """A line on the texts that were taken as missing, if there are any."""
        columns = [
            f"{plain(name)} ({', '.join(f'{plain(word)} {count:,}' for word, count in words.most_common(3))})"
            for name, words in self.words.items()
        ]
        return [f"taken as missing: {listed(columns, str)}"] if columns else []

    def told(self) -> list[str]:
        """A line for each column."""
        lines = []
        for name, counts in self.new.items():
            first, more = quoted(next(iter(counts))), len(counts) - 1
            shown = f"{first} and {more} other{'s' if more > 1 else ''}" if more else first
            lines.append(f"{name}: {_cells(counts.total())} with values that training did not have ({shown})")
        lines += [f"{name}: {_cells(count)} missing, none was in training" for name, count in self.gaps.items()]
        lines += [
            f"{name}: {_cells(count)} without {sign}, taken as {sign}" for name, (count, sign) in self.bare.items()
        ]
        return lines + [
            f"{name}: {_cells(count)} taken as missing, such as {quoted(text)}"
            for name, (count, text) in self.faults.items()
        ]


def _cells(count: int) -> str:
    return f"{count:,} cell{'s' if count > 1 else ''}"


class Matrix:
    """Turns chunks into rows of float32 or float64.

    positions  the positions in the source of the columns that the schema uses
    """

    def __init__(self, schema: Schema, positions: Sequence[int], dialect: Dialect) -> None:
        self.schema, self.positions, self.dialect = schema, positions, dialect
        self.dtype = np.float64 if schema.wide else np.float32
        self.seen = Seen()
        self._absent = {number_of(word, dialect) for word in dialect.missing or ()} - {None}
        self._codes = {column.name: codes_of(column.values) for column in schema.used}

    def rows(self, chunk: Chunk) -> HostArray:
        """The rows of a chunk (N, D); a cell not of its column's kind becomes NaN and is counted in `seen`."""
        x = np.empty((chunk.rows, len(self.schema.names)), self.dtype)
        place, targets, sources = 0, [], []
        for column, position in zip(self.schema.used, self.positions):
            width = len(column.parts)
            if column.kind == NUMBER and position in chunk.position:
                targets.append(place)
                sources.append(chunk.position[position])
                self._bare(column, int((~np.isnan(chunk.numbers[:, sources[-1]])).sum()) if column.sign else 0)
            elif column.kind == NUMBER and position in chunk.texts:
                x[:, place] = self._numbers(column, chunk.texts[position])
            elif column.kind == DATE:
                x[:, place : place + width] = self._dates(column, chunk, position)
            else:
                x[:, place] = self._categories(column, self._texts(chunk, position))
            place += width
        if targets:
            with np.errstate(over="ignore"):
                x[:, targets] = chunk.numbers[:, sources]
        self._check(x)
        return x

    def _texts(self, chunk: Chunk, position: int) -> Texts:
        """A column as text, also if the source has it as numbers or dates."""
        if position in chunk.texts:
            return chunk.texts[position]
        values = chunk.numbers[:, chunk.position[position]] if position in chunk.position else chunk.dates[position]
        distinct, codes = np.unique(values, return_inverse=True)
        return Texts(codes, [shortest(str(value)) for value in distinct.tolist()])

    def _numbers(self, column: Column, cells: Texts) -> HostArray:
        counts = _counts(cells)
        found = np.full(len(cells.texts) + 1, np.nan)  # the last is for the code -1
        for code, text in enumerate(cells.texts):
            number = number_of(text, self.dialect, column.sign)
            if number in self._absent or self._is_gap(column, text, int(counts[code])):
                continue
            if number is None:
                self._fault(column, int(counts[code]), text)
                continue
            found[code] = number
            if column.sign and column.sign not in text:
                self._bare(column, int(counts[code]))
        values: HostArray = found[cells.codes]
        return values

    def _categories(self, column: Column, cells: Texts) -> HostArray:
        codes, counts = self._codes[column.name], _counts(cells)
        found = np.zeros(len(cells.texts) + 1)
        for code, text in enumerate(cells.texts):
            text = text.strip()
            known = codes.get(text) or codes.get(shortest(text)) or (column.kind == YES_NO and truth_of(text)) or 0
            found[code] = known
            if known or not counts[code]:
                continue
            if self._is_gap(column, text, int(counts[code])):
                if not column.gaps:
                    self.seen.gaps[column.name] += int(counts[code])
            else:
                self.seen.new.setdefault(column.name, Counter())[text] += int(counts[code])
        values: HostArray = found[cells.codes]
        return values

    def _dates(self, column: Column, chunk: Chunk, position: int) -> HostArray:
        if position in chunk.dates:
            return dates.numbers(dates.of_datetimes(chunk.dates[position]), column.form)
        cells = self._texts(chunk, position)
        counts = _counts(cells)
        moments = [dates.parse(text, column.form) for text in cells.texts]
        for code, (text, moment) in enumerate(zip(cells.texts, moments)):
            if moment is None and not self._is_gap(column, text, int(counts[code])):
                self._fault(column, int(counts[code]), text)
        rows: HostArray = dates.numbers([*moments, None], column.form)[cells.codes]
        return rows

    def _is_gap(self, column: Column, text: str, count: int) -> bool:
        """Whether a cell is missing; texts for a missing value are counted."""
        if not is_gap(text := text.strip(), self.dialect):
            return False
        if text and count:
            self.seen.words.setdefault(column.name, Counter())[text] += count
        return True

    def _bare(self, column: Column, count: int) -> None:
        if count:
            self.seen.bare[column.name] = self.seen.bare.get(column.name, (0, ""))[0] + count, column.sign

    def _fault(self, column: Column, count: int, text: str) -> None:
        if count:
            before, first = self.seen.faults.get(column.name, (0, text))
            self.seen.faults[column.name] = before + count, first

    def _check(self, x: HostArray) -> None:
        """Count gaps, and treat numbers that are too large as missing."""
        place = 0
        for column in self.schema.used:
            values = x[:, place]
            if column.kind == NUMBER and (large := np.abs(values) > LARGEST).any():
                self._fault(column, int(large.sum()), f"{values[large][0]:g}")
                values[large] = np.nan
            if column.kind in (NUMBER, DATE) and not column.gaps and (count := int(np.isnan(values).sum())):
                self.seen.gaps[column.name] += count
            place += len(column.parts)


def _counts(cells: Texts) -> HostArray:
    """The number of occurrences of each text."""
    return np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.texts))
