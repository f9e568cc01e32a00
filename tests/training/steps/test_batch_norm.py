"""Batch statistics in whole trainings: the same on every backend, with any number of workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import assert_close, blobs, equal, tree

import portanet
from portanet._tree import tree_get
from portanet.backends import Backend
from portanet.nn import BatchNorm, Conv2D, Dense, Flatten, LayerNorm, ReLU, Residual, Sequential, Standardize
from portanet.optim import EMA, SGD, ClipByGlobalNorm
from portanet.training.steps.gradient import shard_rows

TABLE = Sequential(Dense(6), BatchNorm(), ReLU(), Residual(LayerNorm(), Dense(6), BatchNorm(momentum=0.3)), Dense(3))
IMAGES = Sequential(Conv2D(3, 2), BatchNorm(), ReLU(), Flatten(), Dense(3))

every_net = pytest.mark.parametrize(
    ("model", "shape", "running"),
    [(TABLE, (4,), [("1",), ("3", "2")]), (IMAGES, (1, 4, 4), [("1",)])],
    ids=["table", "images"],
)


def trained(model: Sequential, shape: tuple[int, ...], **settings: Any) -> portanet.TrainedModel:
    """70 rows in batches of 32, 32 and 6."""
    x, labels = blobs(70, columns=int(np.prod(shape)))
    usual = {"epochs": 2, "batch_size": 32, "optimizer": SGD(0.05, momentum=0.9)}
    return portanet.fit(model, x.reshape(-1, *shape), labels, **usual | {"dtype": "float64"} | settings)


@every_net
def test_every_backend_trains_the_same_way(
    model: Sequential, shape: tuple[int, ...], running: Any, backend: Backend
) -> None:
    """SGD, because a bias before BatchNorm has no gradient but rounding, which Adam would make into whole steps."""
    run, expected = trained(model, shape, backend=backend), trained(model, shape, backend="numpy")
    found = tree(run.params, backend.to_numpy)
    assert_close(found, expected.params, rtol=1e-8, atol=1e-10)
    for path in running:  # they have left where they started
        own = tree_get(found, path)
        assert min(np.abs(own["mean"]).min(), np.abs(own["variance"] - 1.0).min()) > 1e-6
    assert run.history[-1]["loss"] == pytest.approx(expected.history[-1]["loss"], rel=1e-8)
    assert run.history[-1]["loss"] < run.history[0]["loss"]


@every_net
def test_the_number_of_workers_changes_no_bit(model: Sequential, shape: tuple[int, ...], running: Any) -> None:
    alone, shared = (trained(model, shape, dtype="float32", workers=workers) for workers in (1, 4))
    assert equal(alone.params, shared.params)


def test_a_batch_with_statistics_is_never_cut() -> None:
    wide = Sequential(Dense(3_000_000), LayerNorm(), Dense(3))
    assert shard_rows(wide, (4,), 256) < 256
    assert shard_rows(Sequential(*wide.layers, BatchNorm()), (4,), 256) == 256
    assert shard_rows(Sequential(*wide.layers, BatchNorm()).freeze("3"), (4,), 256) < 256


def test_a_last_batch_of_one_row_is_no_reason_to_stop(backend: Backend) -> None:
    run = trained(TABLE, (4,), batch_size=23, backend=backend)  # 23, 23, 23 and 1
    assert np.isfinite([row["loss"] for row in run.history]).all()
    assert np.isfinite(run.evaluate(*blobs(70))["loss"])


PARTS, STATISTIC = ("mean", "variance"), {"mean": "mean", "deviation": "std"}


@pytest.mark.parametrize("wrapped", [False, True])
def test_averaged_weights_have_averaged_running_values(wrapped: bool, backend: Backend) -> None:
    """By the rule of the average in float64, from the buffers after each step of the same training without it."""
    x, labels = blobs(60)
    model, decay = Sequential(Standardize(), Dense(8), BatchNorm(), ReLU(), Dense(3)), 0.6
    kept: list[dict[str, Any]] = []

    class Keep(portanet.Callback):
        def begin(self, run: portanet.TrainedModel, steps: int) -> None:
            self.run = run
            self.log({})

        def log(self, row: dict[str, Any]) -> None:
            kept.append({name: np.asarray(backend.to_numpy(self.run.params["2"][name])) for name in PARTS})

    settings: dict[str, Any] = {"epochs": 12, "batch_size": "full", "backend": backend, "dtype": "float64"}
    portanet.fit(model, x, labels, optimizer=SGD(0.2), callbacks=[Keep()], **settings)
    ema = EMA(SGD(0.2), decay)
    run = portanet.fit(model, x, labels, optimizer=ClipByGlobalNorm(ema, 1e9) if wrapped else ema, **settings)
    for name in PARTS:
        average = kept[0][name]
        for step, buffers in enumerate(kept[1:]):
            share = max(9 / (10 + step), 1 - decay)
            average = (1 - share) * average + share * buffers[name]
        np.testing.assert_allclose(backend.to_numpy(run.params["2"][name]), average, rtol=1e-9)
    for name, statistic in STATISTIC.items():
        np.testing.assert_allclose(backend.to_numpy(run.params["0"][name]), getattr(x, statistic)(axis=0), rtol=1e-12)
