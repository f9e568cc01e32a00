"""Rows to learn from, with their labels and weights."""

from __future__ import annotations

from dataclasses import dataclass

from portanet._typing import Array, HostArray
from portanet.training.source import Source, TakeSteps
from portanet.training.state import Data
from portanet.training.step import Step


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of a source; `targets` are their labels on the device, and without weights every row counts the same."""

    source: Source
    labels: HostArray
    targets: Array
    weights: Array | None

    def compile(self, step: Step) -> TakeSteps:
        """Return a function that takes runs of steps on these rows."""
        return self.source.compile(step, self.targets, self.weights)

    def batch(self, rows: HostArray | None) -> Data:
        """The data of one step; without row numbers, of a step that takes all rows."""
        data = Data(self.source.batch(rows), self.targets, self.weights)
        return data if rows is None else data.with_labels(self.source.backend.put(rows, "int32"))
