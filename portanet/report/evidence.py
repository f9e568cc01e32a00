"""Evidence: what a model answers on labelled rows, and what it has learnt, as arrays on the host."""

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
    """Labelled rows with a model's answers.

    rows        which they are: "validation", "test", "training" or "given"
    total       how many there are; of more than x holds, x has those at even distances
    x           (N, ...) rows as they were read
    targets     class numbers (N,), ones and zeros (N, K) for several classes at once, or numbers (N, K)
    outputs     (N, K) probabilities of the classes, or the predicted numbers, in the unit of the targets
    classes     the names of the classes; none for numbers
    metric      what is measured on these rows
    score       its value
    bounds      (N, 2, K) the lower and the upper bound of each number, in the unit of the targets, if there are any
    coverage    the fraction of the targets that is meant to lie between them
    importance  how much of the score is lost when a column's values are shuffled among the rows, by its name
    filters     (units, C, H, W) the weights of the first layer, where they are pictures
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
    def has_one_class(self) -> bool:
        """Whether each row is of one class."""
        return bool(self.classes) and self.targets.ndim == 1

    @property
    def has_numbers(self) -> bool:
        """Whether the answers are numbers, not classes."""
        return not self.classes

    @property
    def target_names(self) -> tuple[str, ...]:
        """The name of each number that is predicted; several without names are numbered."""
        return self.card.target_names(self.targets.shape[1]) or (in_words(self.card.label),)

    @property
    def has_images(self) -> bool:
        """Whether a row can be shown as a picture."""
        return self.x.ndim == 4 and self.x.shape[1] in (1, 3, 4)

    @cached_property
    def predicted(self) -> HostArray:
        """(N,) the number of the likeliest class of each row."""
        return np.argmax(self.outputs, axis=1)

    @cached_property
    def confidence(self) -> HostArray:
        """(N,) the probability of that class."""
        return np.max(self.outputs, axis=1)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of a table as its file has them; without names, numbered from 1."""
        if self.x.ndim != 2:
            return ()
        if self.card.table is not None:
            return self.card.table.used
        names = self.card.columns or tuple(str(number) for number in range(1, self.x.shape[1] + 1))
        return tuple(Column(name) for name in names)

    @cached_property
    def places(self) -> dict[str, list[int]]:
        """Which columns of x belong to each column of the table."""
        found, start = {}, 0
        for column in self.columns:
            found[column.name] = list(range(start, start + len(column.parts)))
            start += len(column.parts)
        return found

    def cell(self, row: int, column: Column) -> str:
        """What a row of the table holds in a column, as text; empty where nothing is known."""
        first, *others = (float(self.x[row, place]) for place in self.places[column.name])
        if column.kind in (CATEGORY, YES_NO):
            return column.values[int(first) - 1] if 0 < first <= len(column.values) else ""
        if np.isnan(first):
            return ""
        if column.kind == DATE:
            return f"{first:.0f}-{others[0]:02.0f}" if others and not np.isnan(others[0]) else f"{first:.0f}"
        return f"{first:,.0f}" if first == round(first) and abs(first) < 1e15 else f"{first:.6g}"
