"""Deciding the schema of a table from its training rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from portanet._text import listed
from portanet._typing import HostArray
from portanet.data.cells import quoted
from portanet.data.chunk import Chunk, Chunks
from portanet.data.columns import decide
from portanet.data.tally import Tally, tallies
from portanet.errors import ConfigError, DataError
from portanet.storage.schema import CATEGORY, CHOSEN, DATE, DROP, FORMS, NUMBER, Column, Dialect, Schema

TrainingRows = Callable[[Iterable[Chunk]], HostArray | None]
"""Returns a mask (N,) of the training rows of a table, by its labels; None if all are."""


def decided(
    source: Chunks, labels: Collection[int], chosen: Mapping[str, str], dialect: Dialect, training: TrainingRows, *,
    keep: bool,
) -> tuple[Schema, list[Chunk] | None]:  # fmt: skip
    """The schema of a table to train on, and its chunks if `keep`, for the next pass.

    `chosen` are the kinds that the user set, by column name; the others are decided from the `training` rows.
    """
    require_kinds(chosen, source.names)
    as_text = {
        position for position, name in enumerate(source.names)
        if position in labels or chosen.get(name) in (CATEGORY, DATE, *FORMS)
    }  # fmt: skip
    rows: HostArray | None = None
    for number in itertools.count():
        chunks = list(source.read(as_text)) if keep else None
        if not number:
            rows = training(source.read(as_text) if chunks is None else chunks)
        walk = source.read(as_text) if chunks is None else chunks
        found = tallies(source.names, walk, dialect, labels, rows)
        columns = {
            position: decide(name, tally, dialect, chosen.get(name))
            for position, (name, tally) in enumerate(zip(source.names, found)) if position not in labels
        }  # fmt: skip
        mixed = {position for position, column in columns.items() if _needs_text(column, found[position])}
        if not number:
            mixed |= source.padded(i for i, column in columns.items() if _may_hold_codes(column, found[i], chosen))
        if mixed <= as_text:
            return Schema(tuple(columns.values()), dialect), chunks
        as_text |= mixed
    raise AssertionError  # the loop ends only by returning


def _needs_text(column: Column, tally: Tally) -> bool:
    """Whether a column that is numeric in some chunks has a kind that depends on its text."""
    return bool(tally.texts or tally.overflow) and not tally.as_text and column.kind not in (NUMBER, DROP)


def _may_hold_codes(column: Column, tally: Tally, chosen: Mapping[str, str]) -> bool:
    """Whether a column read as integers may hold codes such as 01067."""
    integers = column.kind == NUMBER and tally.whole and tally.low >= 0 and not tally.as_text
    return integers and column.name not in chosen


def require_kinds(chosen: Mapping[str, str], names: Sequence[str]) -> None:
    """Refuse unknown kinds and unknown columns."""
    for name, kind in chosen.items():
        if kind not in CHOSEN:
            raise ConfigError(f"the column {quoted(name)} cannot be {kind!r}; it can be {', '.join(CHOSEN)}.")
        if name not in names:
            raise DataError(f"unknown column {quoted(name)}; the columns: {listed(names)}.")
