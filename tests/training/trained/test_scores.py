"""Every metric of a task, what is watched by name, and what always answering alike comes to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import EarlyStopping, KeepBest
from portanet.backends import Backend
from portanet.errors import ConfigError
from portanet.nn import BinaryCrossEntropy, Dense, Sequential
from portanet.training.inputs.tasks import Classify, Multilabel, Regress
from portanet.training.trained.scores import Answers, baseline, metric_named, scores

X, LABELS = blobs(90)
RNG = np.random.default_rng(5)
TARGETS = 1e4 + 50.0 * X @ RNG.normal(size=(X.shape[1], 2)) + RNG.normal(size=(90, 2))


def sklearn() -> Any:
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: these tests compare with it")


def fitted(labels: Any = LABELS, outputs: int = 3, **settings: Any) -> portanet.TrainedModel:
    return portanet.fit(Sequential(Dense(outputs)), X, labels, **{"epochs": 3, "batch_size": 30} | settings)


def test_evaluate_of_classes(backend: Backend) -> None:
    run = fitted(backend=backend)
    found, p, of = run.evaluate(X, LABELS), run.probabilities(X), sklearn()
    predicted = p.argmax(axis=1)
    expected = {
        "accuracy": of.accuracy_score(LABELS, predicted),
        "balanced_accuracy": of.balanced_accuracy_score(LABELS, predicted),
        "f1": of.f1_score(LABELS, predicted, average="macro"),
        "roc_auc": of.roc_auc_score(LABELS, p, multi_class="ovr"),
        "average_precision": of.average_precision_score(np.eye(3)[LABELS], p),
        "log_loss": of.log_loss(LABELS, p / p.sum(axis=1, keepdims=True)),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert set(found) == {*expected, "loss", "samples"}


def test_evaluate_of_numbers_is_in_their_unit() -> None:
    targets = TARGETS[:, 0]
    run, of = fitted(targets, 1, task="regress"), sklearn()
    found, predicted = run.evaluate(X, targets), run.predict(X)
    expected = {
        "r2": of.r2_score(targets, predicted),
        "rmse": of.root_mean_squared_error(targets, predicted),
        "mae": of.mean_absolute_error(targets, predicted),
        "median_error": of.median_absolute_error(targets, predicted),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_what_rows_do_not_define_is_left_out() -> None:
    run = fitted()
    assert set(run.evaluate(X[LABELS == 1], LABELS[LABELS == 1])) & {"roc_auc", "log_loss"} == {"log_loss"}
    shares = np.eye(3)[LABELS]
    assert set(run.evaluate(X, shares)) == {"accuracy", "loss", "samples"}
    several = fitted(shares, loss=BinaryCrossEntropy()).evaluate(X, shares)
    assert set(several) == {"accuracy", "loss", "samples", "roc_auc", "average_precision", "targets"}
    assert all(set(own) == {"accuracy", "roc_auc", "average_precision"} for own in several["targets"].values())
    answers = Answers(Classify(), np.eye(2)[[0, 0]], np.zeros(2, np.int32))
    assert np.isnan(scores(answers, ["roc_auc"])["roc_auc"])


@pytest.mark.parametrize(
    ("metric", "best"), [("roc_auc", max), ("log_loss", min), ("balanced_accuracy", max), ("loss", min)]
)
def test_the_best_epoch_is_that_of_the_metric(metric: str, best: Any) -> None:
    """Of a run that gets worse again, since its rate is far too large."""
    labels = np.where(np.random.default_rng(2).uniform(size=90) < 0.4, 0, LABELS)
    settings: dict[str, Any] = {"valid": 0.3, "metric": metric, "optimizer": portanet.optim.SGD(8.0), "batch_size": 7}
    run = fitted(labels, epochs=12, **settings)
    values = [row[f"valid_{metric}"] for row in run.history]
    assert run.spec.callbacks == (KeepBest(f"valid_{metric}"),)
    assert values[-1] != best(values)
    epochs = 12 - values[::-1].index(best(values))
    assert np.array_equal(run.outputs(X), fitted(labels, epochs=epochs, **settings).outputs(X))


def test_early_stopping_watches_the_metric_in_its_direction() -> None:
    for callbacks, settings in (
        ([EarlyStopping(patience=2)], {"metric": "mae"}),
        ([EarlyStopping("valid_mae", patience=2)], {}),
    ):
        run = fitted(TARGETS[:, 0], 1, task="regress", valid=0.2, callbacks=callbacks, epochs=40,
                     optimizer=portanet.optim.SGD(0.9), **settings)  # fmt: skip
        values = [row["valid_mae"] for row in run.history]
        assert len(values) - 1 - int(np.argmin(values)) in (0, 2)
        assert run.spec.callbacks == (EarlyStopping("valid_mae", patience=2),)


def test_metrics_that_cannot_be_watched() -> None:
    with pytest.raises(ConfigError, match=r"balanced_accuracy, f1, roc_auc, .*got 'auc'; write metric='roc_auc'"):
        metric_named("auc", Classify())
    with pytest.raises(ConfigError, match="r2, rmse, mae, median_error, loss, got 'roc_auc'"):
        fitted(TARGETS, 2, task="regress", valid=0.2, metric="roc_auc")
    with pytest.raises(ConfigError, match=r"'valid_f1'.* valid=0\.1"):
        fitted(metric="f1")
    assert metric_named("roc_auc", Multilabel()).higher_is_better


def test_baselines() -> None:
    classes = baseline(Classify(), np.asarray([0, 1, 1, 2]), np.asarray([1, 0, 2, 1]))
    assert classes == {"accuracy": 0.5}
    training, targets = TARGETS[:60], TARGETS[60:]
    found = baseline(Regress(), training, targets)
    mean = np.broadcast_to(training.mean(axis=0), targets.shape)
    assert found["r2"] == pytest.approx(sklearn().r2_score(targets, mean))
    assert "rmse" not in found  # of two targets, in two units
    one = baseline(Regress(), training[:, 0], targets[:, 0])
    assert one["rmse"] == pytest.approx(sklearn().root_mean_squared_error(targets[:, 0], mean[:, 0]))
