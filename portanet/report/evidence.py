"""Evidence: a model's predictions on labelled rows, and its learned features, as arrays on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from portanet._typing import HostArray
from portanet.metrics import Metric
from portanet.storage.label import in_words
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import CATEGORY, DATE, YES_NO, Column


@dataclass(frozen=True, eq=False)
class Evidence:
    """Labelled rows with a model's predictions.

    rows        the rows by name: "validation", "test", "training" or "given"
    total       the number of rows; `x` has fewer of very many, at even distances
    x           (N, ...) the rows as they were read
    targets     labels (N,), ones and zeros (N, K) for multi-label rows, or numbers (N, K)
    outputs     (N, K) the probabilities of the classes, or predicted numbers in the targets' unit
    classes     the names of the classes; empty for regression
    metric      the metric of these rows
    score       its value
    bounds      (N, 2, K) the lower and upper bounds of intervals, in the targets' unit, if there are any
    coverage    the fraction of targets that the intervals should contain
    importance  the loss of score when a column's values are shuffled, by the column's name
    filters     (units, C, H, W) the weights of the first layer, if it takes images
    """

    rows: str
    total: int
    x: HostArray
    targets: HostArray
    outputs: HostArray
    card: ModelCard
    classes: tuple[str, ...] = ()
    metric: Metric | None = None
    score: float = 0.0
    bounds: HostArray | None = None
    coverage: float = 0.0
    importance: Mapping[str, float] = field(default_factory=dict)
    filters: HostArray | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def described(self) -> str:
        """The rows in words, such as "10,000 of 42,000 training rows"."""
        return (f"{len(self):,} of " if len(self) < self.total else "") + f"{self.total:,} {self.rows} rows"

    @property
    def has_one_class(self) -> bool:
        """Whether each row has one class."""
        return bool(self.classes) and self.targets.ndim == 1

    @property
    def has_numbers(self) -> bool:
        """Whether predictions are numbers, not classes."""
        return not self.classes

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the targets; several without names are numbered."""
        return self.card.target_names(self.targets.shape[1]) or (in_words(self.card.label),)

    @property
    def has_images(self) -> bool:
        """Whether rows can be shown as pictures."""
        return self.x.ndim == 4 and self.x.shape[1] in (1, 3, 4)

    @cached_property
    def predicted(self) -> HostArray:
        """(N,) the most probable class of each row, as an index."""
        return np.argmax(self.outputs, axis=1)

    @cached_property
    def confidence(self) -> HostArray:
        """(N,) the probability of that class."""
        return np.max(self.outputs, axis=1)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the table as in its file; without names they are numbered from 1."""
        if self.x.ndim != 2:
            return ()
        if self.card.table is not None:
            return self.card.table.used
        names = self.card.columns or tuple(str(number) for number in range(1, self.x.shape[1] + 1))
        return tuple(Column(name) for name in names)

    @cached_property
    def column_indices(self) -> dict[str, list[int]]:
        """The columns of x for each column of the table, by its name."""
        indices, start = {}, 0
        for column in self.columns:
            indices[column.name] = list(range(start, start + len(column.parts)))
            start += len(column.parts)
        return indices

    def cell(self, row: int, column: Column) -> str:
        """The value of a column in a row of the table, as text; empty if it is missing."""
        first, *others = (float(self.x[row, index]) for index in self.column_indices[column.name])
        if column.kind in (CATEGORY, YES_NO):
            return column.values[int(first) - 1] if 0 < first <= len(column.values) else ""
        if np.isnan(first):
            return ""
        if column.kind == DATE:
            return f"{first:.0f}-{others[0]:02.0f}" if others and not np.isnan(others[0]) else f"{first:.0f}"
        return f"{first:,.0f}" if first == round(first) and abs(first) < 1e15 else f"{first:.6g}"
