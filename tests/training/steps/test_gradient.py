"""The gradient of a batch: on every array library, in shards, and with weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Host, blobs, slope, tree
from legs import Leg

from portanet.nn import Dense, Dropout, Flatten, Layer, Layout, ReLU, Rescale, Sequential, Standardize, cross_entropy
from portanet.nn.noise import Key
from portanet.optim import AdamW
from portanet.training.steps.gradient import Gradient, shard_rows
from portanet.training.steps.shards import Serial, workers
from portanet.training.steps.state import Data
from portanet.xp import namespace

MODEL = Sequential(Rescale(0.5), Standardize(), Dense(5), ReLU(), Dropout(0.3), Dense(3))
STILL = Sequential(Rescale(0.5), Standardize(), Dense(5), ReLU(), Dense(3))
"""Without noise, which differs from place to place in a batch."""

ROWS = np.asarray([7, 2, 11, 0, 5, 3, 3], np.int32)


def setting(cut: int = 100, size: int = 1, model: Layer = MODEL) -> tuple[Gradient, Any, Host, Host]:
    """The gradient function, params, rows and labels, in float64 on the host."""
    x, labels = blobs(12)
    params = model.fit(model.init(np.random.default_rng(2), (4,)), [x])
    return Gradient(model, cross_entropy, Layout.of(model, params), cut, workers(size)), params, x, labels


def weights_of(count: int = 12) -> Host:
    return np.random.default_rng(9).uniform(0.5, 2.0, count)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("rows", [None, ROWS], ids=["all rows", "some rows"])
def test_a_step_on_every_library(xp: Leg, rows: Host | None, weighted: bool) -> None:
    """Forward, loss, backward and update together, as the training loop runs them."""
    gradient, params, x, labels = setting()
    layout, weights = gradient.layout, weights_of() if weighted else None
    optimizer = AdamW()

    def step(flat: Any, buffers: Any, state: Any, data: Any, rows: Any, rate: Any) -> Any:
        batch = gradient(flat, buffers, Data(*data), rows, Key(5), measure=True)
        grads = namespace(batch.grads).asarray(batch.grads, copy=True)  # the update may write into them
        flat, state = optimizer.update(flat, batch.grads, state, learning_rate=rate)
        return batch.sums["loss"], grads, batch.sums["counted"], flat

    def run(put: Any, call: Any) -> Any:
        flat = layout.pack(tree(params, put))
        data = put(x), put(labels), None if weights is None else put(weights)
        chosen = None if rows is None else put(rows)
        state = optimizer.init(flat, decayed=layout.decayed)
        return call(step, flat, layout.buffers(tree(params, put)), state, data, chosen, 0.1)

    loss, grads, hits, flat = run(xp.put, xp.run)
    assert [xp.dtype(array) for array in (loss, grads, hits, flat)] == ["float32", "float32", "int32", "float32"]
    assert [tuple(array.shape) for array in (loss, grads, hits, flat)] == [(), (layout.size,), (), (layout.size,)]
    if xp.values:
        expected = run(np.copy, lambda function, *arguments: function(*arguments))
        for found, wide in zip((loss, grads, hits), expected, strict=False):
            np.testing.assert_allclose(xp.host(found), wide, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_equals_finite_differences(weighted: bool) -> None:
    gradient, params, x, labels = setting()
    layout = gradient.layout
    flat, buffers = layout.pack(params), layout.buffers(params)
    data = Data(x, labels, weights_of() if weighted else None)

    def loss() -> float:
        return float(gradient(flat, buffers, data, ROWS, Key(5), measure=True).sums["loss"])

    found = gradient(flat, buffers, data, ROWS, Key(5), measure=False)
    np.testing.assert_allclose(found.grads, slope(loss, flat), rtol=1e-5, atol=1e-8)
    assert found.sums == {}


def compute(
    cut: int, size: int = 1, rows: Host | None = None, weights: Host | None = None, model: Layer = MODEL
) -> tuple[Host, ...]:
    gradient, params, x, labels = setting(cut, size, model)
    flat, buffers = gradient.layout.pack(params), gradient.layout.buffers(params)
    batch = gradient(flat, buffers, Data(x, labels, weights), rows, Key(5), measure=True)
    return np.asarray(batch.sums["loss"]), batch.grads, np.asarray(batch.sums["counted"])


@pytest.mark.parametrize("rows", [None, ROWS], ids=["all rows", "some rows"])
@pytest.mark.parametrize("cut", [1, 4, 5, 6, 11])
def test_shards_add_up_to_the_whole(cut: int, rows: Host | None) -> None:
    for part, whole in zip(compute(cut, 1, rows, weights_of()), compute(100, 1, rows, weights_of()), strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_number_of_workers_changes_no_bit(size: int) -> None:
    alone, shared = compute(2, 1), compute(2, size)
    assert [array.tobytes() for array in alone] == [array.tobytes() for array in shared]


def test_a_row_without_weight_has_no_influence() -> None:
    weights = weights_of()
    weights[[1, 4]] = 0.0
    rest = np.asarray([0, 2, 3, 5, 6, 7, 8, 9, 10, 11], np.int32)
    loss, grads, _ = compute(100, weights=weights, model=STILL)
    expected = compute(100, rows=rest, weights=weights, model=STILL)
    assert loss == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(grads, expected[1], rtol=1e-10, atol=1e-14)


def test_a_weight_of_three_is_a_row_three_times() -> None:
    weights = np.ones(12)
    weights[6] = 3.0
    loss, grads, _ = compute(100, weights=weights, model=STILL)
    rows = np.asarray([*range(12), 6, 6], np.int32)
    expected = compute(100, rows=rows, model=STILL)
    assert loss == pytest.approx(expected[0], rel=1e-12)
    np.testing.assert_allclose(grads, expected[1], rtol=1e-10, atol=1e-14)


def test_the_size_of_all_weights_does_not_matter() -> None:
    for found, expected in zip(compute(100, weights=np.full(12, 7.5)), compute(100), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_a_batch_without_any_weight_moves_nothing() -> None:
    """A mini-batch may draw only rows of weight 0; its gradient is zero, and not NaN."""
    weights = np.zeros(12)
    weights[1] = 1.0
    loss, grads, _ = compute(100, rows=np.asarray([0, 2], np.int32), weights=weights)
    assert loss == 0.0
    assert not grads.any()


class Meeting(Layer):
    """Rows that meet: each value minus the batch's mean."""

    @property
    def rowwise(self) -> bool:
        return False

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        return x - x.mean(axis=0), None

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return dy - dy.mean(axis=0), {}


