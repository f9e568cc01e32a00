"""The contract of every optimizer: two functions over one flat vector, and state that is plain data."""

from __future__ import annotations

import math
from typing import Any, Protocol

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.namespace import device, namespace

OptimizerState = dict[str, Any]


class Optimizer(Protocol):
    """How a gradient becomes a step. The hyper-parameters are fields; the arrays are passed in.

    `update` consumes and returns: it owns `flat` and `state`, writes in place where arrays allow it, and
    the caller goes on with what it returns. It only reads `grads`.
    """

    def init(self, flat: Array, *, decayed: int) -> OptimizerState:
        """The state before the first step; the first `decayed` entries of `flat` take weight decay."""

    def update(
        self, flat: Array, grads: Array, state: OptimizerState, *, learning_rate: float
    ) -> tuple[Array, OptimizerState]:
        """The parameters and the state after one step."""


def decay_rates(flat: Array, decayed: int, weight_decay: float) -> OptimizerState:
    """The state entry "decay": the rate at which each entry of `flat` shrinks; nothing if none does.

    Raises ConfigError for a negative rate.
    """
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        raise ConfigError(f"weight_decay must be a number of at least 0, got {weight_decay!r}.")
    if weight_decay == 0:
        return {}
    xp = namespace(flat)
    places = xp.arange(flat.shape[0], dtype=xp.int32, device=device(flat))
    return {"decay": xp.astype(places < decayed, flat.dtype) * weight_decay}


def fraction(owner: str, name: str, value: float) -> None:
    """Raises ConfigError unless 0 <= value < 1."""
    if not 0 <= value < 1:
        raise ConfigError(f"{owner} needs 0 <= {name} < 1, got {value!r}.")
