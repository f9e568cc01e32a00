"""A running average of the weights: steadier than the weights themselves, and often better."""

from __future__ import annotations

from dataclasses import dataclass

from portanet._typing import Array
from portanet.optim.optimizer import Optimizer, OptimizerState, around, fraction
from portanet.xp import namespace


@dataclass(frozen=True)
class Averaged:
    """The optimizer's own steps, and beside them an exponential moving average of where they lead.

        a <- d a + (1 - d) w        d = min(decay, (1 + t) / (10 + t)),  t: the steps before this one

    The average starts at the initial weights. It takes no part in the training; `weights(flat, state)` gives it, to
    evaluate and to save. d grows to `decay`, so that a short run is not an average of its beginning: the rule of
    TensorFlow's ExponentialMovingAverage with num_updates. Averaging: Polyak and Juditsky 1992.
    Raises ConfigError unless 0 <= decay < 1.
    """

    optimizer: Optimizer
    decay: float = 0.999

    def __post_init__(self) -> None:
        around(self, self.optimizer)
        fraction(self, decay=self.decay)

    @property
    def elementwise(self) -> bool:
        """As the optimizer inside."""
        return getattr(self.optimizer, "elementwise", False)

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        average = namespace(flat).zeros_like(flat)
        average += flat
        return {"optimizer": self.optimizer.init(flat, decayed=decayed), "average": average, "steps": 0.0}

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        flat, inner = self.optimizer.update(flat, grads, state["optimizer"], learning_rate=learning_rate)
        average, steps = state["average"], state["steps"]
        share = _larger(9.0 / (10.0 + steps), 1.0 - self.decay)
        average *= 1.0 - share
        average += share * flat
        return flat, {"optimizer": inner, "average": average, "steps": steps + 1.0}


def _larger(a: float, b: float) -> float:
    """max(a, b) without asking which it is, since under JAX's compiler `a` has no value yet."""
    return (a + b + abs(a - b)) / 2.0
