"""What a training step takes and gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from portanet._typing import Array, Params
from portanet.xp import namespace


class State(NamedTuple):
    """Everything that changes from step to step; inside `PerArrayStep` flat and optimizer are tuples.

    averaged  the buffers that go with averaged weights; empty where the optimizer averages none
    """

    flat: Any
    buffers: Params
    optimizer: Any
    averaged: Params = {}  # noqa: RUF012 - never written to


Sums = dict[str, Any]
"""The metrics of a run of steps, summed over their rows: "loss", and "counted" for the score."""


@dataclass
class Position:
    """Where a run of training stands between two steps.

    step     how many steps are done
    sums     of each run of steps in this epoch
    stopped  whether a callback has ended the training
    """

    state: State
    step: int = 0
    sums: list[Sums] = field(default_factory=list)
    stopped: bool = False


class Data(NamedTuple):
    """The rows to learn from, all on one device; without weights every row counts the same."""

    x: Any
    labels: Array
    weights: Array | None = None

    def with_labels(self, rows: Array) -> Data:
        """The same x with the labels and weights of these rows alone."""
        weights = None if self.weights is None else take(self.weights, rows)
        return Data(self.x, take(self.labels, rows), weights)


def take(x: Array, rows: Array) -> Array:
    """The rows of `x` with these numbers."""
    taken: Array = namespace(x).take(x, rows, axis=0)
    return taken
