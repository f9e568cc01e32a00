"""Going on from a trained model: which layers stay as they are, and which start anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from portanet._typing import Params
from portanet.errors import ModelError
from portanet.nn import Dense, Layer, Sequential
from portanet.nn.layout import put, walk
from portanet.rng import WEIGHTS, generator
from portanet.training.run import Run


def fine_tune(
    run: Run,
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
    if type(run.model) is Sequential:
        model, params = run.model, run.params
    model = model.unfrozen()
    host: Params = {}
    for path, array in walk(params):
        put(host, path, np.array(run.backend.to_numpy(array)))
    if anew or model.output_shape(run.input_shape) != (outputs,):
        kept = _last_dense(model)
        model = Sequential(*model.layers[:kept], Dense(outputs, model.layers[kept].initializer), *last)
        drawn = model.init(generator(seed, WEIGHTS), run.input_shape)
        host = {name: array for name, array in host.items() if int(name) < kept} | {
            name: array for name, array in drawn.items() if int(name) >= kept
        }
    return model.freeze(*freeze), host


def _last_dense(model: Sequential) -> int:
    """The place of the last layer with weights."""
    places = [i for i, layer in enumerate(model.layers) if layer.learns]
    if type(model) is not Sequential or not places or not isinstance(model.layers[places[-1]], Dense):
        ends = repr(model.layers[places[-1]]) if places else "nothing that learns"
        raise ModelError(f"the last layer with weights must be Dense to start anew for other outputs, it is {ends}.")
    return places[-1]
