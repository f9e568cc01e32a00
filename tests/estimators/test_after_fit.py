"""What a fitted estimator answers when its settings or its arrays are changed."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from portanet import MLPRegressor

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
