"""The arrays of a model by child name: the initial ones of a run, and those of a trained model."""

from __future__ import annotations

from typing import Any

from portanet._tree import tree_items, tree_set
from portanet._typing import Params
from portanet.backends import Backend
from portanet.errors import ModelError
from portanet.nn.layer import Layer
from portanet.rng import WEIGHTS, generator
from portanet.storage.model_card import ModelCard
from portanet.training.inputs.arguments import require_params
from portanet.training.inputs.arrays import to_host
from portanet.training.steps.source import Source


class TrainedParams(dict[str, Any]):
    """The arrays of a trained model, by child name, with its card: `fit` continues from them in the same units.

    A plain dict of the same arrays has no offsets and no unit of targets; `fit` then takes those of the new rows and
    targets.
    """

    def __init__(self, params: Params, card: ModelCard) -> None:
        super().__init__(params)
        self.card = card


def first_params(model: Layer, source: Source, params: Params | None, seed: int, dtype: str) -> Params:
    """The initial parameters on the backend: given, or drawn on the host with preprocessing fitted to the rows."""
    host = model.init(generator(seed, WEIGHTS), source.shape[1:])
    if params is not None:
        return on_backend(_like(host, params), source.backend, dtype)
    if model.needs_fit:
        host = model.fit(host, source.host_blocks())
    return on_backend(host, source.backend, dtype)


def on_backend(params: Params, backend: Backend, dtype: str) -> Params:
    """Host arrays by name, copied to the backend in this dtype."""
    moved: Params = {}
    for path, array in tree_items(params):
        tree_set(moved, path, backend.put(array, dtype))
    return moved


def _like(expected: Params, given: Params) -> Params:
    """`given` on the host; ModelError unless its names and shapes are those expected."""
    require_params(given)
    found = dict(tree_items(given))
    for path, array in tree_items(expected):
        if path not in found or tuple(found[path].shape) != array.shape:
            got = f"shape {tuple(found[path].shape)}" if path in found else "nothing"
            raise ModelError(f"params must hold {'.'.join(path)} of shape {array.shape} for this model, got {got}.")
    host: Params = {}
    for path, _ in tree_items(expected):
        tree_set(host, path, to_host(found[path]))
    return host
