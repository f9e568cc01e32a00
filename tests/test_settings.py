"""Settings as plain data and back, from a list of names and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import blobs, equal
from layers import ROWS, Row, every_layer

import portanet
from portanet import nn, optim
from portanet._settings import from_dict, to_dict, with_python_numbers
from portanet.errors import ConfigError
from portanet.nn import BatchNorm, Dense, Frozen, Residual, Sequential, Standardize

KNOWN = {name: getattr(part, name) for part in (nn, optim) for name in part.__all__}


@every_layer
def test_layers_round_trip(row: Row) -> None:
    text = json.dumps(to_dict(row.layer))
    assert from_dict(json.loads(text), KNOWN) == row.layer


@pytest.mark.parametrize(
    "value",
    [
        optim.SGD(momentum=0.9, nesterov=True),
        optim.AdamW(weight_decay=0.3),
        optim.cosine_decay(warmup=5),
        nn.uniform(-0.5, 0.5),
        nn.he_normal,
        nn.cross_entropy,
    ],
)
def test_other_settings_round_trip(value: Any) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(value))), KNOWN) == value


def test_by_hand() -> None:
    assert to_dict(Sequential(Dense(3, initializer=nn.uniform(-1.0, 1.0)))) == {
        "type": "Sequential",
        "layers": [{"type": "Dense", "units": 3, "initializer": {"type": "uniform", "low": -1.0, "high": 1.0}}],
    }


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"type": "Conv"}, "'Conv' is not known here; did you mean 'Conv2D'"),
        ({"type": "Wave"}, "'Wave' is not known here; known: "),
        ({"type": "Softmax"}, "'Softmax' is not known here; .* cross_entropy contains the softmax"),
        ({"type": "relu"}, "'relu' is not known here; did you mean 'ReLU'"),
        ({"type": "Linear"}, "'Linear' is not known here; it is called Dense here"),
        ({"type": "Dense", "out_features": 3}, "Dense has no setting 'out_features'; it is called units here"),
        ({"type": "SGD", "lr": 3}, "SGD has no setting 'lr'; it is called learning_rate here"),
        ({"type": 3}, "3 is not known here"),
        ({}, "settings have no type; known: "),
        ({"type": "Dense", "width": 3}, "Dense has no setting 'width'; it takes units, initializer"),
        ({"type": "ReLU", "slope": 3}, "ReLU has no setting 'slope'; it takes none"),
        ({"type": "he_normal", "gain": 2}, "he_normal takes no settings, got gain"),
        ({"type": "Dense"}, "Dense needs units; it takes units, initializer"),
        ({"type": "Dense", "units": "3"}, "Dense needs an integer for units, got '3'"),
        ({"type": "Dense", "units": 2.5}, "Dense needs an integer for units, got 2.5"),
        ({"type": "Dense", "units": True}, "Dense needs an integer for units, got True"),
        ({"type": "Dense", "units": 3, "initializer": "zeros"}, "Dense needs settings with a type for initializer"),
        ({"type": "Dense", "units": 3, "initializer": {"type": "ReLU"}}, r"Dense needs an initializer .* ReLU\(\)"),
        ({"type": "Frozen", "layer": [3]}, "Frozen needs settings with a type for layer"),
        ({"type": "Sequential", "layers": 3}, "Sequential needs a list for layers"),
        ({"type": "SGD", "learning_rate": "fast"}, "SGD needs a number for learning_rate, got 'fast'"),
        ({"type": "SGD", "nesterov": "no"}, "SGD needs true or false for nesterov, got 'no'"),
    ],
)
def test_settings_that_cannot_be(config: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(config, KNOWN)


def test_wrapped_layers_round_trip_through_a_file(tmp_path: Path) -> None:
    model = Sequential(Frozen(Standardize()), Residual(Dense(4), Frozen(Residual(BatchNorm(momentum=0.2)))), Dense(3))
    run = portanet.fit(model, *blobs(30), epochs=1)
    again = portanet.load(run.save(tmp_path / "m.safetensors"))
    assert again.model == model
    assert equal(again.params, run.params)
    x, _ = blobs(7, seed=8)
    assert np.array_equal(again.probabilities(x), run.probabilities(x))


def test_every_layer_is_known() -> None:
    assert {type(row.layer).__name__ for row in ROWS} <= set(KNOWN)


def test_what_was_computed_from_numpys_numbers_is_computed_again() -> None:
    @dataclass(frozen=True, repr=False)
    class Half(nn.Layer):
        factor: float

    model = nn.Sequential(Half(np.float64(0.5)), nn.Dense(2))  # type: ignore[arg-type]
    assert repr(model.children["0"]) == "Half(factor=np.float64(0.5))"  # kept by the container from now on
    assert repr(with_python_numbers(model).children["0"]) == "Half(factor=0.5)"
