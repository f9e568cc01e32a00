"""Losses that fit the targets work; others are refused with a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import MLPClassifier, MLPRegressor, fit, nn
from portanet.errors import ConfigError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
TWO = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
THREE = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
SEVERAL = np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int)
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (8,), "max_iter": 40, "learning_rate_init": 0.05, "random_state": 0}


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", nn.CrossEntropy(label_smoothing=0.1)])
@pytest.mark.parametrize("incremental", [False, True])
def test_a_classification_loss_has_two_outputs_for_two_classes(loss: Any, incremental: bool) -> None:
    model = MLPClassifier(**SETTINGS, loss=loss)
    if incremental:
        for _ in range(40):
            model.partial_fit(X, TWO, classes=["no", "yes"])
    else:
        model.fit(X, TWO)
    assert model.predict_proba(X).shape == (60, model.n_outputs_) == (60, 2)
    assert model.score(X, TWO) > 0.9


def test_a_file_keeps_two_outputs(tmp_path: Path) -> None:
    model = MLPClassifier(**SETTINGS, loss=nn.CrossEntropy(label_smoothing=0.1)).fit(X, TWO)
    loaded = MLPClassifier.load(model.save(tmp_path / "model.safetensors"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.fit(X, TWO).predict_proba(X), model.predict_proba(X))


def test_a_warm_start_keeps_the_outputs() -> None:
    model = MLPClassifier(**SETTINGS, warm_start=True).fit(X, TWO)
    with pytest.raises(ConfigError, match="warm_start=False"):
        model.set_params(loss="cross_entropy").fit(X, TWO)


def test_two_outputs_give_the_loss_of_one() -> None:
    model = MLPClassifier(**SETTINGS, alpha=0.0, loss="cross_entropy").fit(X, TWO, X_val=X, y_val=TWO)
    chance = model.predict_proba(X)[np.arange(60), (TWO == "yes").astype(int)]
    assert model.validation_loss_curve_[-1] == pytest.approx(-np.log(chance).mean())


@pytest.mark.parametrize(
    ("y", "loss", "problem"),
    [
        (TWO, "mse", "log_loss"),
        (TWO, nn.Quantile((0.9,)), "for numbers"),
        (THREE, "binary_cross_entropy", "one of 3 classes"),
        (SEVERAL, "cross_entropy", "binary_cross_entropy"),
    ],
    ids=str,
)
def test_a_classifier_refuses_a_loss_that_does_not_fit(y: Any, loss: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        MLPClassifier(**SETTINGS, loss=loss).fit(X, y)


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        ("log_loss", "squared_error"),
        ("hinge", "for classes"),
        ("quantile", r"alpha is the L2 penalty.*Quantile\(\(0\.9,\)\)"),
        (nn.Quantile((0.1, 0.5, 0.9)), r"intervals=0\.9"),
    ],
)
def test_a_regressor_refuses_a_loss_that_does_not_fit(loss: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        MLPRegressor(**SETTINGS, loss=loss).fit(X, X[:, 0])


def test_a_model_of_quantiles_is_not_an_estimator() -> None:
    run = fit(nn.Sequential(nn.Dense(3)), X, X[:, 0], loss=nn.Quantile(), epochs=1)
    with pytest.raises(ModelError, match="intervals"):
        run.as_estimator()
