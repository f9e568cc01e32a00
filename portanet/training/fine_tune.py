"""Going on from a trained model: which layers stay as they are, and which start anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from portanet._tree import tree_map
from portanet._typing import Params
from portanet.errors import ModelError
from portanet.nn import Dense, Layer, Sequential
from portanet.rng import WEIGHTS, generator
from portanet.training.model import TrainedModel


def fine_tune(
    run: TrainedModel,
    outputs: int,
    *,
    freeze: Sequence[str] = (),
    last: Sequence[Layer] = (),
    anew: bool = False,
    seed: int = 0,
) -> tuple[Sequential, Params]:
    """A trained model and its arrays to start from, for data with so many outputs: `fit(model, ..., params=params)`.

    Where the number of outputs is another, the last Dense starts anew, and what follows it goes.

    freeze  names of the children that keep what they know
    last    layers without weights to follow the last Dense, where that starts anew
    anew    whether the last Dense starts anew in any case, as for other classes
    seed    of the new weights

    Raises ModelError for a child that is not there, and where a layer with weights follows the last Dense that is
    to start anew, or there is none.
    """
    model, params = Sequential(run.model), {"0": run.params}
    if run.model.is_chain:
        model, params = Sequential(*run.model.children.values()), run.params
    model = Sequential(*(layer.unfrozen() for layer in model.layers))
    host: Params = tree_map(params, lambda array: np.array(run.backend.to_numpy(array)))
    if anew or model.output_shape(run.input_shape) != (outputs,):
        kept, head = _last_dense(model)
        model = Sequential(*model.layers[:kept], Dense(outputs, head.initializer), *last)
        drawn = model.init(generator(seed, WEIGHTS), run.input_shape)
        host = {name: array for name, array in host.items() if int(name) < kept} | {
            name: array for name, array in drawn.items() if int(name) >= kept
        }
    return model.freeze(*freeze), host


def _last_dense(model: Sequential) -> tuple[int, Dense]:
    """The place of the last layer with weights, and that layer."""
    learning = [(place, layer) for place, layer in enumerate(model.layers) if layer.is_trainable]
    place, last = learning[-1] if learning else (0, None)
    if not isinstance(last, Dense):
        ends = "it has none" if last is None else f"it is {last!r}"
        raise ModelError(f"the last layer with weights must be a Dense of its own to start anew; {ends}.")
    return place, last
