"""The history of a run: one row for each logging point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portanet._typing import HostArray
from portanet.training.callbacks import Row
from portanet.training.source import Source
from portanet.training.state import Position

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


@dataclass(frozen=True)
class History:
    """Makes the rows of a run's history.

    labels  those of the training rows, on the host
    valid   rows and labels to measure on for each row of the history
    """

    run: TrainedModel
    labels: HostArray
    valid: tuple[Source, HostArray] | None

    def append(self, at: Position, epoch: int, learning_rate: float, seconds: float) -> Row:
        """Add the row of an epoch, whose sums have been read, and return it."""
        task, count = self.run.task, len(self.labels)
        counted = sum(np.asarray(sums["counted"]) for sums in at.sums)
        row: Row = {
            "step": at.step,
            "epoch": epoch,
            "learning_rate": learning_rate,
            "loss": sum(sums["loss"] for sums in at.sums) / count,
            task.metric.key: task.finalize(counted, self.labels),
        }
        if self.valid is not None:
            measured = self.run.measure(*self.valid)
            row |= {f"valid_{name}": measured[name] for name in ("loss", task.metric.key)}
        self.run.history.append(row | {"seconds": seconds})
        return self.run.history[-1]
