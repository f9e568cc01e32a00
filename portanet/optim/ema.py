"""EMA: an exponential moving average of the weights, steadier than the weights themselves and often better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from portanet._tree import copy_dicts, tree_get, tree_items, tree_set
from portanet._typing import Array, Params
from portanet.optim import optimizer as base
from portanet.optim.optimizer import Optimizer, fade, require_fraction, require_optimizer
from portanet.xp import namespace


class EMAState(NamedTuple):
    """The state of EMA.

    optimizer  the state of the optimizer inside
    average    the averaged weights a
    steps      t, a number
    """

    optimizer: Any
    average: Array
    steps: float


@dataclass(frozen=True)
class EMA:
    """Keeps an exponential moving average of the weights that the optimizer's steps give.

        a <- d a + (1 - d) w        d = min(decay, (1 + t) / (10 + t)),  t: the steps before this one

    optimizer  takes the steps; the learning rate is its own
    decay      d after the first steps: 0.999 averages over about the last 1000 steps

    The average starts at the initial weights and does not affect training; `weights` returns it, to evaluate and to
    save. Buffers, such as the running values of a BatchNorm, are averaged by the same rule, to match the averaged
    weights. d grows to `decay`, so that the initial weights do not dominate a short run: the rule of TensorFlow's
    ExponentialMovingAverage with num_updates. Averaging: Polyak and Juditsky 1992. Raises ConfigError for a value that
    is not an optimizer, and unless 0 <= decay < 1.
    """

    optimizer: Optimizer
    decay: float = 0.999

    def __post_init__(self) -> None:
        require_optimizer(self, self.optimizer)
        require_fraction(self, decay=self.decay)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the optimizer inside."""
        return base.learning_rate(self.optimizer)

    @property
    def elementwise(self) -> bool:
        """Whether the optimizer inside is elementwise."""
        return getattr(self.optimizer, "elementwise", False)

    def init(self, flat: Array, *, decayed: int) -> EMAState:
        average = namespace(flat).zeros_like(flat)
        average += flat
        return EMAState(self.optimizer.init(flat, decayed=decayed), average, 0.0)

    def update(self, flat: Array, grads: Array, state: EMAState, *, learning_rate: float) -> tuple[Array, EMAState]:
        flat, inner = self.optimizer.update(flat, grads, state.optimizer, learning_rate=learning_rate)
        average, steps = state.average, state.steps
        share = self._share(steps)
        average = fade(average, 1.0 - share)
        average += share * flat
        return flat, EMAState(inner, average, steps + 1.0)

    def weights(self, flat: Array, state: EMAState) -> Array:
        """Return the averaged weights."""
        return state.average

    def average_buffers(self, average: Params, buffers: Params, state: EMAState) -> Params:
        """Return the average of the buffers after a step; unchanged buffers keep their bits."""
        share, merged = self._share(state.steps), copy_dicts(average)
        for path, array in tree_items(buffers):
            before = tree_get(average, path)
            tree_set(merged, path, before + share * (array - before))
        return merged

    def _share(self, steps: float) -> float:
        """Return the weight of the newest values."""
        return _larger(9.0 / (10.0 + steps), 1.0 - self.decay)


def _larger(a: float, b: float) -> float:
    """Return max(a, b) without a comparison, since `a` has no value while JAX compiles."""
    return (a + b + abs(a - b)) / 2.0
