"""Every layer with shapes to try it on: one row for each, and the laws in nn/test_layers.py hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import Host

from portanet._tree import tree_get
from portanet.nn import (
    ELU,
    GELU,
    SELU,
    AveragePool2D,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Frozen,
    GlobalAveragePool2D,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    RandomAffine,
    ReLU,
    Rescale,
    Reshape,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Standardize,
    Tanh,
    glorot_normal,
)
from portanet.nn.layout import Layout
from portanet.nn.noise import Key


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Host:
    return rng.normal(0.3, 1.0, shape)


def bytes_and_a_half(rng: np.random.Generator, shape: tuple[int, ...]) -> Host:
    """Numbers whose whole part picks a row, so that a small step in any direction does not pick another."""
    return rng.integers(0, 256, shape) + 0.5


class Row(NamedTuple):
    layer: Layer
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    draw: Callable[[np.random.Generator, tuple[int, ...]], Host] = normal

    def __str__(self) -> str:
        return f"{self.layer}-{self.input_shape}".replace(" ", "")


class Case(NamedTuple):
    """A row with arrays: no gradient in it is the same everywhere, and none is zero by chance."""

    layer: Layer
    params: dict[str, Any]
    x: Host
    dy: Host


ROWS = [
    Row(Dense(3), (4,), (3,)),
    Row(Dense(1), (1,), (1,)),
    Row(Dense(2, glorot_normal), (5,), (2,)),
    Row(Conv2D(2, 3), (2, 5, 4), (2, 3, 2)),
    Row(Conv2D(2, 1), (3, 2, 2), (2, 2, 2)),
    Row(Conv2D(3, 3, padding="same"), (1, 4, 5), (3, 4, 5)),
    Row(Conv2D(2, 4, padding="same"), (1, 5, 5), (2, 5, 5)),
    Row(Conv2D(2, 3, stride=2, padding=1), (2, 6, 5), (2, 3, 3)),
    Row(Conv2D(2, 2, stride=3), (1, 7, 6), (2, 2, 2)),
    Row(MaxPool2D(), (2, 4, 6), (2, 2, 3)),
    Row(MaxPool2D(3), (1, 7, 5), (1, 2, 1)),
    Row(MaxPool2D(1), (2, 2, 3), (2, 2, 3)),
    Row(AveragePool2D(), (2, 4, 6), (2, 2, 3)),
    Row(AveragePool2D(3), (1, 7, 5), (1, 2, 1)),
    Row(GlobalAveragePool2D(), (3, 2, 4), (3,)),
    Row(Sequential(Conv2D(2, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)), (1, 6, 6), (3,)),
    Row(Sequential(Conv2D(2, 2), AveragePool2D(), Conv2D(3, 2), GlobalAveragePool2D(), Dense(2)), (1, 7, 5), (2,)),
    Row(Flatten(), (2, 3, 2), (12,)),
    Row(Flatten(), (4,), (4,)),
    Row(ReLU(), (5,), (5,)),
    Row(ReLU(), (2, 3, 2), (2, 3, 2)),
    Row(LeakyReLU(), (5,), (5,)),
    Row(LeakyReLU(0.3), (2, 3, 2), (2, 3, 2)),
    Row(LeakyReLU(0.0), (3,), (3,)),
    Row(ELU(), (5,), (5,)),
    Row(ELU(0.4), (3,), (3,)),
    Row(SELU(), (2, 3, 2), (2, 3, 2)),
    Row(GELU(), (5,), (5,)),
    Row(SiLU(), (5,), (5,)),
    Row(Sigmoid(), (5,), (5,)),
    Row(Tanh(), (2, 3, 2), (2, 3, 2)),
    Row(Softplus(), (5,), (5,)),
    Row(Identity(), (5,), (5,)),
    Row(Reshape((2, 3, 1)), (6,), (2, 3, 1)),
    Row(Reshape((4,)), (2, 1, 2), (4,)),
    Row(Embedding(256, 3), (4,), (4, 3), bytes_and_a_half),
    Row(Sequential(Embedding(256, 2), Flatten(), Dense(3)), (2,), (3,), bytes_and_a_half),
    Row(Dropout(0.4), (5,), (5,)),
    Row(Dropout(0.2), (1, 2, 3), (1, 2, 3)),
    Row(Dropout(0.0), (2,), (2,)),
    Row(RandomAffine(), (1, 4, 5), (1, 4, 5)),
    Row(RandomAffine(1.5, 70.0, 0.5), (2, 5, 3), (2, 5, 3)),
    Row(RandomAffine(0.5), (1, 1, 4), (1, 1, 4)),
    Row(RandomAffine(0.0, 0.0, 0.0), (2, 3, 2), (2, 3, 2)),
    Row(Sequential(RandomAffine(1.0), Standardize("all"), Conv2D(2, 2), Flatten(), Dense(3)), (1, 4, 4), (3,)),
    Row(Rescale(0.25), (4,), (4,)),
    Row(Rescale(-1.5), (1, 2, 3), (1, 2, 3)),
    Row(Rescale(0.5, -0.7), (4,), (4,)),
    Row(Standardize(), (4,), (4,)),
    Row(Standardize("feature"), (1, 2, 3), (1, 2, 3)),
    Row(Standardize("all"), (1, 2, 3), (1, 2, 3)),
    Row(BatchNorm(), (4,), (4,)),
    Row(BatchNorm(0.3, 0.01), (2, 3, 2), (2, 3, 2)),
    Row(Sequential(Conv2D(2, 3), BatchNorm(), ReLU(), Flatten(), Dense(3)), (1, 4, 5), (3,)),
    Row(LayerNorm(), (5,), (5,)),
    Row(LayerNorm(0.01), (2, 3, 2), (2, 3, 2)),
    Row(Residual(), (3,), (3,)),
    Row(Residual(Dense(5), ReLU(), Dense(4)), (4,), (4,)),
    Row(Sequential(Dense(4), Residual(BatchNorm(), ReLU(), Dropout(0.3), Dense(4)), Dense(2)), (3,), (2,)),
    Row(Frozen(Dense(3)), (4,), (3,)),
    Row(Frozen(BatchNorm()), (2, 3, 2), (2, 3, 2)),
    Row(Frozen(Sequential(Dense(4), BatchNorm(), Dropout(0.5))), (3,), (4,)),
    Row(Sequential(Frozen(Dense(4)), Dense(3), Frozen(Residual(LayerNorm(), Dense(3)))), (2,), (3,)),
    Row(Sequential(), (3,), (3,)),
    Row(Sequential(Dense(5), ReLU(), Dense(2)), (4,), (2,)),
    Row(Sequential(Rescale(2.0), ReLU()), (3,), (3,)),
    Row(Sequential(Dense(5), Dropout(0.5), Sequential(Dropout(0.1), Dense(2))), (3,), (2,)),
    Row(Sequential(Dense(3), Rescale(0.5), Standardize("all")), (2,), (3,)),
    Row(
        Sequential(Rescale(0.5), Standardize(), Flatten(), Sequential(Dense(5), ReLU()), Dense(3)),
        (1, 2, 3),
        (3,),
    ),
]

KEY = Key(123456789, 40)
"""What noise is made from in these tests."""

every_layer = pytest.mark.parametrize("row", ROWS, ids=str)


def case(row: Row, rows: int = 6) -> Case:
    """Arrays for a row, in float64 on the host. Biases are not at zero, preprocessing is fitted."""
    rng = np.random.default_rng(11)
    x = row.draw(rng, (rows, *row.input_shape))
    params = row.layer.init(rng, row.input_shape)
    for path, shape, _ in Layout.of(row.layer, params).places:
        tree_get(params, path)[...] += rng.normal(0.0, 0.3, shape)
    return Case(row.layer, row.layer.fit(params, [x]), x, rng.uniform(-1.0, 1.0, (rows, *row.output_shape)))
