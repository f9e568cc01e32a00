"""Every layer with shapes to try it on: one row for each, and the laws in nn/test_layers.py hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import Host

from portanet import nn
from portanet._tree import tree_get
from portanet.nn import Layer
from portanet.nn.layout import Layout
from portanet.nn.noise import Key


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Host:
    return rng.normal(0.3, 1.0, shape)


def bytes_and_a_half(rng: np.random.Generator, shape: tuple[int, ...]) -> Host:
    """Numbers whose whole part picks a row, so that a small step in any direction does not pick another."""
    return rng.integers(0, 256, shape) + 0.5


def table(*kinds: str | int) -> Callable[[np.random.Generator, tuple[int, ...]], Host]:
    """Rows for Columns: every kind of gap, and codes plus a half, which a small step does not change."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Host:
        columns = [
            rng.normal(3.0, 2.0, shape[0]) if isinstance(kind, str) else rng.integers(0, kind + 1, shape[0]) + 0.5
            for kind in kinds
        ]
        x = np.stack(columns, axis=1)
        return np.where(rng.random(shape) < 0.2, np.nan, x)

    return draw


class Row(NamedTuple):
    """A layer with the shapes of a row of its input and output.

    draw      gives an input
    in_torch  gives (torch, params, x) -> y, the layer in PyTorch's words; without it, in_torch.py has them
    """

    layer: Layer
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    draw: Callable[[np.random.Generator, tuple[int, ...]], Host] = normal
    in_torch: Callable[[Any, Any, Any], Any] | None = None

    def __str__(self) -> str:
        return f"{self.layer}-{self.input_shape}".replace(" ", "")


class Case(NamedTuple):
    """A row with arrays: no gradient in it is the same everywhere, and none is zero by chance."""

    layer: Layer
    params: dict[str, Any]
    x: Host
    dy: Host


