"""A training step with an L2 penalty divided by the batch's weight, as in scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from portanet._settings import is_frozen
from portanet._typing import Array
from portanet.backends.base import untraced
from portanet.backends.steps import Metrics
from portanet.nn.noise import Key
from portanet.training.steps.gradient import Gradient
from portanet.training.steps.state import Data, State
from portanet.xp import namespace


class Solved(NamedTuple):
    """A solver's state, and the strength of the penalty.

    decay  for each entry of the flat vector: alpha for weights, 0 for biases
    """

    solver: Any
    decay: Array


@dataclass(frozen=True)
class PenalizedStep:
    """Gradient and update for one batch.

        loss = sum_i w_i value_i / sum_i w_i  +  alpha / 2 |W|^2 / sum_i w_i        W: the weights, not the biases

    The metric "loss" is this times the rows of the batch, so that the steps of an epoch can be added.

    loss_scale  a factor of the reported loss, without the penalty
    """

    gradient: Gradient
    solver: Any
    loss_scale: float = 1.0

    def __call__(self, state: State, data: Data, rows: Array | None, key: Any, rate: float) -> tuple[State, Metrics]:
        """Return the state after one step at this learning rate, and its loss."""
        if self.gradient.shard_rows is None:
            return self._whole(state, data, rows, (key[0], key[1]), rate)
        return self._in_parts(state, data, rows, key, rate)

    @cached_property
    def _whole(self) -> Callable[..., tuple[State, Metrics]]:
        """The step traced as a whole, which is faster than traced parts for small batches."""
        plain = replace(self, gradient=replace(self.gradient, trace=untraced))
        pure = is_frozen(self.gradient.model) and is_frozen(self.gradient.loss)
        return self.gradient.trace(plain._in_parts, pure=pure)

    def _in_parts(self, state: State, data: Data, rows: Array | None, key: Any, rate: float) -> tuple[State, Metrics]:
        batch = self.gradient(state.flat, state.buffers, data, rows, Key(key[0], key[1]), measure=True)
        count = (data.labels if rows is None else rows).shape[0]
        flat, solved, penalty = self._update(state.flat, batch.grads, state.optimizer, rate, batch.weight)
        loss = batch.sums["loss"] * self.loss_scale + penalty
        return State(flat, batch.buffers, solved), {"loss": loss * count}

    @cached_property
    def _update(self) -> Callable[..., tuple[Array, Solved, Array]]:
        solver = self.solver

        def update(flat: Array, grads: Array, state: Solved, rate: float, weight: Any) -> tuple[Array, Solved, Array]:
            penalty_grads, penalty_value = penalty(flat, state.decay, weight)
            grads += penalty_grads
            flat, after = solver.update(flat, grads, state.solver, learning_rate=rate)
            return flat, Solved(after, state.decay), penalty_value

        return self.gradient.trace(update, pure=True)


def penalty(flat: Array, decay: Array, weight: Any) -> tuple[Array, Array]:
    """Return the gradient and the value of the L2 penalty for a batch of this weight."""
    xp = namespace(flat)
    if hasattr(weight, "shape"):
        weight = xp.where(weight > 0, weight, 1.0)
    grads = decay * flat
    value = xp.sum(grads * flat) * 0.5 / weight
    grads /= weight
    return grads, value
