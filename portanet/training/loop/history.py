"""The history of a run: one row for each logging point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from portanet._typing import HostArray
from portanet.training.callbacks import Row
from portanet.training.inputs.tasks import Task
from portanet.training.loop.batches import Batches
from portanet.training.steps.gradient import shared
from portanet.training.steps.shards import Workers
from portanet.training.steps.source import Source
from portanet.training.steps.state import Position
from portanet.training.trained.measure import measure

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


@dataclass(frozen=True)
class History:
    """Makes the rows of a run's history.

    task     what measures the training rows
    labels   those of the training rows as they are learned, on the host
    weights  their weights, on the host; None where all count the same
    valid    rows and labels to measure on for each row of the history
    watched  further metrics to measure on them, by key
    workers  who shares that
    """

    run: TrainedModel
    task: Task
    labels: HostArray
    weights: HostArray | None
    valid: tuple[Source, HostArray] | None
    workers: Workers
    watched: Sequence[str] = ()

    def append(self, at: Position, batches: Batches, learning_rate: float, seconds: float) -> Row:
        """Add the row of an epoch, whose sums have been read, and return it.

        Within an epoch, where the run was stopped, of the rows that it has seen; `epoch` is then a fraction, cut off
        after two places.
        """
        task, (epoch, steps) = self.task, divmod(at.step, batches.steps)
        seen = batches.order(epoch)[: steps * (batches.size or 1)] if steps else slice(None)
        labels = self.labels[seen]
        weight = len(labels) if self.weights is None else float(self.weights[seen].sum())
        counted = sum(np.asarray(sums["counted"]) for sums in at.sums)
        row: Row = {
            "step": at.step,
            "epoch": epoch + 100 * steps // batches.steps / 100 if steps else epoch,
            "learning_rate": learning_rate,
            "loss": sum(sums["loss"] for sums in at.sums) / (weight or 1.0),
            task.metric.key: task.finalize(counted, labels),
        }
        if self.valid is not None:
            with shared(self.run, self.workers):
                measured = measure(self.run, *self.valid, self.watched)
            row |= {f"valid_{name}": measured[name] for name in ("loss", task.metric.key, *self.watched)}
        self.run.history.append(row | {"seconds": seconds})
        return self.run.history[-1]
