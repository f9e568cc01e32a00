"""One training step as a pure function, which a backend may compile: gradient, then update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array
from portanet.backend import Metrics
from portanet.nn.noise import Key
from portanet.optim import Optimizer
from portanet.training.gradient import Gradient
from portanet.training.state import Data, State


@dataclass(frozen=True)
class Step:
    """Equal steps are equal values, so a backend that compiles them need not do it twice.

    measure  whether the metrics hold the loss and what adds up to the score, each summed over the batch's rows
    """

    gradient: Gradient
    optimizer: Optimizer
    measure: bool

    def __call__(self, state: State, data: Data, rows: Array | None, key: Any, rate: float) -> tuple[State, Metrics]:
        """The state after one step at this learning rate, and its metrics."""
        batch = self.gradient(state.flat, state.buffers, data, rows, Key(key[0], key[1]), measure=self.measure)
        flat, optimizer = self.optimizer.update(state.flat, batch.grads, state.optimizer, learning_rate=rate)
        count = (data.x if rows is None else rows).shape[0]
        metrics = {"loss": batch.loss * count, "counted": batch.counted[0]} if self.measure else {}
        return State(flat, batch.buffers, optimizer), metrics
