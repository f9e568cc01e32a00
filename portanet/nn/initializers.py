"""How weights start: each is called with (rng, shape, fan_in, fan_out) and draws one array on the host.

fan_in is the number of inputs that one unit sums, fan_out the number of units that one input feeds. Draws are
float64, from one stream, whatever the backend: the seed alone decides the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from portanet._typing import Shape
from portanet.errors import ModelError

Draw = npt.NDArray[np.float64]


class Initializer(Protocol):
    """Anything that draws the first values of a layer's array."""

    def __call__(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, /) -> Any:
        """An array of this shape."""


def filled(value: float, shape: Shape = ()) -> Draw:
    """An array of one value: how preprocessing buffers start."""
    return np.full(shape, float(value))


def zeros(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """All zero, as biases start."""
    return np.zeros(shape)


@dataclass(frozen=True)
class uniform:  # noqa: N801 - used like the functions beside it: Dense(16, initializer=uniform(-0.5, 0.5))
    """Uniform over [low, high). Raises ModelError unless low < high, both finite."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ModelError(f"uniform needs finite low < high, got low={self.low}, high={self.high}.")

    def __call__(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, /) -> Draw:
        return rng.uniform(self.low, self.high, shape)


def he_uniform(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Uniform with variance 2 / fan_in, which keeps the size of signals through ReLU layers.

    Bound sqrt(6 / fan_in). He et al. 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.
    """
    bound = math.sqrt(6.0 / fan_in)
    return rng.uniform(-bound, bound, shape)


def he_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Normal with mean 0 and variance 2 / fan_in, not truncated. He et al. 2015, arXiv:1502.01852."""
    return rng.normal(0.0, math.sqrt(2.0 / fan_in), shape)


def lecun_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Normal with mean 0 and variance 1 / fan_in, not truncated, for layers followed by SELU or by nothing.

    LeCun et al. 1998, "Efficient BackProp"; for SELU: Klambauer et al. 2017, arXiv:1706.02515.
    """
    return rng.normal(0.0, math.sqrt(1.0 / fan_in), shape)


def glorot_uniform(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Uniform with variance 2 / (fan_in + fan_out), for layers followed by tanh or by nothing.

    Bound sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010, AISTATS.
    """
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)


def glorot_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Normal with mean 0 and variance 2 / (fan_in + fan_out), not truncated. Glorot and Bengio 2010, AISTATS."""
    return rng.normal(0.0, math.sqrt(2.0 / (fan_in + fan_out)), shape)
