"""Checkpoints: where and how often a run is saved while it trains."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import portanet
from portanet._calls import explain_calls
from portanet._settings import flat
from portanet._text import shown
from portanet.errors import ConfigError
from portanet.optim import Schedule
from portanet.storage import snapshot

_COST = 0.01  # the largest share of the time that saving may take


def made_with() -> dict[str, Any]:
    """The versions and settings that the bits of a run depend on, besides its own settings."""
    return {
        "portanet": portanet.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "blas_threads": 1,  # independent of the user's own setting: see backends/numpy.py
    }


class Checkpoints:
    """Save a run in a folder and resume from there: `fit(..., checkpoints=Checkpoints("run"))`.

    A call of `fit` with the same settings and data resumes where the last one stopped, with the same bits on the same
    machine and libraries. With more epochs it trains further, unless the schedule would have given other rates. It may
    resume on another backend too.

    folder  where checkpoint.safetensors, and the previous one, are kept; made if it does not exist
    every   minimum seconds between two checkpoints; more if saving would take over 1 % of the time
    say     called with messages, such as that a damaged file was skipped

    Raises ConfigError if the folder holds a run with other settings or data, and names them; CheckpointError if it has
    no intact checkpoint left; DataError if it cannot be written.
    """

    def __init__(self, folder: str | Path, *, every: float = 1.0, say: Callable[[str], Any] = print) -> None:
        if not isinstance(folder, (str, Path)):
            raise ConfigError(f"Checkpoints: folder must be the path of a folder, got {shown(folder)}.")
        if isinstance(every, bool) or not isinstance(every, (int, float)) or not 0 <= every < math.inf:
            raise ConfigError(f"Checkpoints: every must be a finite number of seconds >= 0, got {every!r}.")
        self.folder, self.every, self.say = Path(folder), every, say
        self._identity: dict[str, Any] = {}
        self._next = 0.0

    def restore(self, identity: Mapping[str, Any], schedule: Schedule, steps: int) -> dict[str, Any] | None:
        """Return the last state saved by the run with these settings and data; None if there is none.

        identity  the settings and the fingerprint of the data
        schedule  the run's schedule; a longer run must have the same learning rates in the steps already done
        steps     the number of steps of the whole run

        Raises ConfigError for another run, CheckpointError if no intact checkpoint is left.
        """
        self._identity = dict(identity)
        self._next = time.monotonic() + self.every
        if not snapshot.has_snapshot(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            return None
        tree, note = snapshot.read_snapshot(self.folder)
        if note:
            self.say(note)
        self._compare(tree["identity"])
        self._require_same_rates(schedule, tree["steps"], tree["planned_steps"], steps)
        if tree["planned_steps"] < steps:
            self.say(f"continuing from {tree['identity']['epochs']} to {identity['epochs']} epochs")
        before, now = tree["made_with"], made_with()
        pairs = [f"{name} {before.get(name)}, now {now[name]}" for name in now if before.get(name) != now[name]]
        if pairs:
            self.say(f"the run was started with {', '.join(pairs)}: the bits may differ")
        return tree

    def due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() >= self._next

    def save(self, tree: Mapping[str, Any]) -> None:
        """Save the state of a run.

        tree  nested dicts and lists of host arrays, numbers and text

        Raises DataError if the folder cannot be written.
        """
        start = time.monotonic()
        snapshot.write_snapshot(self.folder, {**tree, "identity": self._identity, "made_with": made_with()})
        end = time.monotonic()
        self._next = end + max(self.every, (end - start) / _COST)

    def _require_same_rates(self, schedule: Schedule, done: int, before: int, now: int) -> None:
        """Raise ConfigError if a run of `now` steps would have had other learning rates in the steps already done."""
        for step in range(done if before != now else 0):
            old, new = schedule(step, before), schedule(step, now)
            if old != new:
                raise ConfigError(
                    f"{self.folder} holds a run with other settings (steps {before}, now {now}: the schedule's "
                    f"factor in step {step} was {old:.6g}, now {new:.6g}); use its epochs, or another folder."
                )

    def _compare(self, saved: Mapping[str, Any]) -> None:
        before, now = flat(saved), flat(self._identity)
        other = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
        if not other:
            return
        if other == ["epochs"] and now["epochs"] > before["epochs"]:
            return
        pairs = [f"{key} {before.get(key, 'nothing')!r}, now {now.get(key, 'nothing')!r}" for key in other[:4]]
        raise ConfigError(
            f"{self.folder} holds a run with other settings ({'; '.join(pairs)}); use them, or another folder."
        )


explain_calls([Checkpoints], ConfigError)
