"""Labels, numbers and weights of rows as people have them: the same as with scikit-learn, or a clear error."""

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
def test_sparse_labels_give_sparse_answers(form: Any, early: bool) -> None:
    ours = MLPClassifier(**SETTINGS, early_stopping=early).fit(X, form(SEVERAL))
    theirs = neural_network.MLPClassifier(**SETTINGS, early_stopping=early).fit(X, csr_matrix(SEVERAL))
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)
    assert (ours.predict(X) != theirs.predict(X)).nnz == 0
    assert ours.score(X, form(SEVERAL)) == theirs.score(X, csr_matrix(SEVERAL))


def test_one_weight_for_all_rows() -> None:
    ours = MLPRegressor(**SETTINGS).fit(X, X[:, 0], sample_weight=2.0)
    theirs = neural_network.MLPRegressor(**SETTINGS).fit(X, X[:, 0], sample_weight=2.0)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_weights_that_add_up_to_less_than_nothing(kind: Any) -> None:
    with pytest.raises(ValueError, match="sample_weight adds up to -60"):
        kind(**SETTINGS).fit(X, SEVERAL[:, 0], sample_weight=-np.ones(60))


@pytest.mark.parametrize("absent", [None, float("nan"), np.float32("nan")])
def test_labels_that_are_missing_are_counted(absent: Any) -> None:
    labels = np.array(["yes", "no"] * 30, object)
    labels[[3, 7]] = absent
    with pytest.raises(ValueError, match=r"2 of 60 labels are missing, the first in row 3"):
        MLPClassifier(**SETTINGS).fit(X, labels)


@pytest.mark.parametrize("dtype", ["string[pyarrow]", "string", "object", "category", "str"])
def test_labels_that_pandas_says_are_missing(dtype: str) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    labels = pandas.Series(["yes", "no", None] * 20, dtype=dtype)
    with pytest.raises(ValueError, match=r"20 of 60 labels are missing, the first in row 2"):
        MLPClassifier(**SETTINGS).fit(X, labels)


def test_text_where_numbers_belong() -> None:
    with pytest.raises(ValueError, match=r"predicts numbers.*'dear'.*MLPClassifier"):
        MLPRegressor(**SETTINGS).fit(X, ["dear", "cheap"] * 30)


@pytest.mark.parametrize("wrong", [-1, -0.5])
def test_counts_below_zero(wrong: float) -> None:
    counts = np.r_[wrong, np.arange(59)]
    with pytest.raises(ValueError, match=f"counts.*holds {wrong:g}"):
        MLPRegressor("poisson", **SETTINGS).fit(X, counts)
