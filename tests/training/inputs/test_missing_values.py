"""Rows with missing values, which a model that begins with Columns takes from training to its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portanet
from portanet.backends import Backend
from portanet.errors import DataError
from portanet.nn import Columns, Dense, ReLU, Sequential
from portanet.optim import Adam

RNG = np.random.default_rng(4)
LABELS = RNG.integers(0, 2, 300)
TABLE = np.stack(
    [
        np.where(RNG.random(300) < 0.3, np.nan, RNG.normal(0.0, 1.0, 300)),
        np.where(LABELS == 1, np.nan, RNG.normal(0.0, 1.0, 300)),  # the gap itself says the class
        RNG.integers(0, 12, 300),
    ],
    axis=1,
)
MODEL = Sequential(Columns(("number", "number?", 11)), Dense(8), ReLU(), Dense(2))


def trained(x: Any = TABLE, **settings: Any) -> portanet.TrainedModel:
    return portanet.fit(MODEL, x, LABELS, optimizer=Adam(0.03), epochs=20, batch_size=32, **settings)


def test_gaps_are_learned_from_and_predicted_with(backend: Backend, tmp_path: Path) -> None:
    run = trained(backend=backend)
    assert run.evaluate(TABLE, LABELS)["accuracy"] > 0.99
    run.save(tmp_path / "model.safetensors")
    loaded = portanet.load(tmp_path / "model.safetensors")
    assert loaded.model == MODEL
    everything_missing = np.full((2, 3), np.nan)
    expected = run.probabilities(everything_missing)
    np.testing.assert_allclose(loaded.probabilities(everything_missing), expected, rtol=1e-5)


def test_mapped_rows_give_the_same_bits(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", TABLE)
    one, other = trained(), trained(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert np.array_equal(one.outputs(TABLE), other.outputs(TABLE))


def test_infinity_is_refused_all_the_same() -> None:
    x = TABLE.copy()
    x[3, 0] = np.inf
    with pytest.raises(DataError, match=r"x holds infinity"):
        trained(x)
    x[3] = [0.0, 0.0, 12.0]
    with pytest.raises(DataError, match="codes from 0 to 11 in column 2"):
        trained().predict(x)
