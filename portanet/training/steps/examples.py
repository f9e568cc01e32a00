"""Rows to learn from, with their labels and weights."""

from __future__ import annotations

from dataclasses import dataclass

from portanet._typing import Array, HostArray
from portanet.training.steps.source import Source, TakeSteps
from portanet.training.steps.state import Data
from portanet.training.steps.step import Step


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of a source; `targets` are their labels on the device, and without weights every row counts the same."""

    source: Source
    labels: HostArray
    targets: Array
    weights: Array | None

    def compile(self, step: Step) -> TakeSteps:
        """Return a function that takes runs of steps on these rows."""
        return self.source.compile(step, self)

    def batch(self, rows: HostArray | None, numbers: Array | None = None) -> Data:
        """The data of one step: these rows, whose `numbers` may be on the device already; without rows, all."""
        data = Data(self.source.batch(rows), self.targets, self.weights)
        if rows is None:
            return data
        return data.with_labels(self.source.backend.put(rows, "int32") if numbers is None else numbers)
