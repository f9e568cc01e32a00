"""Arrays of other libraries stay on their device, and processes share the cores."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._array_api import get_namespace

import portanet
from portanet import MLPClassifier, MLPRegressor, _machine, backends
from portanet.backends import choose

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
CODES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0}


@pytest.fixture
def dispatch(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    try:
        with sklearn.config_context(array_api_dispatch=True):
            yield
    except RuntimeError as error:  # SciPy reads the variable when it is imported
        pytest.skip(str(error))


@pytest.mark.parametrize("labels", ["two", "three", "several", "text"])
def test_a_classifier_predicts_in_the_library_of_its_rows(
    backend: portanet.Backend, dispatch: None, labels: str
) -> None:
    y: Any = {"two": CODES > 0, "three": CODES, "text": np.array(["a", "b", "c"])[CODES]}.get(labels)
    y = np.stack([CODES > 0, CODES > 1], axis=1).astype(int) if y is None else y
    rows = backend.put(X)
    targets = y if labels == "text" else backend.put(y.astype(np.int32))
    model = MLPClassifier(**SETTINGS, early_stopping=True).fit(rows, targets)
    usual = MLPClassifier(**SETTINGS, early_stopping=True).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_, usual.loss_curve_, rtol=1e-4)
    probabilities = model.predict_proba(rows)
    assert backends.name_of(probabilities) == backends.name_of(model.coefs_[0]) == backend.name
    np.testing.assert_allclose(backend.to_numpy(probabilities), usual.predict_proba(X), rtol=1e-3, atol=1e-5)
    answers = model.predict(rows)
    assert isinstance(answers, np.ndarray) or labels != "text"
    np.testing.assert_array_equal(answers if labels == "text" else backend.to_numpy(answers), usual.predict(X))


def test_a_regressor_predicts_in_the_library_of_its_rows(backend: portanet.Backend, dispatch: None) -> None:
    rows, y = backend.put(X), X[:, :2] * 2
    model = MLPRegressor(**SETTINGS).fit(rows, backend.put(y), sample_weight=backend.put(np.ones(60, np.float32)))
    answers = model.predict(rows)
    assert get_namespace(answers)[0] is get_namespace(rows)[0]
    usual = MLPRegressor(**SETTINGS).fit(X, y).predict(X)
    np.testing.assert_allclose(backend.to_numpy(answers), usual, rtol=1e-3, atol=1e-4)


def test_a_pipeline_stays_in_the_library_of_its_rows(dispatch: None) -> None:
    torch = pytest.importorskip("torch")
    rows, y = torch.asarray(X), torch.asarray(CODES)
    pipe = make_pipeline(StandardScaler(), MLPClassifier(**SETTINGS)).fit(rows, y)
    assert isinstance(pipe.predict(rows), torch.Tensor)
    assert 0 < pipe.score(rows, y) <= 1


def test_a_search_in_processes_gives_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    scores = cross_val_score(MLPClassifier(**SETTINGS), X, CODES, cv=2, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(MLPClassifier(**SETTINGS), X, CODES, cv=2))
    taken = joblib.Parallel(n_jobs=2)(joblib.delayed(choose("numpy").threads)() for _ in range(2))  # of the same pool
    assert taken == [max(1, joblib.cpu_count() // 2)] * 2


@pytest.mark.parametrize(("processes", "share"), [(2, 4), (3, 2), (8, 1), (20, 1)])
def test_a_process_takes_its_share_of_the_cores(
    monkeypatch: pytest.MonkeyPatch, processes: int, share: int
) -> None:  # fmt: skip
    """joblib gives each of its processes a number of threads in OMP_NUM_THREADS; here of eight cores."""
    monkeypatch.setattr("joblib._parallel_backends.cpu_count", lambda: 8)
    monkeypatch.setattr(_machine, "cores", lambda: 8)
    monkeypatch.setattr("portanet._cgroup.cpu_quota", lambda: None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    variables = joblib.parallel.LokyBackend()._prepare_worker_env(n_jobs=processes)
    monkeypatch.setenv("OMP_NUM_THREADS", variables["OMP_NUM_THREADS"])
    assert choose("numpy").threads() == share


def test_a_notebook_shows_its_settings() -> None:
    assert "MLPClassifier" in MLPClassifier(alpha=0.5)._repr_html_()
