"""A model as a table: parameters and multiply-accumulates by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from portanet.nn import (
    BatchNorm,
    Conv2D,
    Dense,
    Flatten,
    Frozen,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Standardize,
)
from portanet.training.trained.summary import layers, table


def rows_of(model: Layer, shape: tuple[int, ...]) -> list[tuple[Any, ...]]:
    found = layers(model, model.init(np.random.default_rng(0), shape), shape)
    assert [set(row) for row in found] == [{"name", "layer", "output_shape", "parameters", "macs"}] * len(found)
    return [(r["name"], r["layer"], r["output_shape"], r["parameters"], r["macs"]) for r in found]


def test_an_image_net() -> None:
    model = Sequential(Standardize("all"), Conv2D(4, 3), BatchNorm(), ReLU(), MaxPool2D(), Flatten(), Dense(5))
    assert rows_of(model, (2, 8, 10)) == [
        ("0", "Standardize(axis='all')", [2, 8, 10], 0, 0),
        ("1", "Conv2D(filters=4, kernel_size=3)", [4, 6, 8], 4 * 2 * 3 * 3 + 4, 4 * 2 * 3 * 3 * 6 * 8),
        ("2", "BatchNorm()", [4, 6, 8], 4 + 4, 0),  # scale and shift; the running mean and variance are not trained
        ("3", "ReLU()", [4, 6, 8], 0, 0),
        ("4", "MaxPool2D()", [4, 3, 4], 0, 0),
        ("5", "Flatten()", [48], 0, 0),
        ("6", "Dense(units=5)", [5], 48 * 5 + 5, 48 * 5),
    ]


def test_containers_within_each_other() -> None:
    model = Sequential(
        Sequential(Dense(4), Sequential(ReLU(), Dense(6))), Residual(Dense(6), Residual(Dense(6)), ReLU()), Dense(2)
    )
    assert rows_of(model, (3,)) == [
        ("0.0", "Dense(units=4)", [4], 16, 12),
        ("0.1.0", "ReLU()", [4], 0, 0),
        ("0.1.1", "Dense(units=6)", [6], 30, 24),
        ("1", "Residual", [6], 0, 0),
        ("1.0", "Dense(units=6)", [6], 42, 36),
        ("1.1", "Residual", [6], 0, 0),
        ("1.1.0", "Dense(units=6)", [6], 42, 36),
        ("1.2", "ReLU()", [6], 0, 0),
        ("2", "Dense(units=2)", [2], 14, 12),
    ]


def test_frozen_layers_compute_and_learn_nothing() -> None:
    model = Sequential(Frozen(Dense(4)), Frozen(Sequential(Dense(5), ReLU())), Dense(2))
    assert rows_of(model, (3,)) == [
        ("0", "Frozen(Dense(units=4))", [4], 0, 12),
        ("1", "Frozen(Sequential(Dense(units=5), ReLU()))", [5], 0, 20),
        ("2", "Dense(units=2)", [2], 12, 10),
    ]


def test_a_single_layer_has_no_name() -> None:
    assert rows_of(Dense(4), (3,)) == [("", "Dense(units=4)", [4], 16, 12)]


@dataclass(frozen=True, repr=False)
class Beside(Layer):
    """A container of one's own: the layers under names of their own, and an array."""

    units: int
    trainable_names = ("scale",)

    @property
    def children(self) -> dict[str, Layer]:
        return {"left": Dense(self.units), "right": Dense(self.units)}

    def init(self, rng: Any, input_shape: Any) -> Any:
        return {"scale": np.ones(())} | {name: child.init(rng, input_shape) for name, child in self.children.items()}

    def output_shape(self, input_shape: Any) -> Any:
        return (self.units,)

    def macs(self, input_shape: Any) -> int:
        return sum(child.macs(input_shape) for child in self.children.values())


def test_a_container_of_ones_own_counts_its_own_arrays_only() -> None:
    assert rows_of(Sequential(Beside(4), Dense(2)), (3,)) == [
        ("0", "Beside", [4], 1, 0),
        ("0.left", "Dense(units=4)", [4], 16, 12),
        ("0.right", "Dense(units=4)", [4], 16, 12),
        ("1", "Dense(units=2)", [2], 10, 8),
    ]


@pytest.mark.parametrize("units", [2, 20_000])
def test_the_columns_stand_under_each_other(units: int) -> None:
    model = Sequential(Dense(units), Residual(ReLU()), Dense(3))
    text = table(model, model.init(np.random.default_rng(0), (3,)), (3,)).splitlines()
    assert len({len(line) for line in text}) == 1
    assert text[0].split() == ["layer", "output", "parameters", "MACs"]
    total = (3 * units + units) + (units * 3 + 3)
    assert text[-1].split() == ["all", f"{total:,}", f"{6 * units:,}"]
    ends = [line.rindex(line.split()[-2]) + len(line.split()[-2]) for line in (text[0], text[1], text[-1])]
    assert len(set(ends)) == 1