@pytest.mark.parametrize(
    ("model", "shape", "batch", "rows"),
    [
        # about 13 million multiplications make a shard: 784 * 16 + 16 * 10 = 12,704 a row, 1,024 rows at most
        (Sequential(Flatten(), Dense(16), ReLU(), Dense(10)), (1, 28, 28), 42_000, 960),
        (Sequential(Flatten(), Dense(16), ReLU(), Dense(10)), (1, 28, 28), 4096, 1024),
        (Sequential(Flatten(), Dense(16), ReLU(), Dense(10)), (1, 28, 28), 4095, 4095),
        (Sequential(Flatten(), Dense(16), ReLU(), Dense(10)), (1, 28, 28), 100, 100),
        (Sequential(Flatten(), Dense(256), Dense(128), Dense(10)), (784,), 128, 128),
        (Sequential(Flatten(), Dense(256), Dense(128), Dense(10)), (784,), 256, 64),
        (Dense(26_000_000), (1,), 128, 32),
        (Dense(203_125), (1,), 600, 56),
        (Dense(203_124), (1,), 600, 80),
        (ReLU(), (5,), 64, 64),
        (Sequential(Dense(26_000_000), Meeting()), (1,), 64, 64),
    ],
)
def test_shard_rows(model: Layer, shape: tuple[int, ...], batch: int, rows: int) -> None:
    assert shard_rows(model, shape, batch) == rows


def test_a_model_that_is_not_rowwise_is_not_cut() -> None:
    model = Sequential(Meeting(), Dense(3))
    x, labels = blobs(12)
    params = model.init(np.random.default_rng(2), (4,))
    layout = Layout.of(model, params)
    gradient = Gradient(model, cross_entropy, layout, shard_rows(model, (4,), 12), Serial())
    flat = layout.pack(params)
    found = gradient(flat, {}, Data(x, labels), None, Key(5), measure=False)
    expected = slope(lambda: float(gradient(flat, {}, Data(x, labels), None, Key(5), measure=True).sums["loss"]), flat)
    np.testing.assert_allclose(found.grads, expected, rtol=1e-5, atol=1e-8)
