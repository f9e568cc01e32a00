"""The layers that a network's settings stand for, and their first weights, drawn as scikit-learn draws them."""

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
"""What `activation` may be, beside a layer."""


def hidden_layers(sizes: Any) -> list[int]:
    """Return the widths of the hidden layers; ValueError for one that is not above 0."""
    widths = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if any(not float(width).is_integer() or width <= 0 for width in widths):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {widths}.")
    return [int(width) for width in widths]


def network(settings: Any, outputs: int) -> Sequential:
    """Return the network that an estimator's settings describe, with this many outputs.

    Raises ConfigError where the settings contradict each other.
    """
    if settings.layers is not None:
        given = settings.layers
        inner = tuple(given) if isinstance(given, (list, tuple)) else chain_of(given)
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
    """The layer that makes features of a table."""
    return [] if settings._table is None else [Columns(settings._table.schema.kinds)]


def _activations(settings: Any, count: int) -> Sequence[Layer]:
    given = settings.hidden_activations
    if given is None:
        return [_activation(settings.activation)] * count
    if isinstance(given, str) or len(given) != count:
        raise ConfigError(
            f"hidden_activations must name one activation for each of the {count} hidden layers, got {given!r}",
            remedy="for one that is the same in all layers use activation=...",
        )
    return [_activation(entry) for entry in given]


def _activation(given: Any) -> Layer:
    if isinstance(given, Layer):
        return given
    if given not in _ACTIVATIONS:
        raise ConfigError(f"unknown activation {given!r}; choose from {', '.join(_ACTIVATIONS)}, or give a layer.")
    return _ACTIVATIONS[given]


def first_params(model: Sequential, input_shape: Shape, draws: np.random.RandomState, settings: Any) -> Params:
    """Return the first arrays of a network, on the host in float64.

    Weights and biases are uniform within sqrt(6 / (inputs + outputs)), or sqrt(2 / ...) for activation="logistic":
    Glorot and Bengio 2010, as scikit-learn draws them, in its order. With `layers` each layer begins as it says itself.
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
    """The arrays of this name, "weight" or "bias", of each layer that has both, in order.

    assign  is called with all of them when one is replaced, as in `model.coefs_[0] = weights`
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


def with_dense_arrays(params: Params, name: str, given: Sequence[Any]) -> Params:
    """Return params with these arrays in place of their own; ValueError for other shapes."""
    layers = dense_names(params)
    shapes = [tuple(params[layer][name].shape) for layer in layers]
    if [np.shape(array) for array in given] != shapes:
        raise ValueError(f"the network needs arrays of the shapes {shapes}, got {[np.shape(each) for each in given]}.")
    return {**params, **{layer: {**params[layer], name: array} for layer, array in zip(layers, given, strict=True)}}
