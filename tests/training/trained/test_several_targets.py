"""Several targets in Python: their names, columns in any order, folds, and the scores of each."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import portanet
from portanet.errors import CheckpointError, ConfigError, DataError
from portanet.nn import Columns, Dense, Quantile, Sequential, Standardize
from portanet.optim import Adam
from portanet.storage.model_card import ModelCard
from portanet.training.trained.measure import measure_targets, target_names

NAMES = ["height", "weight"]
RNG = np.random.default_rng(4)
X = pd.DataFrame(RNG.normal(size=(90, 3)), columns=["a", "b", "c"])
Y = pd.DataFrame({"height": 170 + 9 * X["a"], "weight": 70 + 5 * X["b"] + RNG.normal(size=90)})


@pytest.fixture(scope="module")
def run() -> portanet.TrainedModel:
    return portanet.fit(Sequential(Standardize(), Dense(2)), X, Y, task="regress", epochs=30, batch_size=15)


def test_names_come_from_the_frame(run: portanet.TrainedModel) -> None:
    assert run.card.label == tuple(NAMES)
    assert target_names(run) == tuple(NAMES)
    plain = portanet.fit(Sequential(Dense(2)), X.to_numpy(), Y.to_numpy(), task="regress", epochs=1)
    assert plain.card.label is None
    assert target_names(plain) == ("output 1", "output 2")
    one = portanet.fit(Sequential(Dense(1)), X, Y[["height"]], task="regress", epochs=1)
    assert (one.card.label, target_names(one)) == ("height", ())


def test_columns_of_labels_are_left_out_and_found_by_name(run: portanet.TrainedModel) -> None:
    whole = pd.concat([Y, X], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(run.predict(whole), run.predict(X))
    expected = run.evaluate(X, Y)
    assert run.evaluate(X, Y[NAMES[::-1]]) == expected
    assert run.evaluate(X, Y.to_numpy()) == expected
    data = portanet.read(whole, label=NAMES[::-1], task="regress")
    assert run.evaluate(data)["r2"] == pytest.approx(expected["r2"], rel=1e-6)
    with pytest.raises(DataError, match="'height' are among the columns of x too"):
        portanet.fit(Sequential(Dense(2)), whole, Y, task="regress", epochs=1)


def test_the_file_keeps_the_names(run: portanet.TrainedModel, tmp_path: Path) -> None:
    loaded = portanet.load(run.save(tmp_path / "two.safetensors"))
    assert loaded.card == run.card
    np.testing.assert_array_equal(loaded.predict(X), run.predict(X))
    broken = portanet.fit(Sequential(Dense(2)), X, Y, task="regress", epochs=1)
    object.__setattr__(broken.card, "label", ("a", "b", "c"))
    with pytest.raises(portanet.ModelError, match="names 3 labels, the layers give 2 outputs"):
        broken.save(tmp_path / "broken.safetensors")


@pytest.mark.parametrize("label", [7, ["a"], ["a", "a"], ["a", 3], {"a": 1}, True])
def test_a_card_of_other_labels(label: object) -> None:
    with pytest.raises(ConfigError, match="its label cannot be"):
        ModelCard.from_dict(ModelCard((2,)).to_dict() | {"label": label})
    assert ModelCard.from_dict(ModelCard((2,), label=("b", "a")).to_dict()).label == ("b", "a")
    assert ModelCard.from_dict(ModelCard((2,), label="b").to_dict()).label == "b"
    assert issubclass(CheckpointError, portanet.PortanetError)


@pytest.mark.parametrize("levels", [(), (0.1, 0.5, 0.9)])
def test_scores_of_each_are_those_of_its_own_column(levels: tuple[float, ...]) -> None:
    loss = Quantile(levels) if levels else "mse"
    model = Sequential(Standardize(), Dense(2 * max(1, len(levels))))
    run = portanet.fit(model, X, Y, task="regress", loss=loss, valid=0.3, epochs=20)  # type: ignore[arg-type]
    predicted, true = run.predict(X), Y.to_numpy()
    found = measure_targets(run, X, Y)
    assert list(found) == NAMES
    for i, name in enumerate(NAMES):
        error = predicted[:, i] - true[:, i]
        assert found[name]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert found[name]["mae"] == pytest.approx(np.mean(np.abs(error)))
        assert found[name]["median_error"] == pytest.approx(np.median(np.abs(error)))
        assert found[name]["r2"] == pytest.approx(1 - np.sum(error**2) / np.sum((true[:, i] - true[:, i].mean()) ** 2))
        if levels:
            low, high = run.intervals(X)[:, :, i].T
            assert found[name]["coverage"] == pytest.approx(np.mean((low <= true[:, i]) & (true[:, i] <= high)))
            assert found[name]["width"] == pytest.approx(np.mean(high - low))
    assert run.evaluate(X, Y)["targets"] == found
    units = {"rmse", "mae", "median_error", "width"}
    assert not set(run.evaluate(X, Y)) & units
    assert run.evaluate(X, Y)["r2"] == pytest.approx(np.mean([scores["r2"] for scores in found.values()]))


def test_an_error_over_several_units_cannot_be_watched() -> None:
    """Neither by name nor by a callback; an error of one target can."""
    model = Sequential(Standardize(), Dense(2))
    for settings in ({"metric": "rmse"}, {"callbacks": [portanet.EarlyStopping("valid_mae")]}):
        with pytest.raises(ConfigError, match='watch metric="r2"'):
            portanet.fit(model, X, Y, task="regress", valid=0.3, epochs=2, **settings)  # type: ignore[arg-type]
    run = portanet.fit(model, X, Y, task="regress", valid=0.3, epochs=2, metric="r2")
    assert "valid_r2" in run.history[-1]
    one = portanet.fit(Sequential(Dense(1)), X, Y[NAMES[0]], task="regress", valid=0.3, epochs=2, metric="rmse")
    assert one.history[-1]["valid_rmse"] > 0


def test_several_classes_of_a_dataset(tmp_path: Path) -> None:
    marks = pd.DataFrame({"red": np.where(X["a"] > 0, "yes", "no"), "blue": np.where(X["b"] > 0, "yes", "no")})
    data = portanet.read(pd.concat([X, marks], axis=1), label=["red", "blue"])
    run = portanet.fit(Sequential(Columns(), Dense(2)), data, task="multilabel", optimizer=Adam(0.05), epochs=60)
    assert run.card.classes == run.card.label == ("red", "blue")
    answers = run.predict(data)
    expected = np.column_stack([X["a"] > 0, X["b"] > 0])
    assert run.evaluate(data)["accuracy"] == pytest.approx((answers == expected).mean())
    assert (answers == expected).mean() > 0.9
    turned = portanet.read(pd.concat([marks, X], axis=1), label=["blue", "red"], table=data.table)
    assert run.evaluate(turned)["accuracy"] == pytest.approx((answers == expected).mean())


def test_folds() -> None:
    data = portanet.read(pd.concat([X, Y], axis=1), label=NAMES)
    found = portanet.cross_validate(Sequential(Columns(), Dense(2)), data, folds=3, task="regress", epochs=20)
    assert sum(scores["samples"] for scores in found.scores) == len(X)
    assert found.mean["r2"] == pytest.approx(np.mean([scores["r2"] for scores in found.scores]))
    assert all(model.card.label == tuple(NAMES) for model in found.models)
