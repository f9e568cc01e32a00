"""The callbacks of a run behind one interface, and the metrics that they watch on held-out rows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from portanet._typing import HostArray
from portanet.errors import ConfigError
from portanet.training.callbacks import Callback, KeepBest, Row
from portanet.training.inputs.tasks import Task, task_of
from portanet.training.spec import TrainingSpec
from portanet.training.trained.scores import count_of, known_metrics, metric_named

if TYPE_CHECKING:
    from portanet.training.loop.loop import Plan
    from portanet.training.model import TrainedModel

_VALID = "valid_"


@dataclass(frozen=True)
class Watchers:
    """Callbacks, called in this order."""

    callbacks: tuple[Callback, ...]

    @property
    def rate_factor(self) -> float:
        """The product of all rate factors."""
        return math.prod(callback.rate_factor for callback in self.callbacks)

    @contextlib.contextmanager
    def watching(self, run: TrainedModel, steps: int) -> Iterator[None]:
        """Call `begin` now, and `end` when the run is over or fails."""
        for callback in self.callbacks:
            callback.begin(run, steps)
        try:
            yield
        finally:
            for callback in self.callbacks:
                callback.end()

    def wants_params(self, step: int) -> bool:
        """Whether any callback wants the arrays of this step."""
        return any(callback.wants_params(step) for callback in self.callbacks)

    def advance(self, step: int) -> None:
        """Call `advance`."""
        for callback in self.callbacks:
            callback.advance(step)

    def log(self, row: Row) -> bool:
        """Call `log`, and return whether any callback stops the run."""
        return bool([callback for callback in self.callbacks if callback.log(row)])

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the state of each callback that has one, by name."""
        return {name: state for name, callback in self._named() if (state := callback.state())}

    def restore(self, states: Mapping[str, dict[str, Any]]) -> None:
        """Restore the state of each callback."""
        for name, callback in self._named():
            if name in states:
                callback.restore(states[name])

    def _named(self) -> Iterator[tuple[str, Callback]]:
        """The callbacks by names that stay valid when one without a state is added or removed."""
        names = [type(callback).__name__ for callback in self.callbacks]
        for i, name in enumerate(names):
            yield f"{name}-{names[:i].count(name)}", self.callbacks[i]


def watching(callbacks: Sequence[Callback], name: Any, task: Task) -> tuple[Callback, ...]:
    """Return the callbacks; those that restore the best weights now watch this metric of the held-out rows.

    If there is none, KeepBest is added. Raises ConfigError for a metric that the task does not have.
    """
    monitor = _VALID + metric_named(name, task).key
    if not any(isinstance(callback, KeepBest) for callback in callbacks):
        return *callbacks, KeepBest(monitor)
    return tuple(
        replace(callback, monitor=monitor) if isinstance(callback, KeepBest) else callback for callback in callbacks
    )


def with_metric(spec: TrainingSpec, name: Any, *, held_out: bool) -> TrainingSpec:
    """Return the spec with callbacks that watch this metric, if any; raises ConfigError without held-out rows."""
    if name is None:
        return spec
    task = task_of(spec.loss)
    callbacks = watching(spec.callbacks, name, task)
    require_watched(callbacks, task, held_out=held_out)
    return replace(spec, callbacks=callbacks)


def watched_by(plan: Plan, targets: HostArray) -> list[str]:
    """Return the keys of the metrics that callbacks watch on held-out rows, and that a history lacks by default.

    Raises ConfigError for an error metric over targets with different units.
    """
    watched = {str(getattr(callback, "monitor", "")) for callback in plan.watchers.callbacks}
    found = [metric for metric in known_metrics(task_of(plan.spec.loss))[1:-1] if _VALID + metric.key in watched]
    if count_of(targets) > 1 and (units := [metric.key for metric in found if metric.has_unit]):
        raise ConfigError(
            f"{units[0]} is in the unit of each target, and several have no mean of it.", remedy='watch metric="r2"'
        )
    return [metric.key for metric in found]


def require_watched(callbacks: Sequence[Callback], task: Task, *, held_out: bool) -> None:
    """Raise ConfigError, before training, for a callback that watches an entry that the history will not have."""
    own, *further, loss = (metric.key for metric in known_metrics(task))
    keys = [loss, own, *further]
    known = [loss, own, *((_VALID + key for key in keys) if held_out else ())]
    for callback in callbacks:
        if (monitor := getattr(callback, "monitor", loss)) not in known:
            raise ConfigError(
                f"{type(callback).__name__} watches {monitor!r}, which is not measured; {', '.join(known)} are",
                remedy="" if held_out else "hold out rows to watch, as with valid=0.1",
            )
