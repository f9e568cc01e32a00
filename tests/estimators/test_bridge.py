"""Estimators in files, estimators as models, and models as estimators."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

import portanet
from portanet import MLPClassifier, MLPRegressor, fit, nn
from portanet.errors import CheckpointError, ModelError

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations")

RNG = np.random.default_rng(1)
X = RNG.normal(size=(60, 4))
CODES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
TARGETS: dict[str, Any] = {
    "two": np.array(["no", "yes"])[(CODES > 0).astype(int)],
    "truth": CODES > 0,
    "three": CODES,
    "several": np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1).astype(int),
    "number": X[:, 0] * 3 + 100,
    "numbers": X[:, :2] * 3,
    "count": np.round(np.exp(X[:, 0])),
}


def fitted(name: str, **settings: Any) -> Any:
    settings = {"max_iter": 4, "random_state": 0, "hidden_layer_sizes": (5,)} | settings
    kind = MLPRegressor if name in ("number", "numbers", "count") else MLPClassifier
    return kind(**settings, **({"loss": "poisson"} if name == "count" else {})).fit(X, TARGETS[name])


@pytest.mark.parametrize("name", TARGETS)
def test_a_file_restores_the_estimator(name: str, tmp_path: Path) -> None:
    model = fitted(name, early_stopping=name == "three")
    loaded = type(model).load(model.save(tmp_path / "model.safetensors"))
    assert loaded.get_params() == model.get_params()
    for one, other in zip(model.coefs_ + model.intercepts_, loaded.coefs_ + loaded.intercepts_, strict=True):
        np.testing.assert_array_equal(one, other)
    answers = model.predict(X)
    np.testing.assert_array_equal(loaded.predict(X), answers)
    assert loaded.predict(X).dtype == answers.dtype
    assert (loaded.loss_curve_, loaded.n_iter_, loaded.validation_scores_) == (
        model.loss_curve_, model.n_iter_, model.validation_scores_,
    )  # fmt: skip
    if hasattr(model, "predict_proba"):
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    loaded.fit(X, TARGETS[name])
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("name", TARGETS)
def test_the_network_alone_gives_the_same_predictions(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    run = portanet.load(model.save(tmp_path / "model.safetensors"))
    if name in ("number", "numbers", "count"):
        np.testing.assert_allclose(run.predict(X), model.predict(X), rtol=1e-12)
    else:
        np.testing.assert_array_equal(run.predict(X), model.predict(X))
        np.testing.assert_allclose(run.probabilities(X), model.predict_proba(X), rtol=1e-12, atol=1e-12)


def test_a_file_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    path = fitted("three").save(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"MLPClassifier\.load"):
        MLPRegressor.load(path)


@pytest.mark.parametrize("name", ["two", "number"])
def test_copies_keep_everything(name: str) -> None:
    model = fitted(name)
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.predict(X), model.predict(X))
        copied.partial_fit(X, TARGETS[name])
    other = clone(model)
    assert not hasattr(other, "coefs_")
    assert other.get_params() == model.get_params()


def test_joblib_restores_the_estimator(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    model = fitted("three")
    joblib.dump(model, tmp_path / "model.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "model.joblib").predict(X), model.predict(X))


def test_a_backend_survives_a_pickle(backend: portanet.Backend) -> None:
    model = fitted("three", backend=backend.name, dtype="float32")
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict(X), model.predict(X))
    assert (copied._backend.name, copied._backend.device) == (model._backend.name, model._backend.device)


@pytest.mark.parametrize("name", ["two", "three", "number", "numbers", "count"])
def test_a_trained_model_is_an_estimator(name: str) -> None:
    """With standardised rows and targets, and numbers that float32 would merge; the estimator uses original units."""
    y = TARGETS[name]
    rows = X + np.array([0, 2e7, 0, 0])
    task = {"number": "regress", "numbers": "regress", "count": "count"}.get(name, "classify")
    outputs = {"two": 2, "three": 3, "numbers": 2}.get(name, 1)
    model = nn.Sequential(nn.Standardize("feature"), nn.Dense(6), nn.ReLU(), nn.Dense(outputs))
    run = fit(model, rows, y, task=task, epochs=3)
    estimator = run.as_estimator()
    assert estimator.n_features_in_ == 4
    if task == "classify":
        np.testing.assert_array_equal(estimator.predict(rows), run.predict(rows))
        np.testing.assert_allclose(estimator.predict_proba(rows), run.probabilities(rows), rtol=1e-5)
    else:
        np.testing.assert_allclose(estimator.predict(rows), run.predict(rows), rtol=1e-4, atol=1e-4)
    assert estimator.score(rows, y) < 1.01


def test_images_are_rows_of_pixels() -> None:
    images = RNG.integers(0, 256, size=(20, 1, 4, 4)).astype(np.uint8)
    run = fit(nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(2)), images, [0, 1] * 10, epochs=2)
    answers = run.as_estimator().predict(images.reshape(20, 16))
    np.testing.assert_array_equal(answers, run.predict(images))


def test_a_model_that_does_not_end_in_dense_is_refused() -> None:
    run = fit(nn.Sequential(nn.Dense(1), nn.Softplus()), X, np.abs(X[:, 0]), loss="mse", epochs=1)
    with pytest.raises(ModelError, match="ends in Dense"):
        run.as_estimator()
