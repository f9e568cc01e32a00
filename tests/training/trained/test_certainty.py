"""Intervals and probabilities that come true: conformal margins, and a temperature in the last weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portanet
from portanet.backends import Backend
from portanet.errors import ConfigError, DataError, ModelError
from portanet.nn import (
    BatchNorm,
    Dense,
    Dropout,
    Flatten,
    Frozen,
    NTKDense,
    Quantile,
    ReLU,
    Residual,
    Sequential,
    Softplus,
)
from portanet.storage.model_card import ModelCard
from portanet.training.trained.intervals import bounds, margins
from portanet.training.trained.temperature import inverse_temperature, last_dense

RNG = np.random.default_rng(7)
X = RNG.normal(size=(400, 3))
NOISE = RNG.normal(size=(400, 2)) * (0.1 + np.abs(X[:, :2]))
TARGETS = 1e3 + 20.0 * (X[:, 1:] + NOISE)
LABELS = (X[:, 0] + RNG.normal(size=400) > 0).astype(int)


def of_numbers(targets: Any = TARGETS, **settings: Any) -> portanet.TrainedModel:
    outputs = 3 * (targets.shape[1] if targets.ndim == 2 else 1)
    model = Sequential(Dense(16), ReLU(), Dense(outputs))
    return portanet.fit(model, X, targets, **{"loss": Quantile(), "valid": 0.25, "epochs": 5} | settings)


def test_intervals_hold_their_share_of_the_rows_they_were_widened_on(backend: Backend) -> None:
    """At least the rank of Romano et al. (2019), for each target; more where the middle lies outside of the others."""
    held_out = X[:100], TARGETS[:100]
    run = of_numbers(valid=held_out, backend=backend)
    found = run.intervals(X)
    assert (found.shape, found.dtype) == ((400, 2, 2), np.float64)
    inside = (found[:100, 0] <= TARGETS[:100] + 1e-3) & (TARGETS[:100] - 1e-3 <= found[:100, 1])
    assert set(inside.sum(axis=0).tolist()) <= {91, 92, 93}  # ceil(101 * 0.9) of 100
    assert (found[:, 0] <= run.predict(X)).all()
    assert (run.predict(X) <= found[:, 1]).all()
    assert len(run.card.margins) == 2
    measured = run.evaluate(X, TARGETS)
    assert measured["coverage"] == pytest.approx(np.mean((found[:, 0] <= TARGETS) & (found[:, 1] >= TARGETS)))
    assert "width" not in measured  # a mean over two targets


def test_margins_by_hand() -> None:
    """Scores -1, 0, ..., 8 of ten rows: the ceil(11 * 0.8) = 9th of them is 7."""
    card = ModelCard((1,), levels=(0.1, 0.5, 0.9), target_center=(10.0,), target_scale=(2.0,))
    outputs = np.tile([-1.0, 0.0, 1.0], (10, 1))
    targets = np.asarray([0, 1, -2, 3, -4, 5, -6, 7, -8, 9.0])[:, None]
    assert margins(outputs, targets, card) == (7.0,)
    wide = ModelCard((1,), levels=card.levels, margins=(7.0,), target_center=(10.0,), target_scale=(2.0,))
    assert bounds(outputs[:1], wide).tolist() == [[[10 - 16.0], [10 + 16.0]]]
    narrow = ModelCard((1,), levels=card.levels, margins=(-3.0,))
    assert bounds(outputs[:1], narrow).tolist() == [[[0.0], [0.0]]]  # never beyond the middle
    with pytest.raises(DataError, match=r"intervals of 0\.8 need at least 4 rows that are held out, got 3.*valid="):
        margins(outputs[:3], targets[:3], card)
    assert len(margins(outputs[:4], targets[:4], card)) == 1


def test_the_middle_level_is_the_prediction(tmp_path: Path) -> None:
    run = of_numbers(TARGETS[:, 0])
    outputs = run.outputs(X).astype(np.float64)
    unit = run.card.target_center[0], run.card.target_scale[0]
    np.testing.assert_allclose(run.predict(X), unit[0] + unit[1] * outputs[:, 1])
    assert run.intervals(X).shape == (400, 2)
    again = portanet.load(run.save(tmp_path / "q.safetensors"))
    assert np.array_equal(again.intervals(X), run.intervals(X))
    assert again.spec.loss == Quantile()


def test_one_quantile_alone() -> None:
    model = Sequential(Dense(16), ReLU(), Dense(1))
    run = portanet.fit(
        model, X, TARGETS[:, 0], loss=Quantile((0.9,)), epochs=60, optimizer=portanet.optim.Adam(0.01), valid=0.1
    )
    assert np.mean(run.predict(X) > TARGETS[:, 0]) == pytest.approx(0.9, abs=0.05)
    with pytest.raises(ModelError, match="was not trained for intervals"):
        run.intervals(X)


def test_models_without_intervals() -> None:
    with pytest.raises(ModelError, match=r"not trained for intervals.*nn\.Quantile"):
        portanet.fit(Dense(1), X, TARGETS[:, 0], task="regress", epochs=1).intervals(X)
    with pytest.raises(ModelError, match=r"3 outputs for each target, and the model ends in 2.*Dense\(3\)"):
        portanet.fit(Dense(2), X, TARGETS[:, 0], loss=Quantile(), epochs=1)
    assert of_numbers(TARGETS[:, 0], valid=None, epochs=1).card.margins == ()


def of_classes(model: Any = None, **settings: Any) -> portanet.TrainedModel:
    model = model or Sequential(NTKDense(64), ReLU(), NTKDense(2))
    return portanet.fit(
        model, X[:200], LABELS[:200],
        **{"epochs": 60, "valid": 0.3, "optimizer": portanet.optim.Adam(0.05)} | settings,
    )  # fmt: skip


def test_the_temperature_has_the_lowest_log_loss() -> None:
    """Of all on a fine grid; a tenth of a row more or less makes no difference that can be seen."""
    logits = RNG.normal(size=(300, 4)) * 6.0
    labels = np.asarray([RNG.choice(4, p=row / row.sum()) for row in np.exp(logits / 3.0)])
    weights = RNG.uniform(0.1, 2.0, 300)
    grid = np.exp(np.linspace(-3, 3, 2001))
    smooth = (300 * np.eye(4)[labels] + 1 / 4) / 301
    log_p = [b * logits - np.log(np.exp(b * logits).sum(axis=1, keepdims=True)) for b in grid]
    for each, given in ((np.ones(300), None), (weights, weights)):
        losses = [-(each[:, None] * smooth * p).sum() for p in log_p]
        assert inverse_temperature(logits, labels, given) == pytest.approx(grid[int(np.argmin(losses))], rel=4e-3)
    assert 1 < inverse_temperature(np.eye(2)[[0, 1] * 50] * 2, np.asarray([0, 1] * 50)) < 10  # no error, no infinity


def test_calibration_changes_probabilities_and_no_answer(backend: Backend) -> None:
    plain, put_right = (of_classes(calibrate=calibrate, backend=backend) for calibrate in (False, True))
    test = X[200:], LABELS[200:]
    assert np.array_equal(plain.predict(X), put_right.predict(X))
    ratio = plain.outputs(X) / put_right.outputs(X)
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)
    before, after = plain.evaluate(*test), put_right.evaluate(*test)
    assert after["log_loss"] < before["log_loss"] - 0.05
    assert after["accuracy"] == before["accuracy"]
    first, second = (backend.to_numpy(run.params["0"]["weight"]) for run in (plain, put_right))
    assert np.array_equal(first, second)
    assert type(put_right.params) is type(plain.params)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (Dense(2), ()),
        (Sequential(Dense(4), NTKDense(2), Flatten()), ("1",)),
        (Sequential(Dense(4), Sequential(ReLU(), Dense(2))), ("1", "1")),
        (Sequential(Dense(2), Dropout(0.1)), ("0",)),
        (Sequential(Dense(2), BatchNorm()), None),
        (Sequential(Dense(2), Frozen(Dense(2))), None),
        (Residual(Dense(3)), None),
        (Softplus(), None),
    ],
)
def test_only_a_dense_that_gives_the_logits_is_scaled(model: Any, path: Any) -> None:
    assert last_dense(model) == path


def test_what_cannot_be_calibrated() -> None:
    with pytest.raises(ConfigError, match=r"rows that are held out.*valid="):
        of_classes(valid=None, calibrate=True)
    with pytest.raises(ConfigError, match="ends in Dense or NTKDense"):
        of_classes(Sequential(Dense(2), BatchNorm()), calibrate=True)
    with pytest.raises(ConfigError, match="one class each"):
        of_numbers(calibrate=True)
