"""The same call resumes an interrupted fit, to the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import MLPClassifier
from portanet.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations", "ignore:Training interrupted")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 4))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)


def model(folder: Path | None, **settings: Any) -> Any:
    usual: dict[str, Any] = {
        "hidden_layer_sizes": (6,),
        "max_iter": 12,
        "batch_size": 32,
        "random_state": 4,
        "dropout": 0.2,
    }
    return MLPClassifier(**usual | settings, checkpoints=folder)


@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "sgd", "learning_rate": "invscaling"}])
def test_a_resumed_fit_has_the_bits_of_an_uninterrupted_one(tmp_path: Path, settings: dict[str, Any]) -> None:
    alone = model(None, **settings).fit(X, Y)
    first = model(tmp_path, **settings, time_limit=1e-9).fit(X, Y)
    assert first.n_iter_ == 1
    resumed = model(tmp_path, **settings).fit(X, Y)
    assert resumed.loss_curve_ == alone.loss_curve_
    assert resumed.predict_proba(X).tobytes() == alone.predict_proba(X).tobytes()
    again = model(tmp_path, **settings).fit(X, Y)
    assert again.predict_proba(X).tobytes() == alone.predict_proba(X).tobytes()


def test_more_epochs_continue_the_fit(tmp_path: Path) -> None:
    model(tmp_path, max_iter=5).fit(X, Y)
    assert model(tmp_path, max_iter=9).fit(X, Y).loss_curve_ == model(None, max_iter=9).fit(X, Y).loss_curve_


def test_other_rows_or_settings_are_refused(tmp_path: Path) -> None:
    model(tmp_path).fit(X, Y)
    with pytest.raises(ConfigError, match="alpha"):
        model(tmp_path, alpha=0.5).fit(X, Y)
    with pytest.raises(ConfigError, match="data"):
        model(tmp_path).fit(-X, Y)
    with pytest.raises(ConfigError, match="lbfgs"):
        model(tmp_path, solver="lbfgs", dropout=0.0).fit(X, Y)
