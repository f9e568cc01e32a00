"""Fine-tuning: start from a trained model, with frozen layers and, for other outputs, a new head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from portanet._calls import explained
from portanet._text import shown
from portanet._tree import tree_map
from portanet._typing import Params
from portanet.errors import ConfigError, ModelError
from portanet.nn import Dense, Sequential
from portanet.rng import WEIGHTS, generator
from portanet.training.model import TrainedModel
from portanet.training.spec import require_whole
from portanet.training.trained.params import TrainedParams


@explained
def fine_tune(
    run: TrainedModel,
    outputs: int,
    *,
    freeze: Sequence[str | int] | str = (),
    new_head: bool = False,
    seed: int = 0,
) -> tuple[Sequential, Params]:
    """A trained model and its arrays to start from, for data with `outputs` outputs: `fit(model, ..., params=params)`.

    If the model has another number of outputs, a new Dense replaces the last one and all layers after it. Column
    offsets stay those of the trained model, and so does the unit of a regression's targets if the last Dense is kept;
    with a new Dense, `fit` standardises by the new targets.

    run       the trained model, as `fit` and `load` return it
    outputs   the number of outputs for the new data, such as its number of classes
    freeze    names or indices of the children whose arrays do not change, such as ["0", "2"]
    new_head  whether to replace the last Dense in any case, as for other classes
    seed      of the new weights

    Raises ModelError for an unknown child, and if a new Dense is needed but the last layer with weights is not a Dense;
    ConfigError for other invalid settings.
    """
    if not isinstance(run, TrainedModel):
        raise ModelError(f"fine_tune starts from a trained model, as fit and load return it, got {shown(run)}.")
    names, outputs = _names(freeze), require_whole("outputs", outputs)
    model, params = Sequential(run.model), {"0": run.params}
    if run.model.is_chain:
        model, params = Sequential(*run.model.children.values()), run.params
    model = Sequential(*(layer.unfrozen() for layer in model.layers))
    card = run.card
    host: Params = tree_map(params, lambda array: np.array(run.backend.to_numpy(array)))
    if new_head or model.output_shape(run.input_shape) != (outputs,):
        index, head = _head(model)
        model = Sequential(*model.layers[:index], Dense(outputs, initializer=head.initializer))
        drawn = model.init(generator(require_whole("seed", seed, 0), WEIGHTS), run.input_shape)
        host = {name: array for name, array in host.items() if int(name) < index} | {
            name: array for name, array in drawn.items() if int(name) >= index
        }
        card = replace(card, target_center=(), target_scale=())
    return model.freeze(*names), TrainedParams(host, card)


def _names(freeze: Any) -> list[str]:
    """The names of children; a single name gives a list of one."""
    names = [freeze] if isinstance(freeze, (str, int)) and not isinstance(freeze, bool) else freeze
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, (str, int)) for name in names):
        raise ConfigError(f'freeze must be names of children, such as ["0", "2"], got {shown(freeze)}.')
    return [str(name) for name in names]


def _head(model: Sequential) -> tuple[int, Dense]:
    """The index of the last layer with weights, and that layer."""
    trainable = [(index, layer) for index, layer in enumerate(model.layers) if layer.is_trainable]
    index, last = trainable[-1] if trainable else (0, None)
    if not isinstance(last, Dense):
        got = "there is none" if last is None else f"got {last!r}"
        raise ModelError(f"the last layer with weights must be a Dense to take a new one in its place; {got}.")
    return index, last
