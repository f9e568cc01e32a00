"""Predictions of a fitted estimator after its settings or its arrays change."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

from portanet import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
COUNTS = RNG.poisson(3, 60)


def test_a_loss_set_after_fit_waits_for_the_next_fit(tmp_path: Path) -> None:
    model = MLPRegressor(hidden_layer_sizes=5, max_iter=5, random_state=0).fit(X, COUNTS)
    expected = model.predict(X)
    model.set_params(loss="poisson")
    assert (model.predict(X) == expected).all()
    assert model.out_activation_ == "identity"
    np.testing.assert_allclose(model.to_portanet().predict(X), expected, rtol=1e-12)
    again = MLPRegressor.load(model.save(tmp_path / "model.safetensors"))
    assert (again.predict(X) == expected).all()
    assert (pickle.loads(pickle.dumps(model)).predict(X) == expected).all()
    assert model.fit(X, COUNTS).out_activation_ == "exp"


def test_weights_can_be_set() -> None:
    model = MLPClassifier(hidden_layer_sizes=5, max_iter=5, random_state=0).fit(X, COUNTS > 3)
    other = MLPClassifier(hidden_layer_sizes=5, max_iter=9, random_state=1).fit(X, COUNTS > 3)
    earlier, shared = copy.deepcopy(model.coefs_), copy.copy(model)
    before = model.predict_proba(X)
    model.coefs_ = other.coefs_
    model.intercepts_[0], model.intercepts_[-1] = other.intercepts_
    assert (model.predict_proba(X) == other.predict_proba(X)).all()
    assert (shared.predict_proba(X) == before).all()
    with pytest.raises(ValueError, match=r"needs arrays of the shapes \[\(4, 5\), \(5, 1\)\], got \[\(4, 5\)\]"):
        model.coefs_ = earlier[:1]
    with pytest.raises(ValueError, match=r"\(4, 5\).*\(5, 4\)"):
        model.coefs_[0] = earlier[0].T
    with pytest.raises(AttributeError, match="no weights before fit"):
        MLPClassifier().coefs_ = earlier
