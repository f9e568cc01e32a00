"""Labels, numbers and row weights in every common form: handled as in scikit-learn, or refused with a clear error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_matrix, csr_matrix
from sklearn import neural_network

from portanet import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
SEVERAL = (X[:, :3] > 0.2).astype(int)
SETTINGS: dict[str, Any] = {"hidden_layer_sizes": (5,), "max_iter": 20, "random_state": 0}


@pytest.mark.parametrize("form", [csr_matrix, csc_matrix])
@pytest.mark.parametrize("early", [False, True])
def test_sparse_labels_give_sparse_predictions(form: Any, early: bool) -> None:
    ours = MLPClassifier(**SETTINGS, early_stopping=early).fit(X, form(SEVERAL))
    theirs = neural_network.MLPClassifier(**SETTINGS, early_stopping=early).fit(X, csr_matrix(SEVERAL))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)
    assert (ours.predict(X) != theirs.predict(X)).nnz == 0
    assert ours.score(X, form(SEVERAL)) == theirs.score(X, csr_matrix(SEVERAL))


def test_a_number_is_the_weight_of_all_rows() -> None:
    ours = MLPRegressor(**SETTINGS).fit(X, X[:, 0], sample_weight=2.0)
    theirs = neural_network.MLPRegressor(**SETTINGS).fit(X, X[:, 0], sample_weight=2.0)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_negative_sum_of_weights_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match="sample_weight adds up to -60"):
        kind(**SETTINGS).fit(X, SEVERAL[:, 0], sample_weight=-np.ones(60))


@pytest.mark.parametrize("absent", [None, float("nan"), np.float32("nan")])
def test_missing_labels_are_counted_and_refused(absent: Any) -> None:
    labels = np.array(["yes", "no"] * 30, object)
    labels[[3, 7]] = absent
    with pytest.raises(ValueError, match=r"2 of 60 labels are missing, the first in row 3"):
        MLPClassifier(**SETTINGS).fit(X, labels)


@pytest.mark.parametrize("dtype", ["string[pyarrow]", "string", "object", "category", "str"])
def test_missing_labels_of_pandas_are_refused(dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    labels = pandas.Series(["yes", "no", None] * 20, dtype=dtype)
    with pytest.raises(ValueError, match=r"20 of 60 labels are missing, the first in row 2"):
        MLPClassifier(**SETTINGS).fit(X, labels)


def test_text_as_target_of_a_regression_is_refused() -> None:
    with pytest.raises(ValueError, match=r"predicts numbers.*'dear'.*MLPClassifier"):
        MLPRegressor(**SETTINGS).fit(X, ["dear", "cheap"] * 30)


@pytest.mark.parametrize("wrong", [-1, -0.5])
def test_counts_below_zero_are_refused(wrong: float) -> None:
    counts = np.r_[wrong, np.arange(59)]
    with pytest.raises(ValueError, match=f"counts.*{wrong:g}"):
        MLPRegressor("poisson", **SETTINGS).fit(X, counts)
