"""Conversion between estimators and `TrainedModel`, and to files without code."""

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
from portanet.training.trained.params import TrainedParams
from portanet.xp import namespace

_KINDS = {"i": ClassKind.INTEGER, "u": ClassKind.INTEGER, "b": ClassKind.BOOLEAN, "f": ClassKind.NUMBER,
          "S": ClassKind.BYTES}  # fmt: skip
_FITTED = ("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "validation_loss_curve_",
           "best_validation_score_", "n_layers_", "n_outputs_")  # fmt: skip


def to_portanet(mlp: Any) -> TrainedModel:
    """Return the network of a fitted estimator with its classes, columns and settings."""
    network, params = mlp._network, mlp._params
    classes, loss = getattr(mlp, "_classes", None), mlp._trained_loss
    if classes is not None and classes.one_class and classes.outputs == 1:
        network, params = _with_two_outputs(network, params)
        loss = None
    return _model(mlp, network, params, plain_loss(loss), _card(mlp, classes))


def network_as_model(mlp: Any) -> TrainedModel:
    """Return the network of an estimator in training as a `TrainedModel`, without class names."""
    return _model(mlp, mlp._network, mlp._params, plain_loss(mlp._trained_loss), _card(mlp, None))


def _model(mlp: Any, network: Sequential, params: Params, loss: Any, card: ModelCard) -> TrainedModel:
    spec = TrainingSpec(
        layers=chain_of(network), loss=loss, optimizer=_optimizer(mlp), epochs=max(1, mlp.n_iter_),
        batch_size=200 if mlp.batch_size == "auto" else mlp.batch_size, dtype=mlp._dtype,
    )  # fmt: skip
    history = [{"epoch": i + 1, "loss": value} for i, value in enumerate(getattr(mlp, "loss_curve_", []))]
    backend = mlp._backend
    return TrainedModel(
        network, TrainedParams(params, card), spec, backend, card, history=history, workers=backend.threads()
    )  # fmt: skip


def _with_two_outputs(network: Sequential, params: Params) -> tuple[Sequential, Params]:
    """A network with two outputs, zero and the single output, whose softmax gives the same probabilities."""
    *inner, last = network.children
    params = copy_dicts(params)
    arrays = params[last]
    xp = namespace(arrays["weight"])
    params[last] = {
        name: xp.concat([xp.zeros_like(arrays[name]), arrays[name]], axis=-1) for name in ("weight", "bias")
    }
    return Sequential(*(network.children[name] for name in inner), Dense(2)), params


def _card(mlp: Any, classes: Any) -> ModelCard:
    names: tuple[str, ...] = ()
    kind = None
    if classes is not None and classes.one_class:
        names = tuple(_name(label) for label in classes.labels.tolist())
        kind = _KINDS.get(classes.labels.dtype.kind, ClassKind.TEXT)
    table, columns = mlp._table, getattr(mlp, "feature_names_in_", None)
    if table is not None:
        columns = table.schema.names
    return ModelCard(
        (mlp._network_inputs,), mlp._dtype, names, None if columns is None else tuple(map(str, columns)),
        offsets=mlp._offsets if table is None else table.offsets, class_kind=kind,
        table=None if table is None else table.schema,
    )  # fmt: skip


def _name(label: Any) -> str:
    return label.decode("utf-8", "surrogateescape") if isinstance(label, bytes) else str(label)


def _optimizer(mlp: Any) -> Any:
    if mlp.solver == "sgd":
        momentum = min(mlp.momentum, 1 - 1e-6)
        return optim.SGD(mlp.learning_rate_init, momentum, mlp.nesterovs_momentum and momentum > 0)
    return optim.Adam(mlp.learning_rate_init, mlp.beta_1, mlp.beta_2, mlp.epsilon)


def from_portanet(run: TrainedModel, classifier: type, regressor: type) -> Any:
    """Return a trained model as a fitted estimator; raises ModelError unless it ends in Dense, and for quantiles."""
    layers, params = _of_rows(run)
    task, card = run.task, run.card
    is_classifier = task.is_classification
    if not is_classifier and getattr(run.loss, "outputs_per_target", 1) > 1:
        problem = "an estimator has one output for each target, and this model has quantiles"
        raise ModelError(problem, remedy="use the model itself, its predict and its intervals")
    mlp: Any = (classifier if is_classifier else regressor)(
        layers=_hidden(layers, card), loss=run.loss, dtype=run.dtype
    )
    mlp._network, mlp._params = Sequential(*layers), params
    mlp._backend, mlp._dtype, mlp._like = run.backend, run.dtype, np.empty((0, 0))
    outputs = mlp._network.output_shape((int(np.prod(card.input_shape)),))[0]
    mlp.n_outputs_, mlp._network_inputs = outputs, int(np.prod(card.input_shape))
    mlp._restore(_labels(card, outputs) if is_classifier else None, several=not task.has_one_class)
    mlp._trained_loss = mlp._loss_and_scale()[0]
    _know_columns(mlp, card)
    mlp._solver_state, mlp._epochs, mlp.t_, mlp.n_iter_ = None, 0, 0, max(1, len(run.history))
    mlp._begin_curves()
    mlp.loss_curve_ = [row["loss"] for row in run.history]
    mlp.loss_ = mlp.loss_curve_[-1] if run.history else float("nan")
    mlp.n_layers_ = len(mlp.coefs_) + 1
    return mlp


