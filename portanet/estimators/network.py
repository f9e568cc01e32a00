"""The network that an estimator's settings describe, and its initial weights, drawn as in scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from portanet._typing import HostArray, Params, Shape
from portanet.errors import ConfigError
from portanet.nn import BatchNorm, Columns, Dense, Dropout, Layer, Sequential
from portanet.training.hidden import ACTIVATIONS
from portanet.training.spec import chain_of

_ACTIVATIONS: dict[str, Layer] = {**ACTIVATIONS, "logistic": ACTIVATIONS["sigmoid"]}
ACTIVATION_NAMES = tuple(_ACTIVATIONS)
"""The names that `activation` takes."""


def hidden_layers(sizes: Any) -> list[int]:
    """Return the widths of the hidden layers; ValueError for one that is not above 0."""
    widths = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if any(not float(width).is_integer() or width <= 0 for width in widths):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
    return [int(width) for width in widths]


def network(settings: Any, outputs: int) -> Sequential:
    """Return the network that an estimator's settings describe, with this many outputs.

    Raises ConfigError if the settings contradict each other.
    """
    if settings.layers is not None:
        layers_setting = settings.layers
        inner = tuple(layers_setting) if isinstance(layers_setting, (list, tuple)) else chain_of(layers_setting)
        return Sequential(*_columns(settings), *inner, Dense(outputs))
    widths = hidden_layers(settings.hidden_layer_sizes)
    layers: list[Layer] = _columns(settings)
    for width, activation in zip(widths, _activations(settings, len(widths)), strict=True):
        layers.append(Dense(width))
        if settings.batch_norm:
            layers.append(BatchNorm())
        layers.append(activation)
        if settings.dropout:
            layers.append(Dropout(float(settings.dropout)))
    return Sequential(*layers, Dense(outputs))


def _columns(settings: Any) -> list[Layer]:
    """The preprocessing layer of a table."""
    return [] if settings._table is None else [Columns(settings._table.schema.kinds)]


def _activations(settings: Any, count: int) -> Sequence[Layer]:
    names = settings.hidden_activations
    if names is None:
        return [_activation(settings.activation)] * count
    if isinstance(names, str) or len(names) != count:
        raise ConfigError(
            f"hidden_activations must name one activation for each of the {count} hidden layers, got {names!r}",
            remedy="for the same activation in all layers use activation=...",
        )
    return [_activation(name) for name in names]


def _activation(name: Any) -> Layer:
    if isinstance(name, Layer):
        return name
    if name not in _ACTIVATIONS:
        raise ConfigError(f"unknown activation {name!r}; choose from {', '.join(_ACTIVATIONS)}, or pass a layer.")
    return _ACTIVATIONS[name]


def first_params(model: Sequential, input_shape: Shape, draws: np.random.RandomState, settings: Any) -> Params:
    """Return the initial arrays of a network, on the host in float64.

    Weights and biases are uniform within sqrt(6 / (inputs + outputs)), or sqrt(2 / ...) for activation="logistic":
    Glorot and Bengio 2010, drawn in scikit-learn's order. With `layers`, each layer uses its own initializer.
    """
    if settings.layers is not None:
        return model.init(np.random.default_rng(draws.randint(2**31 - 1)), input_shape)
    params: Params = {}
    for name, layer, shape in model.children_with_shapes(input_shape):
        arrays = layer.init(np.random.default_rng(0), shape)
        if isinstance(layer, Dense):
            bound = math.sqrt((2.0 if settings.activation == "logistic" else 6.0) / sum(arrays["weight"].shape))
            arrays = {key: _uniform(draws, bound, arrays[key]) for key in ("weight", "bias")}
        if arrays:
            params[name] = arrays
    return params


def _uniform(draws: np.random.RandomState, bound: float, like: HostArray) -> HostArray:
    return draws.uniform(-bound, bound, like.shape)


class DenseArrays(list[Any]):
    """The "weight" or "bias" arrays of the layers that have both, in order.

    assign  called with all arrays when one is replaced, as in `model.coefs_[0] = weights`
    """

    def __init__(self, params: Params, name: str, assign: Callable[[Sequence[Any]], None]) -> None:
        super().__init__(params[layer][name] for layer in dense_names(params))
        self._assign = assign

    def __setitem__(self, position: Any, value: Any) -> None:
        arrays = list(self)
        arrays[position] = value
        self._assign(arrays)
        super().__setitem__(position, value)

    def __reduce__(self) -> Any:
        return list, (list(self),)


def dense_names(params: Params) -> list[str]:
    """Return the names of the layers that have a weight and a bias, in order."""
    return [layer for layer, arrays in params.items() if {"weight", "bias"} <= set(arrays)]


def with_dense_arrays(params: Params, name: str, arrays: Sequence[Any]) -> Params:
    """Return params with these arrays. Raises ValueError if their shapes differ from the network's."""
    layers = dense_names(params)
    shapes = [tuple(params[layer][name].shape) for layer in layers]
    if [np.shape(array) for array in arrays] != shapes:
        raise ValueError(f"the network needs arrays of the shapes {shapes}, got {[np.shape(each) for each in arrays]}.")
    return {**params, **{layer: {**params[layer], name: array} for layer, array in zip(layers, arrays, strict=True)}}
