"""A factor on the inputs that goes into the first weights: the same outputs and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import assert_close, tree
from legs import Leg

from portanet.nn import BatchNorm, Conv2D, Dense, Flatten, Identity, Layer, ReLU, Rescale, Reshape, Sequential
from portanet.nn.folding import fold_input_scale

FOLDED = [
    Sequential(Rescale(1 / 255), Flatten(), Dense(5), ReLU(), Dense(3)),
    Sequential(Rescale(0.5), Conv2D(3, 2, padding=1), BatchNorm(), Flatten(), Dense(2)),
    Sequential(Rescale(-2.0), Reshape((2, 8)), Reshape((16,)), Dense(4)),
]
LEFT = [
    Sequential(Rescale(0.5, 1.0), Flatten(), Dense(5)),
    Sequential(Rescale(0.5), ReLU(), Flatten(), Dense(5)),
    Sequential(Rescale(0.5), Flatten()),
    Sequential(Flatten(), Dense(5)),
    Sequential(Sequential(Rescale(0.5), Flatten(), Dense(5))),
    Sequential(Dense(3)),
    Sequential(),
    Dense(3),
]


def pixels() -> Any:
    return np.random.default_rng(4).integers(0, 256, (6, 1, 4, 4)).astype(np.uint8)


@pytest.mark.parametrize("model", FOLDED, ids=repr)
def test_outputs_and_gradients(xp: Leg, model: Layer) -> None:
    x, other = pixels(), fold_input_scale(model, 10)
    assert other != model
    params = model.init(np.random.default_rng(2), x.shape[1:])
    dy = np.random.default_rng(7).normal(size=(6, *model.output_shape(x.shape[1:])))

    def run(layer: Layer, put: Any, call: Any) -> Any:
        def passes(params: Any, x: Any, dy: Any) -> Any:
            y, cache = layer.forward(params, x, train=True)
            dx, grads = layer.backward(params, cache, dy)
            return y, dx, grads

        return call(passes, tree(params, put), x if call is None else put(x), put(dy))

    y, dx, grads = run(other, xp.put, xp.run)
    assert xp.dtype(y) == "float32"
    if xp.values:
        wide, dwide, expected = run(model, lambda array: np.asarray(array, np.float64), lambda f, *given: f(*given))
        np.testing.assert_allclose(xp.host(y), wide, rtol=2e-4, atol=2e-4)
        np.testing.assert_allclose(xp.host(dx), dwide, rtol=2e-3, atol=2e-4)
        assert_close(tree(grads, xp.host), expected, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("model", LEFT, ids=repr)
def test_other_models_stay(model: Layer) -> None:
    assert fold_input_scale(model, 100) is model


def test_weights_that_are_as_many_as_the_inputs_stay() -> None:
    assert fold_input_scale(FOLDED[0], 9) is FOLDED[0]
    assert fold_input_scale(FOLDED[0], 10) is not FOLDED[0]
    assert fold_input_scale(FOLDED[1], 1) is not FOLDED[1]


def test_the_layers_keep_their_places() -> None:
    other = fold_input_scale(FOLDED[0], 100)
    assert isinstance(other, Sequential)
    assert list(other.children) == list(FOLDED[0].children)
    assert other.layers[0] == Identity()
    assert other.is_trainable