def _hidden(layers: tuple[Layer, ...], card: ModelCard) -> list[Layer]:
    """The layers without those that `fit` adds: Columns for a table, and the Dense of the outputs."""
    is_table = card.table is not None and not card.table.is_plain
    return list(layers[1 if is_table and isinstance(layers[0], Columns) else 0 : -1])


def _know_columns(mlp: Any, card: ModelCard) -> None:
    from portanet.estimators.tables import Table

    mlp._table, mlp._offsets = None, card.offsets
    mlp.n_features_in_ = mlp._network_inputs
    if card.table is not None and not card.table.is_plain:
        mlp._table = Table(card.table, card.offsets)
        mlp.n_features_in_ = len(card.table.used)
        mlp.feature_names_in_ = np.array([column.name for column in card.table.used], object)
    elif card.columns is not None:
        mlp.feature_names_in_ = np.array(card.columns, object)


def _of_rows(run: TrainedModel) -> tuple[tuple[Layer, ...], Params]:
    """The layers and arrays, changed to take flat rows and to return outputs in the unit of the targets."""
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


def settings_of(mlp: Any) -> dict[str, Any]:
    """Return an estimator's settings and fitted attributes as JSON data, for a model file."""
    settings = {name: _plain(value) for name, value in mlp.get_params(deep=False).items()}
    fitted = {name: _plain(getattr(mlp, name)) for name in _FITTED if hasattr(mlp, name)}
    return {
        "kind": type(mlp).__name__,
        "settings": {name: value for name, value in settings.items() if value is not _OTHER},
        "fitted": fitted,
        "columns": None if not hasattr(mlp, "feature_names_in_") else mlp.feature_names_in_.tolist(),
        "label_type": mlp._classes.labels.dtype.str if hasattr(mlp, "_classes") else "",
    }


_OTHER = object()


def _plain(value: Any) -> Any:
    """A setting as JSON data, with infinity as text; `_OTHER` for other objects, such as a layer."""
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
    """Return the estimator of a file. Raises CheckpointError if its settings are invalid."""
    mlp = from_portanet(run, classifier, regressor)
    saved = run.about.get("estimator")
    if saved is None:
        return mlp
    try:
        settings = {name: _number(value) for name, value in saved["settings"].items()}
        if "layers" in settings and settings["layers"] is None:
            mlp.set_params(layers=None)
        mlp.set_params(**{name: tuple(v) if isinstance(v, list) else v for name, v in settings.items()})
        if mlp.loss is not run.loss and "loss" not in settings:
            mlp.set_params(loss=run.loss)
        for name in _FITTED:
            if name in saved["fitted"]:
                setattr(mlp, name, _number(saved["fitted"][name]))
        if saved["columns"] is not None:
            mlp.feature_names_in_ = np.array(saved["columns"], object)
            mlp.n_features_in_ = len(saved["columns"])
        if saved["label_type"][1:2] in _KINDS:
            mlp._restore(mlp._classes.labels.astype(saved["label_type"]), several=mlp._classes.is_multi)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: the settings of its estimator cannot be used ({error}).") from error
    mlp._network, mlp._params = _with_one_output(mlp)
    return mlp


def _with_one_output(mlp: Any) -> tuple[Any, Params]:
    """Undo `_with_two_outputs` if the estimator had one output."""
    outputs = mlp._network.output_shape((mlp._network_inputs,))[0]
    if outputs == mlp.n_outputs_:
        return mlp._network, mlp._params
    *inner, last = mlp._network.children
    params = copy_dicts(mlp._params)
    params[last] = {name: array[..., 1:] - array[..., :1] for name, array in params[last].items()}
    mlp._restore(mlp._classes.labels, several=False, outputs=1)
    mlp._trained_loss = mlp._loss_and_scale()[0]
    return Sequential(*(mlp._network.children[name] for name in inner), Dense(1)), params


def _number(value: Any) -> Any:
    return float(value) if value in ("inf", "-inf", "nan") else value
