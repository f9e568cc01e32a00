"""Initializers: functions of (rng, shape, fan_in, fan_out) that draw one array on the host.

Draws are float64, from one stream, on every backend: the seed alone decides the weights. All take

rng      the random generator to draw from
shape    the shape of the array
fan_in   the number of inputs that one unit sums
fan_out  the number of units that one input feeds

and return a float64 array of that shape.
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
    """A function that draws the initial values of a layer's array."""

    def __call__(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, /) -> Any:
        """An array of this shape."""


def filled(value: float, shape: Shape = ()) -> Draw:
    """An array filled with one value, as preprocessing buffers start."""
    return np.full(shape, float(value))


def zeros(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """An array of zeros, as biases start.

    rng      not used
    shape    the shape of the array
    fan_in   not used
    fan_out  not used
    """
    return np.zeros(shape)


@dataclass(frozen=True)
class uniform:  # noqa: N801 - used like the functions beside it: Dense(16, initializer=uniform(-0.5, 0.5))
    """Uniform draws from [low, high): `Dense(16, initializer=uniform(-0.5, 0.5))`.

    low   the lower bound
    high  the upper bound, which is never drawn

    Raises ModelError unless low < high, both finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ModelError(f"uniform needs finite low < high, got low={self.low}, high={self.high}.")

    def __call__(self, rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int, /) -> Draw:
        return rng.uniform(self.low, self.high, shape)


def he_uniform(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Return uniform draws with variance 2 / fan_in, which keeps the scale of signals through ReLU layers.

        |w| <= sqrt(6 / fan_in)

    rng      the random generator to draw from
    shape    the shape of the array
    fan_in   the number of inputs that one unit sums
    fan_out  not used

    He et al. 2015, "Delving Deep into Rectifiers", arXiv:1502.01852.
    """
    bound = math.sqrt(6.0 / fan_in)
    return rng.uniform(-bound, bound, shape)


def he_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Return normal draws with mean 0 and variance 2 / fan_in, not truncated.

    rng      the random generator to draw from
    shape    the shape of the array
    fan_in   the number of inputs that one unit sums
    fan_out  not used

    He et al. 2015, arXiv:1502.01852.
    """
    return rng.normal(0.0, math.sqrt(2.0 / fan_in), shape)


def lecun_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Return normal draws with mean 0 and variance 1 / fan_in, not truncated, for layers before SELU or none.

    rng      the random generator to draw from
    shape    the shape of the array
    fan_in   the number of inputs that one unit sums
    fan_out  not used

    LeCun et al. 1998, "Efficient BackProp"; for SELU: Klambauer et al. 2017, arXiv:1706.02515.
    """
    return rng.normal(0.0, math.sqrt(1.0 / fan_in), shape)


def glorot_uniform(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Return uniform draws with variance 2 / (fan_in + fan_out), for layers before tanh or without activation.

        |w| <= sqrt(6 / (fan_in + fan_out))

    rng      the random generator to draw from
    shape    the shape of the array
    fan_in   the number of inputs that one unit sums
    fan_out  the number of units that one input feeds

    Glorot and Bengio 2010, AISTATS.
    """
    bound = math.sqrt(6.0 / (fan_in + fan_out))
    return rng.uniform(-bound, bound, shape)


def glorot_normal(rng: np.random.Generator, shape: Shape, fan_in: int, fan_out: int) -> Draw:
    """Return normal draws with mean 0 and variance 2 / (fan_in + fan_out), not truncated.

    rng      the random generator to draw from
    shape    the shape of the array
    fan_in   the number of inputs that one unit sums
    fan_out  the number of units that one input feeds

    Glorot and Bengio 2010, AISTATS.
    """
    return rng.normal(0.0, math.sqrt(2.0 / (fan_in + fan_out)), shape)
