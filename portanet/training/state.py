"""What a training step takes and gives back."""

from __future__ import annotations

from typing import Any, NamedTuple

from portanet._typing import Array, Params


class State(NamedTuple):
    """Everything that changes from step to step; inside `PerArrayStep` flat and optimizer are tuples."""

    flat: Any
    buffers: Params
    optimizer: Any


class Data(NamedTuple):
    """The rows to learn from, all on one device; without weights every row counts the same."""

    x: Array
    labels: Array
    weights: Array | None = None
