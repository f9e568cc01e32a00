"""Embedding picks rows of its weights, and refuses numbers that pick none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from legs import Leg

import portanet
from portanet.errors import DataError, ModelError
from portanet.nn import (
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Frozen,
    Identity,
    Layer,
    ReLU,
    Rescale,
    Residual,
    Sequential,
    Standardize,
)


def test_rows_are_picked_and_repeats_add_up(xp: Leg) -> None:
    def run(weight: Any, x: Any, dy: Any) -> Any:
        y, cache = layer.forward({"weight": weight}, x)
        dx, grads = layer.backward({"weight": weight}, cache, dy)
        return y, dx, grads["weight"]

    layer = Embedding(4, 2)
    weight, dy = np.asarray([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]), np.arange(1.0, 9.0).reshape(2, 2, 2)
    for dtype in ("uint8", "int32", "float32"):
        y, dx, grad = xp.run(run, xp.put(weight), xp.put(np.asarray([[3, 0], [3, 3]], dtype)), xp.put(dy))
        assert [xp.dtype(array) for array in (y, dx, grad)] == ["float32"] * 3
        if xp.values:
            assert xp.host(y).tolist() == [[[6.0, 7.0], [0.0, 1.0]], [[6.0, 7.0], [6.0, 7.0]]]
            assert xp.host(dx).tolist() == [[0.0, 0.0], [0.0, 0.0]]
            assert xp.host(grad).tolist() == [[3.0, 4.0], [0.0, 0.0], [0.0, 0.0], [1.0 + 5.0 + 7.0, 2.0 + 6.0 + 8.0]]


def test_weights_start_at_the_scale_of_signals() -> None:
    """Mean 0 and deviation 1, as torch.nn.Embedding's, whatever the vocabulary."""
    weight = Embedding(500, 400).init(np.random.default_rng(3), (7,))["weight"]
    assert weight.shape == (500, 400)
    assert weight.mean() == pytest.approx(0.0, abs=0.01)
    assert weight.std() == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize(
    ("values", "dtype", "message"),
    [
        ([[0, 5]], "uint8", "Embedding needs integers from 0 to 4, got values from 0 to 5"),
        ([[0, 5]], "float32", "got values from 0 to 5"),
        ([[-1, 3]], "int32", "got values from -1 to 3"),
        ([[0.0, float("nan")]], "float32", "got values from nan to nan"),
        ([[0.0, 2.5]], "float32", "Embedding needs integers from 0 to 4, got some that are not whole"),
    ],
)
@pytest.mark.parametrize(
    "model", [Embedding(5, 2), Sequential(Sequential(Embedding(5, 2), Flatten()), Dense(2))], ids=str
)
def test_numbers_that_pick_no_row(model: Layer, values: Any, dtype: str, message: str, xp: Leg) -> None:
    if xp.values:
        with pytest.raises(DataError, match=message):
            model.check(xp.put(np.asarray(values, dtype)))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
def test_numbers_that_pick_a_row(xp: Leg, dtype: str) -> None:
    if xp.values:
        x = xp.put(np.asarray([[0, 4], [2, 2]], dtype))
        for model in (Embedding(5, 2), Sequential(Embedding(5, 2)), Sequential(Flatten(), Dense(2)), Sequential()):
            model.check(x)


@pytest.mark.parametrize(
    "before",
    [Dropout(0.5), Rescale(2.0), ReLU(), Standardize(), Sequential(Identity(), Dropout(0.1)), Residual(Dropout(0.1))],
    ids=str,
)
@pytest.mark.parametrize("wrap", [lambda layer: layer, Sequential, Frozen], ids=["plain", "inside", "frozen"])
def test_no_layer_before_it_may_change_its_numbers(before: Layer, wrap: Any) -> None:
    """Dropout would do so in training alone."""
    x = np.asarray([[0, 4], [2, 2]])
    model = Sequential(Flatten(), before, wrap(Embedding(5, 2)), Flatten(), Dense(2))
    with pytest.raises(ModelError, match=r"Embedding.* reads the integers .*layer 1, .*, changes them; put it bef"):
        portanet.fit(model, x, [0, 1], epochs=1)
    good = Sequential(Flatten(), wrap(Embedding(5, 2)), before, Flatten(), Dense(2))
    assert portanet.fit(good, x, [0, 1], epochs=1).predict(x).shape == (2,)


def test_a_dropout_that_never_drops_hands_them_on() -> None:
    model = Sequential(Dropout(0.0), Frozen(Dropout(0.5)), Identity(), Embedding(5, 2), Flatten(), Dense(2))
    portanet.fit(model, np.asarray([[0, 4], [2, 2]]), [0, 1], epochs=1)
    with pytest.raises(DataError, match="got values from 0 to 9"):
        portanet.fit(model, np.asarray([[0, 9], [2, 2]]), [0, 1], epochs=1)
