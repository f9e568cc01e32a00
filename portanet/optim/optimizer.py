"""The contract of every optimizer: two functions over one flat vector, and state that is plain data."""

from __future__ import annotations

import math
from typing import Any, Protocol

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.xp import device, namespace

OptimizerState = dict[str, Any]


class Optimizer(Protocol):
    """How a gradient becomes a step. The hyper-parameters are fields; the arrays are passed in.

    `update` consumes and returns: it owns `flat`, `grads` and `state`, writes in place where arrays allow it, and
    the caller goes on with what it returns. It keeps nothing of `grads`, so the caller may fill that memory again.

    An optimizer that treats each number by itself may say so by an attribute `elementwise = True`: a part of `flat`
    with the same part of `grads` and of the state's vectors then gives the same as the whole, and JAX trains faster.
    """

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        """The state before the first step; the first `decayed` entries of `flat` take weight decay."""

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        """The parameters and the state after one step."""


def weights(flat: Array, state: OptimizerState) -> Array:
    """What to evaluate and to save: the average of the weights where the state keeps one, else `flat` itself.

    An optimizer around another keeps the other's state as "optimizer"; the outermost average counts.
    """
    if "average" in state:
        average: Array = state["average"]
        return average
    return weights(flat, state["optimizer"]) if "optimizer" in state else flat


def decay_rates(flat: Array, decayed: int, weight_decay: float) -> OptimizerState:
    """The state entry "decay": the rate at which each entry of `flat` shrinks; nothing if none does."""
    if weight_decay == 0:
        return {}
    xp = namespace(flat)
    places = xp.arange(flat.shape[0], dtype=xp.int32, device=device(flat))
    return {"decay": xp.astype(places < decayed, flat.dtype) * weight_decay}


def penalize(grads: Array, flat: Array, state: OptimizerState) -> Array:
    """Coupled weight decay: the gradient of the penalty weight_decay / 2 * w^2 joins the loss's, and is scaled with it.

    g <- g + weight_decay * w
    """
    if "decay" in state:
        grads += state["decay"] * flat
    return grads


def shrink(flat: Array, state: OptimizerState, learning_rate: float) -> Array:
    """Decoupled weight decay, beside the optimizer's own step.

    w <- w - learning_rate * weight_decay * w
    """
    if "decay" in state:
        kept = state["decay"] * -learning_rate
        kept += 1.0
        flat *= kept
    return flat


def fraction(owner: object, **settings: float) -> None:
    """Raises ConfigError unless 0 <= value < 1 for each."""
    for name, value in settings.items():
        if not 0 <= value < 1:
            raise ConfigError(f"{type(owner).__name__} needs 0 <= {name} < 1, got {value!r}.")


def positive(owner: object, **settings: float) -> None:
    """Raises ConfigError unless each value is a finite number above 0."""
    for name, value in settings.items():
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{type(owner).__name__} needs a finite {name} above 0, got {value!r}.")


def not_negative(owner: object, **settings: float) -> None:
    """Raises ConfigError unless each value is a finite number of at least 0."""
    for name, value in settings.items():
        if not (math.isfinite(value) and value >= 0):
            raise ConfigError(f"{type(owner).__name__} needs a finite {name} of at least 0, got {value!r}.")


def around(owner: object, optimizer: object) -> None:
    """Raises ConfigError unless `owner` has an optimizer to wrap."""
    if not callable(getattr(optimizer, "init", None)):
        raise ConfigError(f"{type(owner).__name__} needs an optimizer such as Adam() to wrap, got {optimizer!r}.")
