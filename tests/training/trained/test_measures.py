"""What is measured is what other libraries and float64 say: losses under weights, and R2 of any size of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import metrics
from portanet.backends import Backend
from portanet.errors import DataError
from portanet.nn import CrossEntropy, Dense, Hinge, Sequential, huber, mean_absolute_error, mean_squared_error
from portanet.nn.losses import binary_cross_entropy, poisson
from portanet.optim import SGD

X, LABELS = blobs(100)
SMOOTHINGS, WEIGHTS = (0.0, 0.1), ((1e-3, 1.0, 1.0), (0.0, 1.0, 3.0), (1e-50, 2e-50, 1e-50), (1e39, 2e39, 0.0))
STILL = SGD(1e-44)  # so that the weights that the loss of the last epoch is measured with are those after it


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("class_weight", WEIGHTS)
def test_every_loss_under_class_weights_is_that_of_torch(
    smoothing: float, class_weight: tuple[float, ...], backend: Backend, torch: Any
) -> None:
    """In the history, for training and held-out rows, and from evaluate; the labels do not hold every class."""
    labels, held_out = LABELS % 2 if class_weight[0] == 1e-3 else LABELS, blobs(40, seed=8)
    settings: dict[str, Any] = {"epochs": 1, "batch_size": 30, "optimizer": STILL, "valid": held_out}
    run = portanet.fit(
        Sequential(Dense(3)),
        X,
        labels,
        loss=CrossEntropy(label_smoothing=smoothing, class_weight=class_weight),
        backend=backend,
        **settings,
    )

    def expected(x: Any, y: Any) -> float:
        ratios = torch.tensor(np.asarray(class_weight) / max(class_weight))
        logits = torch.tensor(np.asarray(run.outputs(x), np.float64))
        weights = ratios[torch.tensor(y.astype(np.int64))]  # torch smooths rows of weight 0 too
        counted = weights > 0
        of_torch = torch.nn.functional.cross_entropy
        y = torch.tensor(y.astype(np.int64))[counted]
        return float(of_torch(logits[counted], y, weight=ratios, label_smoothing=smoothing))

    [row] = run.history
    assert row["loss"] == pytest.approx(expected(X, labels), rel=1e-5)
    assert row["valid_loss"] == pytest.approx(expected(*held_out), rel=1e-5)
    assert run.evaluate(X, labels)["loss"] == pytest.approx(row["loss"], rel=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_by_sample_weights(backend: Backend) -> None:
    """Also where the batches have different weights: 30, 30, 30 and 10 rows, in an order of their own."""
    weights = np.random.default_rng(4).uniform(0.0, 5.0, 100) ** 3
    run = portanet.fit(
        Sequential(Dense(3)), X, LABELS, sample_weight=weights, epochs=1, batch_size=30, optimizer=STILL,
        backend=backend,
    )  # fmt: skip
    z = run.outputs(X).astype(np.float64)
    nll = np.log(np.exp(z).sum(axis=1)) - z[np.arange(100), LABELS]
    assert run.history[0]["loss"] == pytest.approx(np.average(nll, weights=weights), rel=1e-5)


@pytest.mark.parametrize("size", [1e-300, 1e-50, 1e38, 1e300])
def test_only_ratios_of_sample_weights_count(size: float, backend: Backend) -> None:
    weights, settings = np.arange(100.0), {"epochs": 2, "batch_size": 30, "backend": backend}
    usual = portanet.fit(Sequential(Dense(3)), X, LABELS, sample_weight=weights, **settings)
    other = portanet.fit(Sequential(Dense(3)), X, LABELS, sample_weight=weights * size, **settings)
    assert other.history[-1]["loss"] == pytest.approx(usual.history[-1]["loss"], rel=1e-5)
    np.testing.assert_allclose(other.outputs(X), usual.outputs(X), rtol=1e-4, atol=1e-5)


ONE_HOT = np.eye(3)[[0, 1, 2]]


def test_hinge_takes_no_one_hot_labels() -> None:
    """With as many rows as classes the shapes would fit, and mean something else."""
    with pytest.raises(DataError, match=r"Hinge takes labels of shape \(3,\) .* got \(3, 3\)"):
        portanet.fit(Sequential(Dense(3)), X[:3], ONE_HOT, loss=Hinge(), epochs=1)
    run = portanet.fit(Sequential(Dense(3)), X[:3], [0, 1, 2], loss=Hinge(), epochs=1)
    with pytest.raises(DataError, match="Hinge"):
        run.evaluate(X[:3], ONE_HOT)


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (Hinge(), ONE_HOT),
        (CrossEntropy(), np.zeros((3, 1))),
        (binary_cross_entropy, np.zeros(3)),
        (mean_squared_error, np.zeros(3)),
        (mean_absolute_error, np.zeros((1, 3))),
        (huber, np.zeros((3, 1))),
        (poisson, np.zeros(3)),
    ],
    ids=str,
)
def test_labels_are_not_stretched_to_fit(loss: Any, labels: Any) -> None:
    with pytest.raises(DataError, match=rf"{type(loss).__name__} takes labels of shape .*\(3,"):
        loss(np.zeros((3, 3)), labels, np.full(3, 1 / 3))


SIZES = [1e-23, 1e-19, 1.0, 3e19, 1e20, 1e30]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("loss", [mean_absolute_error, huber], ids=str)
def test_r2_of_numbers_of_any_size(size: float, loss: Any, backend: Backend) -> None:
    """As scikit-learn's r2_score has it in float64, in the history and from evaluate."""
    metrics_of = pytest.importorskip("sklearn.metrics")
    targets = (X @ np.asarray([1.0, -2.0, 0.5, 3.0]) + 1.0) * size
    model, kept = Sequential(Dense(1)), {"epochs": 1, "batch_size": 30, "optimizer": STILL, "backend": backend}
    run = portanet.fit(model, X, targets, loss=loss, **kept)
    expected = metrics_of.r2_score(targets / size, run.predict(X) / size)
    assert run.evaluate(X, targets)["r2"] == pytest.approx(expected, rel=1e-4)
    assert run.history[-1]["r2"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_r2_of_arrays_of_any_size(size: float, xp: Any) -> None:
    metrics_of = pytest.importorskip("sklearn.metrics")
    targets = (X[:, :2] * size).astype(np.float32)
    found = xp.run(metrics.r2, xp.put(targets * np.float32(0.9)), xp.put(targets))
    if xp.values:
        expected = metrics_of.r2_score(targets.astype(np.float64), (targets * np.float32(0.9)).astype(np.float64))
        assert float(xp.host(found)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("value", [0.1, 1e20, 0.0, 12345.678])
def test_r2_of_constant_targets_is_0_or_1(value: float, backend: Backend) -> None:
    targets, model = np.full(100, value), Sequential(Dense(1))
    run = portanet.fit(model, X, targets, loss=huber, epochs=1, batch_size=30, optimizer=STILL, backend=backend)
    assert run.history[-1]["r2"] == run.evaluate(X, targets)["r2"] == 0.0
    zeros = {"0": {"weight": np.zeros((4, 1)), "bias": np.zeros(1)}}  # the mean, whatever the row
    run = portanet.fit(model, X, targets, params=zeros, loss=huber, epochs=1, batch_size=30, backend=backend)
    assert run.history[-1]["r2"] == run.evaluate(X, targets)["r2"] == 1.0
    assert np.array_equal(run.predict(X), targets)


def test_the_loss_of_many_blocks_is_added_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portanet.training.trained.outputs.block_rows", lambda *_: 1)
    x, labels = np.tile(X[:, :1], (500, 1)).astype(np.float32), np.tile(LABELS, 500)
    run = portanet.fit(Sequential(Dense(3)), X[:, :1], LABELS, epochs=1)
    z = run.outputs(x).astype(np.float64)
    nll = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]
    assert run.evaluate(x, labels)["loss"] == pytest.approx(math.fsum(nll) / len(z), rel=2e-8)
