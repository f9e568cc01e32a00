"""All callbacks of a run, called as one."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portanet.training.callbacks import Callback, Row

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


@dataclass(frozen=True)
class Watchers:
    """Callbacks in the order in which they are called."""

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
        """Whether any of them wants the arrays of this step."""
        return any(callback.wants_params(step) for callback in self.callbacks)

    def advance(self, step: int) -> None:
        """Call `advance`."""
        for callback in self.callbacks:
            callback.advance(step)

    def log(self, row: Row) -> bool:
        """Call `log`, and return whether any of them stops the run."""
        return bool([callback for callback in self.callbacks if callback.log(row)])

    def state(self) -> dict[str, dict[str, Any]]:
        """Return the state of each callback that has one, by name."""
        return {name: state for name, callback in self._named() if (state := callback.state())}

    def restore(self, states: Mapping[str, dict[str, Any]]) -> None:
        """Give each callback the state that it had."""
        for name, callback in self._named():
            if name in states:
                callback.restore(states[name])

    def _named(self) -> Iterator[tuple[str, Callback]]:
        """The callbacks by names that stay valid when one without a state is added or removed."""
        names = [type(callback).__name__ for callback in self.callbacks]
        for i, name in enumerate(names):
            yield f"{name}-{names[:i].count(name)}", self.callbacks[i]
