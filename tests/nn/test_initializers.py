"""Initializers by the moments of their law, over many draws from a fixed seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from portanet import nn
from portanet.errors import ModelError
from portanet.nn import Dense

FAN_IN, FAN_OUT = 300, 700
DRAWS = FAN_IN * FAN_OUT

# The papers' variances: He et al. 2 / fan_in, LeCun et al. 1 / fan_in, Glorot and Bengio 2 / (fan_in + fan_out).
LAWS = [
    (nn.he_uniform, 2 / 300, "uniform"),
    (nn.he_normal, 2 / 300, "normal"),
    (nn.lecun_normal, 1 / 300, "normal"),
    (nn.glorot_uniform, 2 / 1000, "uniform"),
    (nn.glorot_normal, 2 / 1000, "normal"),
]


@pytest.mark.parametrize(("initializer", "variance", "law"), LAWS)
def test_moments(initializer: Any, variance: float, law: str) -> None:
    draws = initializer(np.random.default_rng(1), (FAN_IN, FAN_OUT), FAN_IN, FAN_OUT)
    assert draws.shape == (FAN_IN, FAN_OUT)
    assert draws.dtype == np.float64
    deviation = math.sqrt(variance)
    kurtosis = 1.8 if law == "uniform" else 3.0
    assert abs(draws.mean()) < 5 * deviation / math.sqrt(DRAWS)
    # The sample variance is off by sqrt((kurtosis - 1) / draws) of itself, once in a while by five times that.
    assert draws.var() == pytest.approx(variance, rel=5 * math.sqrt((kurtosis - 1) / DRAWS))
    assert np.mean((draws / deviation) ** 4) == pytest.approx(kurtosis, rel=0.05)
    if law == "uniform":  # its variance is bound^2 / 3, and so many draws come close to the bound
        assert 0.999 * math.sqrt(3 * variance) < abs(draws).max() <= math.sqrt(3 * variance)
    else:  # not truncated
        assert abs(draws).max() > 4 * deviation


def test_uniform() -> None:
    draws = nn.uniform(-0.5, 1.5)(np.random.default_rng(1), (500, 400), 1, 1)
    assert draws.mean() == pytest.approx(0.5, abs=0.01)
    assert draws.var() == pytest.approx(2**2 / 12, rel=0.01)
    assert -0.5 <= draws.min() < -0.4999
    assert 1.4999 < draws.max() < 1.5


def test_zeros() -> None:
    assert not nn.zeros(np.random.default_rng(1), (3, 2), 3, 2).any()


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_bounds_that_cannot_be(bounds: tuple[float, float]) -> None:
    with pytest.raises(ModelError, match="uniform needs finite low < high, got low="):
        nn.uniform(*bounds)


def test_dense_tells_its_fans() -> None:
    """A unit of Dense(7) over 300 inputs sums 300 numbers, and one input feeds 7 units."""
    heard = []

    def listen(rng: np.random.Generator, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        heard.append((shape, fan_in, fan_out))
        return np.zeros(shape)

    params = Dense(7, initializer=listen).init(np.random.default_rng(0), (300,))
    assert heard == [((300, 7), 300, 7)]
    assert params["weight"].shape == (300, 7)
    assert not params["bias"].any()


def test_signals_keep_their_size_through_he_layers() -> None:
    """What the variance is for: after ten ReLU layers the mean square is neither gone nor huge."""
    rng = np.random.default_rng(4)
    x = rng.normal(0.0, 1.0, (40, 200))
    model = nn.Sequential(*(layer for _ in range(10) for layer in (Dense(200, initializer=nn.he_normal), nn.ReLU())))
    y, _ = model.forward(model.init(rng, (200,)), x)
    assert 0.2 < np.mean(y * y) / (np.mean(x * x) / 2) < 5


def test_the_seed_alone_decides() -> None:
    first, second, other = (nn.he_uniform(np.random.default_rng(seed), (3, 2), 3, 2) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
