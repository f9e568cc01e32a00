"""The metrics that callbacks watch, by name, on held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from portanet.errors import ConfigError
from portanet.training.callbacks import Callback, KeepBest
from portanet.training.scores import known_metrics, metric_named
from portanet.training.tasks import Task

_VALID = "valid_"


def watching(callbacks: Sequence[Callback], name: Any, task: Task) -> tuple[Callback, ...]:
    """Return the callbacks, of which those that restore the best weights watch this metric of the held-out rows.

    Where none does, KeepBest is added. ConfigError for a metric that the task does not have.
    """
    monitor = _VALID + metric_named(name, task).key
    if not any(isinstance(callback, KeepBest) for callback in callbacks):
        return *callbacks, KeepBest(monitor)
    return tuple(
        replace(callback, monitor=monitor) if isinstance(callback, KeepBest) else callback for callback in callbacks
    )


def measured_for(callbacks: Sequence[Callback], task: Task) -> list[str]:
    """Return the keys of the metrics that callbacks watch on the held-out rows, and a history has not by itself."""
    watched = {str(getattr(callback, "monitor", "")) for callback in callbacks}
    return [metric.key for metric in known_metrics(task)[1:-1] if _VALID + metric.key in watched]


def require_watched(callbacks: Sequence[Callback], task: Task, *, held_out: bool) -> None:
    """Raise ConfigError for a callback that watches what the history will not have: now, and not after an epoch."""
    keys = [metric.key for metric in known_metrics(task)]
    known = [keys[-1], keys[0], *((_VALID + key for key in keys) if held_out else ())]
    for callback in callbacks:
        if (monitor := getattr(callback, "monitor", keys[-1])) not in known:
            raise ConfigError(
                f"{type(callback).__name__} watches {monitor!r}, and there will be {', '.join(known)}",
                remedy="" if held_out else "hold out rows to watch, as with valid=0.1",
            )
