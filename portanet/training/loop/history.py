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
    """Computes the rows of a run's history.

    task     the task, with the metric of the training rows
    labels   of the training rows, as the loss takes them, on the host
    weights  of the training rows, on the host; None if all count the same
    valid    validation rows and labels, measured for each row of the history
    watched  keys of further metrics to measure on them
    workers  share the measuring
    """

    run: TrainedModel
    task: Task
    labels: HostArray
    weights: HostArray | None
    valid: tuple[Source, HostArray] | None
    workers: Workers
    watched: Sequence[str] = ()

    def append(self, at: Position, batches: Batches, learning_rate: float, seconds: float) -> Row:
        """Add and return the row of an epoch whose sums have been read.

        If the run was stopped within an epoch, the row covers the part of the epoch so far, and `epoch` is a fraction,
        truncated to two decimals.
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
