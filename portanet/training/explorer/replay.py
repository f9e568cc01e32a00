"""A run's snapshots for an explorer page: all arrays of its graph at each snapshot, or the first weights alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._tree import tree_items
from portanet._typing import HostArray, Params
from portanet.errors import ModelError
from portanet.export.graph import Graph
from portanet.export.model_graph import model_graph
from portanet.export.rounding import FLOAT32, INT8, round_params
from portanet.nn.losses.loss import TaskKind

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


def replay_of(
    run: TrainedModel, graph: Graph, kept: Mapping[int, Params], precision: str
) -> tuple[dict[str, Any], dict[str, HostArray]]:
    """Return the page's description of the snapshots, and their arrays by "STEP/NAME".

    graph      the graph of the model itself
    precision  of the weights; first weights alone are always int8

    Raises ModelError for snapshots of other layers.
    """
    arrays: dict[str, HostArray] = {}
    whole = {path for path, _ in tree_items(run.params)} == {path for path, _ in tree_items(next(iter(kept.values())))}
    for step, params in kept.items():
        if whole:
            changed = _constants(run, graph, params, precision)
        else:
            changed = {"first": _pictures(run, round_params(params, INT8 if precision != FLOAT32 else FLOAT32))}
        arrays |= {f"{step}/{name}": array for name, array in changed.items()}
    return {"steps": list(kept), "whole": whole}, arrays


def _constants(run: TrainedModel, graph: Graph, params: Params, precision: str) -> dict[str, HostArray]:
    """The arrays of the graph with other weights, as far as they differ."""
    kind = getattr(run.loss, "task", TaskKind.CLASSIFY)
    found = model_graph(run.model, round_params(params, precision), run.card, kind).constants
    if {name: array.shape for name, array in found.items()} != {n: a.shape for n, a in graph.constants.items()}:
        raise ModelError("the snapshots are not those of this model; leave them out.")
    return {name: array for name, array in found.items() if not np.array_equal(array, graph.constants[name])}


def _pictures(run: TrainedModel, params: Params) -> HostArray:
    """First weights as images (units, C, H, W), if each unit sees the image or a patch of it; else as rows."""
    ((_, array),) = tree_items(params)
    weight: HostArray = np.asarray(array)
    if weight.ndim == 4:
        return weight
    sees_all = len(run.input_shape) == 3 and np.prod(run.input_shape) == len(weight)
    return np.ascontiguousarray(weight.T).reshape(-1, *(run.input_shape if sees_all else (1, 1, len(weight))))
