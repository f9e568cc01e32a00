"""The history of a run: one row for each logging point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portanet._typing import HostArray
from portanet.training.callbacks import Row
from portanet.training.source import Source
from portanet.training.state import Position
from portanet.training.tasks import Task

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


@dataclass(frozen=True)
class History:
    """Makes the rows of a run's history.

    task    what measures the training rows
    labels  those of the training rows, on the host
    weight  the sum of their weights; without weights their number
    valid   rows and labels to measure on for each row of the history
    """

    run: TrainedModel
    task: Task
    labels: HostArray
    weight: float
    valid: tuple[Source, HostArray] | None

    def append(self, at: Position, epoch: int, learning_rate: float, seconds: float) -> Row:
        """Add the row of an epoch, whose sums have been read, and return it."""
        task = self.task
        counted = sum(np.asarray(sums["counted"]) for sums in at.sums)
        row: Row = {
            "step": at.step,
            "epoch": epoch,
            "learning_rate": learning_rate,
            "loss": sum(sums["loss"] for sums in at.sums) / (self.weight or 1.0),
            task.metric.key: task.finalize(counted, self.labels),
        }
        if self.valid is not None:
            measured = self.run.measure(*self.valid)
            row |= {f"valid_{name}": measured[name] for name in ("loss", task.metric.key)}
        self.run.history.append(row | {"seconds": seconds})
        return self.run.history[-1]
