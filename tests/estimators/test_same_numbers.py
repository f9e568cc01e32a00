"""Compared with scikit-learn's networks: the same initial weights, batches and, up to rounding, losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network as theirs

import portanet
from portanet.estimators import fitting
from portanet.estimators.memory import Memory

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations", "ignore:lbfgs failed", "ignore:.*batch_size")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6))
CLASSES = (X[:, 0] + X[:, 1] ** 2 > 0.7).astype(int) + (X[:, 2] > 0.5)
TARGETS = {
    "two classes": (X[:, 0] > X[:, 1]).astype(int),
    "three classes": CLASSES,
    "text": np.array(["b", "a", "c"])[CLASSES],
    "several labels": np.stack([X[:, 0] > 0, X[:, 1] > 0.2, X[:, 2] > -0.3], axis=1).astype(int),
    "one number": X[:, 0] * 3 + X[:, 1] ** 2,
    "two numbers": np.stack([X[:, 0] * 3, X[:, 1] ** 2], axis=1),
}
WEIGHTS = RNG.uniform(0.5, 2, size=90)


def pair(name: str, **settings: Any) -> tuple[Any, Any]:
    kind = "MLPRegressor" if name.endswith(("number", "numbers")) else "MLPClassifier"
    settings = {"random_state": 3, "max_iter": 12, "hidden_layer_sizes": (9, 5), "batch_size": 32} | settings
    return getattr(theirs, kind)(**settings), getattr(portanet, kind)(**settings)


def require_same(first: Any, second: Any, rows: Any = X, tolerance: float = 1e-9) -> None:
    if hasattr(first, "loss_curve_"):
        np.testing.assert_allclose(second.loss_curve_, first.loss_curve_, rtol=tolerance)
    np.testing.assert_allclose(second.loss_, first.loss_, rtol=tolerance)
    assert (second.n_iter_, second.n_layers_, second.n_outputs_) == (first.n_iter_, first.n_layers_, first.n_outputs_)
    assert second.out_activation_ == first.out_activation_
    for one, other in zip(first.coefs_ + first.intercepts_, second.coefs_ + second.intercepts_, strict=True):
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=tolerance)
    answers, own = first.predict(rows), second.predict(rows)
    assert (own.shape, own.dtype) == (answers.shape, answers.dtype)
    if answers.dtype.kind == "f":
        np.testing.assert_allclose(own, answers, rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(own, answers)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("weighted", [False, True])
def test_default_arguments_give_the_same_numbers(name: str, weighted: bool) -> None:
    first, second = pair(name)
    weights = WEIGHTS if weighted else None
    require_same(first.fit(X, TARGETS[name], sample_weight=weights), second.fit(X, TARGETS[name], weights))
    if hasattr(first, "predict_proba"):
        np.testing.assert_allclose(second.predict_proba(X), first.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "lbfgs", "activation": "tanh"},
        {"solver": "lbfgs", "alpha": 1.0, "activation": "logistic"},
        {"solver": "sgd"},
        {"solver": "sgd", "momentum": 0.0, "learning_rate": "invscaling", "learning_rate_init": 0.1},
        {"solver": "sgd", "nesterovs_momentum": False, "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2},
        {"activation": "logistic"},
        {"activation": "identity", "beta_1": 0.5, "beta_2": 0.8, "epsilon": 1e-3},
        {"shuffle": False, "batch_size": 500},
        {"hidden_layer_sizes": (), "alpha": 0.3},
        {"hidden_layer_sizes": 4, "learning_rate_init": 0.02},
        {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 30, "validation_fraction": 0.3},
        {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 200},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["two classes", "three classes", "two numbers"])
def test_every_argument_gives_the_same_numbers(name: str, settings: dict[str, Any]) -> None:
    first, second = pair(name, **settings)
    require_same(first.fit(X, TARGETS[name]), second.fit(X, TARGETS[name]), tolerance=1e-6)
    for attribute in ("best_loss_", "validation_scores_", "best_validation_score_", "t_"):
        assert getattr(second, attribute, None) == pytest.approx(getattr(first, attribute, None))


def test_poisson_gives_the_same_numbers() -> None:
    counts = np.round(np.exp(X[:, 0]))
    first, second = pair("one number", loss="poisson")
    require_same(first.fit(X, counts), second.fit(X, counts))


def test_a_second_fit_with_another_seed_starts_from_new_weights() -> None:
    first, second = pair("three classes")
    for model in (first, second):
        model.fit(X, CLASSES).set_params(random_state=8).fit(X, CLASSES)
    require_same(first, second)


@pytest.mark.parametrize("name", ["two classes", "three classes", "one number"])
def test_partial_fit_gives_the_same_numbers(name: str) -> None:
    first, second = pair(name)
    known = {} if name == "one number" else {"classes": np.unique(TARGETS[name])}
    for part in (slice(0, 30), slice(30, 90), slice(10, 50)):
        for model in (first, second):
            model.partial_fit(X[part], TARGETS[name][part], **known)
    require_same(first, second)


def test_lbfgs_has_no_partial_fit() -> None:
    first, second = pair("three classes", solver="lbfgs")
    assert not hasattr(first, "partial_fit")
    assert not hasattr(second, "partial_fit")


def test_float32_stays_float32() -> None:
    first, second = pair("three classes")
    rows = X.astype(np.float32)
    require_same(first.fit(rows, CLASSES), second.fit(rows, CLASSES), rows, tolerance=1e-3)
    assert second.coefs_[0].dtype == second.predict_proba(rows).dtype == np.float32


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_give_the_same_numbers(form: str, solver: str) -> None:
    rows = getattr(scipy.sparse, form)(np.where(np.abs(X) > 0.8, X, 0.0))
    first, second = pair("three classes", solver=solver)
    require_same(first.fit(rows, CLASSES), second.fit(rows, CLASSES), rows)
    np.testing.assert_allclose(second.predict(rows.toarray()), second.predict(rows))


def test_a_list_and_a_frame_of_numbers_give_the_bits_of_an_array() -> None:
    pandas = pytest.importorskip("pandas")
    _, second = pair("three classes")
    expected = second.fit(X, CLASSES).predict_proba(X).tobytes()
    assert second.fit(X.tolist(), CLASSES.tolist()).predict_proba(X.tolist()).tobytes() == expected
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    assert second.fit(frame, pandas.Series(CLASSES)).predict_proba(frame).tobytes() == expected
    assert second.feature_names_in_.tolist() == list("abcdef")
    with pytest.raises(ValueError, match="must be in the same order"):
        second.predict(frame[list("fedcba")])


def test_fits_that_reuse_arrays_are_independent() -> None:
    """The second fit of equal shapes reuses the arrays of the first, and gives the bits of a separate fit."""
    _, alone = pair("three classes", random_state=5, alpha=0.5)
    expected = alone.fit(-X, CLASSES).predict_proba(X).tobytes()
    _, first = pair("three classes")
    answers = first.fit(X, CLASSES).predict_proba(X).tobytes()
    _, second = pair("three classes", random_state=5, alpha=0.5)
    assert second.fit(-X, CLASSES).predict_proba(X).tobytes() == expected
    assert first.predict_proba(X).tobytes() == answers


def test_a_failed_fit_does_not_affect_later_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cached arrays are gone; then as many shapes follow as the cache holds."""
    monkeypatch.setattr(fitting, "memory", Memory())

    class Fails(portanet.Callback):
        def log(self, row: dict[str, Any]) -> bool:
            raise OSError("no space left")

    _, model = pair("three classes", max_iter=1)
    model.fit(X, CLASSES)
    with pytest.raises(OSError, match="no space left"):
        model.set_callbacks(Fails()).fit(X, CLASSES)
    model.set_callbacks()
    for rows in range(40, 52):
        assert model.fit(X[:rows], CLASSES[:rows]).n_iter_ == 1