ROWS = [
    Row(nn.Dense(3), (4,), (3,)),
    Row(nn.Dense(1), (1,), (1,)),
    Row(nn.Dense(2, initializer=nn.glorot_normal), (5,), (2,)),
    Row(nn.NTKDense(3), (4,), (3,)),
    Row(nn.NTKDense(2, initializer=nn.zeros, bias_rate=2.0), (5,), (2,)),
    Row(nn.PeriodicEmbedding(), (3,), (12,)),
    Row(nn.PeriodicEmbedding(2, frequencies=3, sigma=0.5, rate=2.0), (1,), (2,)),
    Row(nn.Scale(), (5,), (5,)),
    Row(nn.Scale(0.5), (2, 3, 2), (2, 3, 2)),
    Row(nn.Sequential(nn.Scale(), nn.NTKDense(4), nn.Mish(), nn.NTKDense(2)), (3,), (2,)),
    Row(nn.Conv2D(2, 3), (2, 5, 4), (2, 3, 2)),
    Row(nn.Conv2D(2, 1), (3, 2, 2), (2, 2, 2)),
    Row(nn.Conv2D(3, 3, padding="same"), (1, 4, 5), (3, 4, 5)),
    Row(nn.Conv2D(2, 4, padding="same"), (1, 5, 5), (2, 5, 5)),
    Row(nn.Conv2D(2, 3, stride=2, padding=1), (2, 6, 5), (2, 3, 3)),
    Row(nn.Conv2D(2, 2, stride=3), (1, 7, 6), (2, 2, 2)),
    Row(nn.MaxPool2D(), (2, 4, 6), (2, 2, 3)),
    Row(nn.MaxPool2D(3), (1, 7, 5), (1, 2, 1)),
    Row(nn.MaxPool2D(1), (2, 2, 3), (2, 2, 3)),
    Row(nn.AveragePool2D(), (2, 4, 6), (2, 2, 3)),
    Row(nn.AveragePool2D(3), (1, 7, 5), (1, 2, 1)),
    Row(nn.GlobalAveragePool2D(), (3, 2, 4), (3,)),
    Row(nn.Sequential(nn.Conv2D(2, 3), nn.ReLU(), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(3)), (1, 6, 6), (3,)),
    Row(
        nn.Sequential(nn.Conv2D(2, 2), nn.AveragePool2D(), nn.Conv2D(3, 2), nn.GlobalAveragePool2D(), nn.Dense(2)),
        (1, 7, 5),
        (2,),
    ),
    Row(nn.Flatten(), (2, 3, 2), (12,)),
    Row(nn.Flatten(), (4,), (4,)),
    Row(nn.ReLU(), (5,), (5,)),
    Row(nn.ReLU(), (2, 3, 2), (2, 3, 2)),
    Row(nn.LeakyReLU(), (5,), (5,)),
    Row(nn.LeakyReLU(0.3), (2, 3, 2), (2, 3, 2)),
    Row(nn.LeakyReLU(0.0), (3,), (3,)),
    Row(nn.ELU(), (5,), (5,)),
    Row(nn.ELU(0.4), (3,), (3,)),
    Row(nn.Mish(), (5,), (5,)),
    Row(nn.SELU(), (2, 3, 2), (2, 3, 2)),
    Row(nn.GELU(), (5,), (5,)),
    Row(nn.SiLU(), (5,), (5,)),
    Row(nn.Sigmoid(), (5,), (5,)),
    Row(nn.Tanh(), (2, 3, 2), (2, 3, 2)),
    Row(nn.Softplus(), (5,), (5,)),
    Row(nn.Identity(), (5,), (5,)),
    Row(nn.Reshape((2, 3, 1)), (6,), (2, 3, 1)),
    Row(nn.Reshape((4,)), (2, 1, 2), (4,)),
    Row(nn.Embedding(256, 3), (4,), (4, 3), bytes_and_a_half),
    Row(nn.Sequential(nn.Embedding(256, 2), nn.Flatten(), nn.Dense(3)), (2,), (3,), bytes_and_a_half),
    Row(nn.Columns(), (3,), (3,)),
    Row(nn.Columns(("number", "number?", "number?")), (3,), (5,), table("number", "number?", "number?")),
    Row(nn.Columns((2, 2, 4, 1)), (4,), (7,), table(2, 2, 4, 1)),
    Row(nn.Columns((12, 3), one_hot=2, embedding=3, min_frequency=1), (2,), (6,), table(12, 3)),
    Row(
        nn.Columns(("number", 9, 3, "number?", 9, 9, 2, "number"), embedding=2, min_frequency=2),
        (8,),
        (14,),
        table("number", 9, 3, "number?", 9, 9, 2, "number"),
    ),
    Row(nn.Sequential(nn.Columns(("number?", 10)), nn.Dense(3)), (2,), (3,), table("number?", 10)),
    Row(nn.Dropout(0.4), (5,), (5,)),
    Row(nn.Dropout(0.2), (1, 2, 3), (1, 2, 3)),
    Row(nn.Dropout(0.0), (2,), (2,)),
    Row(nn.RandomAffine(), (1, 4, 5), (1, 4, 5)),
    Row(nn.RandomAffine(shift=1.5, rotation=70.0, scale=0.5), (2, 5, 3), (2, 5, 3)),
    Row(nn.RandomAffine(shift=0.5), (1, 1, 4), (1, 1, 4)),
    Row(nn.RandomAffine(shift=0.0, rotation=0.0, scale=0.0), (2, 3, 2), (2, 3, 2)),
    Row(
        nn.Sequential(nn.RandomAffine(shift=1.0), nn.Standardize("all"), nn.Conv2D(2, 2), nn.Flatten(), nn.Dense(3)),
        (1, 4, 4),
        (3,),
    ),
    Row(nn.Rescale(0.25), (4,), (4,)),
    Row(nn.Rescale(-1.5), (1, 2, 3), (1, 2, 3)),
    Row(nn.Rescale(0.5, -0.7), (4,), (4,)),
    Row(nn.Standardize(), (4,), (4,)),
    Row(nn.Standardize("feature"), (1, 2, 3), (1, 2, 3)),
    Row(nn.Standardize("all"), (1, 2, 3), (1, 2, 3)),
    Row(nn.BatchNorm(), (4,), (4,)),
    Row(nn.BatchNorm(momentum=0.3, eps=0.01), (2, 3, 2), (2, 3, 2)),
    Row(nn.Sequential(nn.Conv2D(2, 3), nn.BatchNorm(), nn.ReLU(), nn.Flatten(), nn.Dense(3)), (1, 4, 5), (3,)),
    Row(nn.LayerNorm(), (5,), (5,)),
    Row(nn.LayerNorm(eps=0.01), (2, 3, 2), (2, 3, 2)),
    Row(nn.Residual(), (3,), (3,)),
    Row(nn.Residual(nn.Dense(5), nn.ReLU(), nn.Dense(4)), (4,), (4,)),
    Row(
        nn.Sequential(nn.Dense(4), nn.Residual(nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.3), nn.Dense(4)), nn.Dense(2)),
        (3,),
        (2,),
    ),
    Row(nn.Frozen(nn.Dense(3)), (4,), (3,)),
    Row(nn.Frozen(nn.BatchNorm()), (2, 3, 2), (2, 3, 2)),
    Row(nn.Frozen(nn.Sequential(nn.Dense(4), nn.BatchNorm(), nn.Dropout(0.5))), (3,), (4,)),
    Row(
        nn.Sequential(nn.Frozen(nn.Dense(4)), nn.Dense(3), nn.Frozen(nn.Residual(nn.LayerNorm(), nn.Dense(3)))),
        (2,),
        (3,),
    ),
    Row(nn.Sequential(), (3,), (3,)),
    Row(nn.Sequential(nn.Dense(5), nn.ReLU(), nn.Dense(2)), (4,), (2,)),
    Row(nn.Sequential(nn.Rescale(2.0), nn.ReLU()), (3,), (3,)),
    Row(nn.Sequential(nn.Dense(5), nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.1), nn.Dense(2))), (3,), (2,)),
    Row(nn.Sequential(nn.Dense(3), nn.Rescale(0.5), nn.Standardize("all")), (2,), (3,)),
    Row(
        nn.Sequential(
            nn.Rescale(0.5), nn.Standardize(), nn.Flatten(), nn.Sequential(nn.Dense(5), nn.ReLU()), nn.Dense(3)
        ),
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
