"""Resuming: the content of a run's checkpoints, and how an interrupted run continues from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portanet._tree import from_plain, to_plain, tree_map
from portanet.optim import Schedule
from portanet.training.checkpoints import Checkpoints
from portanet.training.loop.guard import Guard
from portanet.training.loop.watchers import Watchers
from portanet.training.steps.state import Position

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


@dataclass(frozen=True)
class Resume:
    """Saves a run when a checkpoint is due, and resumes an interrupted one.

    identity  the settings, layers and data that identify the run
    """

    run: TrainedModel
    watchers: Watchers
    checkpoints: Checkpoints | None
    identity: Mapping[str, Any]

    def restore(self, at: Position, schedule: Schedule, steps: int) -> None:
        """Set `at`, the position before the first of `steps` steps, to that of the interrupted run, if there is one."""
        tree = self.checkpoints.restore(self.identity, schedule, steps) if self.checkpoints else None
        if tree is None:
            return
        run = self.run
        run.steps, run.seconds, run.history[:] = tree["steps"], tree["seconds"], map(dict, tree["history"])
        at.state = tree_map(from_plain(at.state, tree), run.backend.put)
        at.step, at.sums, at.stopped = tree["steps"], tree["sums"], tree["stopped"]
        self.watchers.restore(tree["callbacks"])

    def save_if_due(self, at: Position, guard: Guard, steps: int, seconds: float, *, now: bool) -> None:
        """Save the position if due; always with `now`, after `steps` steps, and when a callback has stopped the run."""
        if self.checkpoints is None or not (now or at.stopped or at.step == steps or self.checkpoints.due()):
            return
        guard.check(at)
        self.checkpoints.save(
            to_plain(guard.state)
            | {"steps": at.step, "planned_steps": steps, "seconds": seconds}
            | {"history": [list(row.items()) for row in self.run.history]}  # JSON would sort a row's keys
            | {"sums": at.sums, "stopped": at.stopped}
            | {"callbacks": tree_map(self.watchers.state(), self.run.backend.to_numpy)}
        )
