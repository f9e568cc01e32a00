"""What a training step takes and gives back."""

from __future__ import annotations

from typing import NamedTuple

from portanet._typing import Array, Params
from portanet.optim.optimizer import OptimizerState


class State(NamedTuple):
    """Everything that changes from step to step."""

    flat: Array
    buffers: Params
    optimizer: OptimizerState


class Data(NamedTuple):
    """The rows to learn from, all on one device; without weights every row counts the same."""

    x: Array
    labels: Array
    weights: Array | None = None
