"""Snapshots: the weights at about 40 points of a run, to see afterwards how they developed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._calls import explain_calls
from portanet._text import shown
from portanet._tree import tree_items, tree_map, tree_set
from portanet._typing import HostArray, Params
from portanet.errors import ConfigError
from portanet.nn.layout import Layout
from portanet.training.callbacks import Callback
from portanet.training.inputs.arrays import to_host

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

POINTS = 40
WEIGHTS = 20_000
"""A network with more weights keeps its first layer alone, and of it as many units as have no more."""


@dataclass
class Snapshots(Callback):
    """Keeps the arrays at the steps N (i / 39)^2 of a run of N steps, from before the first to after the last.

        kept = Snapshots()
        fit(..., callbacks=[kept]).explore("page.html", snapshots=kept)

    points  the number of snapshots, at least 2; a run of fewer steps has fewer
    kept    the arrays on the host by step, in order

    For a network of more than 20,000 weights, only those of some units of the first layer are kept. Raises ConfigError
    for an invalid number of points.
    """

    points: int = POINTS
    kept: dict[int, Params] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.points, int) or self.points < 2:
            raise ConfigError(f"Snapshots: points must be an integer >= 2, got {shown(self.points)}.")

    def begin(self, run: TrainedModel, steps: int) -> None:
        self._run = run
        self._due = sorted({round(steps * (i / (self.points - 1)) ** 2) for i in range(1, self.points)})
        self.kept = {0: self._now()}

    def wants_params(self, step: int) -> bool:
        return any(max(self.kept) < due <= step for due in self._due)

    def advance(self, step: int) -> None:
        if self.wants_params(step):
            self.kept[step] = self._now()

    def state(self) -> dict[str, Any]:
        return {str(step): params for step, params in self.kept.items()}

    def restore(self, state: dict[str, Any]) -> None:
        self.kept = {int(step): tree_map(params, np.asarray) for step, params in state.items()}

    def _now(self) -> Params:
        run = self._run
        sizes = (math.prod(shape) for _, shape, _ in Layout.of(run.model, run.params).places)
        if sum(sizes) <= WEIGHTS:
            return tree_map(dict(run.params), lambda array: np.array(to_host(array)))
        return _first_weight(run.params)


explain_calls((Snapshots,), ConfigError)


def _first_weight(params: Params) -> Params:
    """The weights of some units of the first layer with weights, (inputs, units) or (filters, C, k, k)."""
    for path, array in tree_items(params):
        if path[-1] == "weight" and array.ndim in (2, 4):
            found: Params = {}
            tree_set(found, path, _some_units(np.array(to_host(array))))
            return found
    return {}


def _some_units(weight: HostArray) -> HostArray:
    axis = 1 if weight.ndim == 2 else 0
    units = max(1, WEIGHTS * weight.shape[axis] // weight.size)
    return np.ascontiguousarray(weight[:, :units] if axis else weight[:units])
