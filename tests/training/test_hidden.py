"""Other hidden layers for a preset: the network is the one that would be written down by hand."""

from __future__ import annotations

from typing import Any

import pytest

from portanet import nn
from portanet.errors import ConfigError, ModelError
from portanet.nn import BatchNorm, Dense, Dropout, Flatten, ReLU, Rescale, Sequential, Standardize, Tanh, uniform
from portanet.training.hidden import ACTIVATIONS, with_hidden
from portanet.training.presets import PRESETS

ARTICLE = uniform(-0.5, 0.5)
MLP, CLASSIC = PRESETS["mlp"].layers, PRESETS["classic"].layers


@pytest.mark.parametrize(
    ("layers", "changes", "expected"),
    [
        (MLP, {"units": (64,)}, (Standardize("all"), Flatten(), Dense(64), ReLU(), Dense(None))),
        (MLP, {"units": (9, 8, 7), "activation": "tanh"}, (
            Standardize("all"), Flatten(), Dense(9), Tanh(), Dense(8), Tanh(), Dense(7), Tanh(), Dense(None))),
        (MLP, {"dropout": 0.1}, (
            Standardize("all"), Flatten(), Dense(256), ReLU(), Dropout(0.1), Dense(128), ReLU(),
            Dropout(0.1), Dense(None))),
        (CLASSIC, {"units": (64, 32), "activation": "gelu", "dropout": 0.2}, (
            Rescale(1 / 255), Flatten(), Dense(64, initializer=ARTICLE), nn.GELU(), Dropout(0.2),
            Dense(32, initializer=ARTICLE), nn.GELU(), Dropout(0.2), Dense(None, initializer=ARTICLE))),
        ((Dense(4), BatchNorm(), ReLU(), Dropout(0.5), Dense(2), Rescale(3.0)), {"units": (5, 6), "dropout": 0.0}, (
            Dense(5), BatchNorm(), ReLU(), Dense(6), BatchNorm(), ReLU(), Dense(2), Rescale(3.0))),
        ((Dense(4), Dense(2)), {"activation": "relu"}, (Dense(4), ReLU(), Dense(2))),
        ((Dense(4), nn.LeakyReLU(0.3), Dense(2)), {"units": (3,)}, (Dense(3), nn.LeakyReLU(0.3), Dense(2))),
        (PRESETS["table"].layers, {"units": (64, 32), "activation": "tanh", "dropout": 0.1}, (
            nn.Columns(), nn.Scale(), nn.NTKDense(64), Tanh(), Dropout(0.1), nn.NTKDense(32), Tanh(), Dropout(0.1),
            nn.NTKDense(None, initializer=nn.zeros))),
        (MLP, {}, MLP),
    ],
)  # fmt: skip
def test_networks(layers: Any, changes: dict[str, Any], expected: Any) -> None:
    assert with_hidden(layers, **changes) == expected


def test_every_activation_has_a_name() -> None:
    from portanet.nn import activations

    made = {
        name
        for name, thing in vars(activations).items()
        if isinstance(thing, type) and thing.__module__ == activations.__name__
    }
    assert {type(layer).__name__ for layer in ACTIVATIONS.values()} == made


@pytest.mark.parametrize(
    ("layers", "changes", "words"),
    [
        (PRESETS["cnn"].layers, {"units": (64,)}, "this one has Conv2D too"),
        ((nn.Residual(Dense(4)), Dense(2)), {"dropout": 0.1}, "this one has Residual too"),
        ((Dense(4), Sequential(ReLU()), Dense(2)), {"dropout": 0.1}, "this one has Sequential too"),
        ((Flatten(), Dense(2)), {"units": (64,)}, "no hidden Dense"),
        (MLP, {"activation": "rleu"}, "activation 'rleu'; choose from relu, leaky_relu"),
    ],
)
def test_refused(layers: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        with_hidden(layers, **changes)


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan")])
def test_rates(rate: float) -> None:
    with pytest.raises(ModelError, match="Dropout needs 0 <= rate < 1"):
        with_hidden(MLP, dropout=rate)
