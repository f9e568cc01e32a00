"""The state and the data of a training step."""

from __future__ import annotations

from dataclasses import dataclass, field
from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np

from portanet._tree import flatten, map_leaves
from portanet._typing import Array, Params
from portanet.errors import ConfigError
from portanet.xp import namespace


class State(NamedTuple):
    """Everything that a step changes; inside `PerArrayStep`, flat and optimizer are tuples.

    averaged  the buffers that belong to averaged weights; empty if the optimizer does not average
    """

    flat: Any
    buffers: Params
    optimizer: Any
    averaged: Params = {}  # noqa: RUF012 - never written to


Sums = dict[str, Any]
"""The metrics of a run of steps, summed over their rows: "loss", and "counted" for the score."""


@dataclass
class Position:
    """The position of a run between two steps.

    step     how many steps are done
    sums     the sums of each run of steps in this epoch
    stopped  whether a callback has stopped the run
    """

    state: State
    step: int = 0
    sums: list[Sums] = field(default_factory=list)
    stopped: bool = False


class Data(NamedTuple):
    """The training rows, all on one device; without weights every row counts the same."""

    x: Any
    labels: Array
    weights: Array | None = None

    def with_labels(self, rows: Array) -> Data:
        """The same x, with the labels and weights of these rows."""
        weights = None if self.weights is None else take(self.weights, rows)
        return Data(self.x, take(self.labels, rows), weights)


def require_state(optimizer: Any, state: Any, flat: Array) -> None:
    """Raise ConfigError if an optimizer's state holds anything but numbers and arrays like `flat`."""
    kinds = (type(flat), np.generic) if isinstance(flat, np.ndarray) else (type(flat),)
    for leaf in flatten([state], []):
        if not (leaf is None or type(leaf) in (bool, int, float) or isinstance(leaf, kinds)):
            raise ConfigError(
                f"the state of {type(optimizer).__name__} holds {brief(leaf)} of type {type(leaf).__name__}; it takes "
                "arrays made from flat, numbers and None, in dicts, tuples and lists."
            )


def require_form(optimizer: Any, state: Any, before: Any) -> None:
    """Raise ConfigError if the entries of an optimizer's state, or the shapes of its arrays, have changed."""
    found, expected = (map_leaves(tree, _form) for tree in (state, before))
    if found != expected:
        raise ConfigError(
            f"update of {type(optimizer).__name__} must return a state of the form that it was given: got "
            f"{brief(found)} after {brief(expected)}."
        )


def _form(leaf: Any) -> Any:
    """The shape of an array, or () for a number."""
    return None if leaf is None else tuple(getattr(leaf, "shape", ()))


def take(x: Array, rows: Array) -> Array:
    """The rows of `x` at these indices."""
    taken: Array = namespace(x).take(x, rows, axis=0)
    return taken
