"""Every layer with shapes to try it on: one row for each, and the laws in nn/test_layers.py hold for all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import Host

from portanet.nn import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2D,
    ReLU,
    Rescale,
    Sequential,
    Standardize,
    glorot_normal,
)
from portanet.nn.layout import Layout, pick
from portanet.nn.noise import Key


class Row(NamedTuple):
    layer: Layer
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]


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
    Row(Sequential(Conv2D(2, 3), ReLU(), MaxPool2D(2), Flatten(), Dense(3)), (1, 6, 6), (3,)),
    Row(Flatten(), (2, 3, 2), (12,)),
    Row(Flatten(), (4,), (4,)),
    Row(ReLU(), (5,), (5,)),
    Row(ReLU(), (2, 3, 2), (2, 3, 2)),
    Row(Dropout(0.4), (5,), (5,)),
    Row(Dropout(0.2), (1, 2, 3), (1, 2, 3)),
    Row(Dropout(0.0), (2,), (2,)),
    Row(Rescale(0.25), (4,), (4,)),
    Row(Rescale(-1.5), (1, 2, 3), (1, 2, 3)),
    Row(Standardize(), (4,), (4,)),
    Row(Standardize("feature"), (1, 2, 3), (1, 2, 3)),
    Row(Standardize("all"), (1, 2, 3), (1, 2, 3)),
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

every_layer = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.input_shape}".replace(" ", ""))


def case(row: Row, rows: int = 6) -> Case:
    """Arrays for a row, in float64 on the host. Biases are not at zero, preprocessing is fitted."""
    rng = np.random.default_rng(11)
    x = rng.normal(0.3, 1.0, (rows, *row.input_shape))
    params = row.layer.init(rng, row.input_shape)
    for path, shape, _ in Layout.of(row.layer, params).places:
        pick(params, path)[...] += rng.normal(0.0, 0.3, shape)
    return Case(row.layer, row.layer.fit(params, x), x, rng.uniform(-1.0, 1.0, (rows, *row.output_shape)))
