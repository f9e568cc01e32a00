"""From an estimator to a `TrainedModel` and back, and to files that hold no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from portanet import optim
from portanet._tree import copy_dicts
from portanet._typing import HostArray, Params
from portanet.errors import CheckpointError, ModelError
from portanet.estimators.losses import plain_loss
from portanet.nn import Columns, Dense, Layer, Reshape, Sequential
from portanet.nn.losses.loss import TaskKind
from portanet.storage.class_kind import ClassKind
from portanet.storage.model_card import ModelCard
from portanet.training.model import TrainedModel
from portanet.training.spec import TrainingSpec, chain_of
from portanet.training.weights import TrainedParams
from portanet.xp import namespace

_KINDS = {"i": ClassKind.INTEGER, "u": ClassKind.INTEGER, "b": ClassKind.BOOLEAN, "f": ClassKind.NUMBER,
          "S": ClassKind.BYTES}  # fmt: skip
_FITTED = ("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "validation_loss_curve_",
           "best_validation_score_", "n_layers_", "n_outputs_")  # fmt: skip


def to_portanet(own: Any) -> TrainedModel:
    """Return the network of a fitted estimator, with the classes, columns and settings that it knows."""
    network, params = own._network, own._params
    classes, loss = getattr(own, "_classes", None), own._trained_loss
    if classes is not None and classes.one_class and classes.outputs == 1:
        network, params = _with_two_outputs(network, params)
        loss = None
    return _model(own, network, params, plain_loss(loss), _card(own, classes))


def network_as_model(own: Any) -> TrainedModel:
    """Return the network while it trains, without names of classes."""
    return _model(own, own._network, own._params, plain_loss(own._trained_loss), _card(own, None))


def _model(own: Any, network: Sequential, params: Params, loss: Any, card: ModelCard) -> TrainedModel:
    spec = TrainingSpec(
        layers=chain_of(network), loss=loss, optimizer=_optimizer(own), epochs=max(1, own.n_iter_),
        batch_size=200 if own.batch_size == "auto" else own.batch_size, dtype=own._dtype,
    )  # fmt: skip
    history = [{"epoch": i + 1, "loss": value} for i, value in enumerate(getattr(own, "loss_curve_", []))]
    backend = own._backend
    return TrainedModel(
        network, TrainedParams(params, card), spec, backend, card, history=history, workers=backend.threads()
    )  # fmt: skip


def _with_two_outputs(network: Sequential, params: Params) -> tuple[Sequential, Params]:
    """The same probabilities by a softmax: of zero, and of what one output gives."""
    *inner, last = network.children
    params = copy_dicts(params)
    arrays = params[last]
    xp = namespace(arrays["weight"])
    params[last] = {
        name: xp.concat([xp.zeros_like(arrays[name]), arrays[name]], axis=-1) for name in ("weight", "bias")
    }
    return Sequential(*(network.children[name] for name in inner), Dense(2)), params


def _card(own: Any, classes: Any) -> ModelCard:
    names: tuple[str, ...] = ()
    kind = None
    if classes is not None and classes.one_class:
        names = tuple(_name(label) for label in classes.labels.tolist())
        kind = _KINDS.get(classes.labels.dtype.kind, ClassKind.TEXT)
    table, columns = own._table, getattr(own, "feature_names_in_", None)
    if table is not None:
        columns = table.schema.names
    return ModelCard(
        (own._network_inputs,), own._dtype, names, None if columns is None else tuple(map(str, columns)),
        offsets=own._offsets if table is None else table.offsets, class_kind=kind,
        table=None if table is None else table.schema,
    )  # fmt: skip


def _name(label: Any) -> str:
    return label.decode("utf-8", "surrogateescape") if isinstance(label, bytes) else str(label)


def _optimizer(own: Any) -> Any:
    if own.solver == "sgd":
        momentum = min(own.momentum, 1 - 1e-6)
        return optim.SGD(own.learning_rate_init, momentum, own.nesterovs_momentum and momentum > 0)
    return optim.Adam(own.learning_rate_init, own.beta_1, own.beta_2, own.epsilon)


def from_portanet(run: TrainedModel, classifier: type, regressor: type) -> Any:
    """Return a trained model as a fitted estimator; ModelError for one that does not end in Dense, or of quantiles."""
    layers, params = _of_rows(run)
    task, card = run.task, run.card
    is_classifier = task.is_classification
    if not is_classifier and getattr(run.loss, "outputs_per_target", 1) > 1:
        problem = "an estimator has one output for each target, and this model has quantiles"
        raise ModelError(problem, remedy="use the model itself, its predict and its intervals")
    own: Any = (classifier if is_classifier else regressor)(
        layers=_hidden(layers, card), loss=run.loss, dtype=run.dtype
    )
    own._network, own._params = Sequential(*layers), params
    own._backend, own._dtype, own._like = run.backend, run.dtype, np.empty((0, 0))
    outputs = own._network.output_shape((int(np.prod(card.input_shape)),))[0]
    own.n_outputs_, own._network_inputs = outputs, int(np.prod(card.input_shape))
    own._restore(_labels(card, outputs) if is_classifier else None, several=not task.has_one_class)
    own._trained_loss = own._loss_and_told()[0]
    _know_columns(own, card)
    own._solver_state, own._epochs, own.t_, own.n_iter_ = None, 0, 0, max(1, len(run.history))
    own._begin_curves()
    own.loss_curve_ = [row["loss"] for row in run.history]
    own.loss_ = own.loss_curve_[-1] if run.history else float("nan")
    own.n_layers_ = len(own.coefs_) + 1
    return own


def _hidden(layers: tuple[Layer, ...], card: ModelCard) -> list[Layer]:
    """The layers between those that `fit` adds by itself: Columns for a table, and the one for the outputs."""
    is_table = card.table is not None and not card.table.is_plain
    return list(layers[1 if is_table and isinstance(layers[0], Columns) else 0 : -1])


def _know_columns(own: Any, card: ModelCard) -> None:
    from portanet.estimators.tables import Table

    own._table, own._offsets = None, card.offsets
    own.n_features_in_ = own._network_inputs
    if card.table is not None and not card.table.is_plain:
        own._table = Table(card.table, card.offsets)
        own.n_features_in_ = len(card.table.used)
        own.feature_names_in_ = np.array([column.name for column in card.table.used], object)
    elif card.columns is not None:
        own.feature_names_in_ = np.array(card.columns, object)


def _of_rows(run: TrainedModel) -> tuple[tuple[Layer, ...], Params]:
    """The layers for flat rows, in the unit of the targets, and their arrays."""
    layers, params = chain_of(run.model), copy_dicts(run.params)
    if (len(layers) == 1 and not run.model.is_chain) or not isinstance(layers[-1], Dense):
        raise ModelError("an estimator's network is a Sequential that ends in Dense.", remedy="use the model itself")
    card, last = run.card, str(len(layers) - 1)
    if card.target_scale:
        center, scale = (run.backend.put(values, run.dtype) for values in (card.target_center, card.target_scale))
        weight, bias = params[last]["weight"], params[last]["bias"]
        if getattr(run.loss, "task", None) is TaskKind.COUNT:
            params[last] = {"weight": weight, "bias": bias + namespace(bias).log(scale)}
        else:
            params[last] = {"weight": weight * scale, "bias": bias * scale + center}
    if len(card.input_shape) == 1:
        return layers, params
    params = {str(int(name) + 1): arrays for name, arrays in params.items()}
    return (Reshape(card.input_shape), *layers), params


def _labels(card: ModelCard, outputs: int) -> HostArray:
    return card.class_kind.labels(card.classes) if card.class_kind else np.arange(outputs)


def settings_of(own: Any) -> dict[str, Any]:
    """Return what a file keeps of an estimator beside its network, as JSON data."""
    settings = {name: _plain(value) for name, value in own.get_params(deep=False).items()}
    fitted = {name: _plain(getattr(own, name)) for name in _FITTED if hasattr(own, name)}
    return {
        "kind": type(own).__name__,
        "settings": {name: value for name, value in settings.items() if value is not _OTHER},
        "fitted": fitted,
        "columns": None if not hasattr(own, "feature_names_in_") else own.feature_names_in_.tolist(),
        "label_type": own._classes.labels.dtype.str if hasattr(own, "_classes") else "",
    }


_OTHER = object()


def _plain(value: Any) -> Any:
    """A setting as JSON data, infinity as text; `_OTHER` for what is none, such as a layer."""
    if isinstance(value, (np.integer, np.floating)):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        entries = [_plain(entry) for entry in value]
        return _OTHER if any(entry is _OTHER for entry in entries) else entries
    return _OTHER


def restored(run: TrainedModel, path: str | Path, classifier: type, regressor: type) -> Any:
    """Return the estimator that a file holds; CheckpointError where its settings cannot be."""
    own = from_portanet(run, classifier, regressor)
    kept = run.about.get("estimator")
    if kept is None:
        return own
    try:
        settings = {name: _number(value) for name, value in kept["settings"].items()}
        if "layers" in settings and settings["layers"] is None:
            own.set_params(layers=None)
        own.set_params(**{name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()})
        if own.loss is not run.loss and "loss" not in settings:
            own.set_params(loss=run.loss)
        for name in _FITTED:
            if name in kept["fitted"]:
                setattr(own, name, _number(kept["fitted"][name]))
        if kept["columns"] is not None:
            own.feature_names_in_ = np.array(kept["columns"], object)
            own.n_features_in_ = len(kept["columns"])
        if kept["label_type"][1:2] in _KINDS:
            own._restore(own._classes.labels.astype(kept["label_type"]), several=own._classes.is_multi)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: the settings of its estimator cannot be used ({error}).") from error
    own._network, own._params = _with_one_output(own)
    return own


def _with_one_output(own: Any) -> tuple[Any, Params]:
    """Undo `_with_two_outputs` where the estimator had one."""
    outputs = own._network.output_shape((own._network_inputs,))[0]
    if outputs == own.n_outputs_:
        return own._network, own._params
    *inner, last = own._network.children
    params = copy_dicts(own._params)
    params[last] = {name: array[..., 1:] - array[..., :1] for name, array in params[last].items()}
    own._restore(own._classes.labels, several=False, outputs=1)
    own._trained_loss = own._loss_and_told()[0]
    return Sequential(*(own._network.children[name] for name in inner), Dense(1)), params


def _number(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf", "nan") else value
