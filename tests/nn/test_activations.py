"""Activations far from zero: each nears a constant or a line, and nothing overflows on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from legs import Leg

from portanet.nn import (
    ELU,
    GELU,
    SELU,
    Dense,
    Identity,
    Layer,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
    lecun_normal,
)

# (layer, y and dy/dx at -10,000, y and dy/dx at 10,000)
LIMITS: list[tuple[Layer, tuple[float, float], tuple[float, float]]] = [
    (Identity(), (-1e4, 1.0), (1e4, 1.0)),
    (ReLU(), (0.0, 0.0), (1e4, 1.0)),
    (LeakyReLU(), (-100.0, 0.01), (1e4, 1.0)),
    (ELU(), (-1.0, 0.0), (1e4, 1.0)),
    (ELU(0.5), (-0.5, 0.0), (1e4, 1.0)),
    (SELU(), (-1.7580993, 0.0), (10507.010, 1.0507010)),
    (Sigmoid(), (0.0, 0.0), (1.0, 0.0)),
    (Tanh(), (-1.0, 0.0), (1.0, 0.0)),
    (Softplus(), (0.0, 0.0), (1e4, 1.0)),
    (SiLU(), (0.0, 0.0), (1e4, 1.0)),
    (GELU(), (0.0, 0.0), (1e4, 1.0)),
]


@pytest.mark.parametrize(("layer", "below", "above"), LIMITS, ids=lambda value: str(value))
def test_limits(layer: Layer, below: tuple[float, float], above: tuple[float, float], xp: Leg) -> None:
    def run(x: Any, dy: Any) -> Any:
        y, cache = layer.forward({}, x)
        return y, layer.backward({}, cache, dy)[0]

    x = np.asarray([[-1e4, 1e4, -100.0, 100.0, -90.0, 90.0, -20.0, 20.0, -1e-30, 0.0, 1e-30]])
    y, dx = xp.run(run, xp.put(x), xp.put(np.ones_like(x)))
    if xp.values:
        y, dx = xp.host(y), xp.host(dx)
        assert np.isfinite(y).all()
        assert np.isfinite(dx).all()
        np.testing.assert_allclose(np.stack([y, dx])[:, 0, :2], np.transpose([below, above]), rtol=1e-6, atol=1e-30)


def test_small_probabilities_keep_their_digits(xp: Leg) -> None:
    """e^x for x far below zero, to float32's precision: 1 - 1 / (1 + e^x) would leave none of its digits."""
    x = np.asarray([[-15.0, -20.0, -40.0, -80.0]])
    for layer in (Sigmoid(), Softplus()):
        y, slope = xp.run(lambda x, own=layer: _both(own, x), xp.put(x))
        if xp.values:
            np.testing.assert_allclose(xp.host(y), np.exp(x), rtol=2e-6)
            np.testing.assert_allclose(xp.host(slope), np.exp(x), rtol=2e-6)


def _both(layer: Layer, x: Any) -> Any:
    y, cache = layer.forward({}, x)
    return y, layer.backward({}, cache, y / y)[0]


def test_signals_keep_mean_and_variance_through_selu_layers() -> None:
    """What SELU's constants and lecun_normal are for, after ten layers: Klambauer et al. 2017, theorem 1."""
    rng = np.random.default_rng(4)
    model = Sequential(*(layer for _ in range(10) for layer in (Dense(300, initializer=lecun_normal), SELU())))
    y, _ = model.forward(model.init(rng, (300,)), rng.normal(0.0, 1.0, (200, 300)))
    assert abs(y.mean()) < 0.1
    assert 0.8 < y.var() < 1.2
