"""Frames with text, gaps and dates work without a ColumnTransformer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import portanet
from portanet import MLPClassifier, MLPRegressor, nn

pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("ignore:.*Maximum iterations")

RNG = np.random.default_rng(0)
N = 200


def frame() -> Any:
    return pandas.DataFrame(
        {
            "age": RNG.normal(40, 10, N),
            "town": RNG.choice(["Bern", "Chur", "Genf"], N),
            "label": RNG.choice(["p", "q"], N),
            "since": pandas.date_range("2020-01-01", periods=N, freq="D"),
            "height": np.where(RNG.random(N) < 0.3, np.nan, RNG.normal(size=N)),
        }
    )


TABLE = frame()
ANSWERS = np.where((TABLE["town"] == "Chur") ^ (TABLE["age"] > 40), "yes", "no")


def test_text_gaps_and_dates_are_read() -> None:
    model = MLPClassifier(random_state=0, max_iter=100, learning_rate_init=0.01).fit(TABLE, ANSWERS)
    assert model.score(TABLE, ANSWERS) > 0.9
    assert isinstance(model.to_portanet().model.children["0"], nn.Columns)
    assert model.feature_names_in_.tolist() == list(TABLE.columns)
    other = TABLE.head(3).assign(town=["Basel", None, "Bern"], age=[30.0, np.nan, 50.0])
    with pytest.warns(UserWarning, match="Basel|missing"):
        assert set(model.predict(other)) <= {"yes", "no"}
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(TABLE[TABLE.columns[::-1]])
    with pytest.raises(ValueError, match="takes frames with the same columns"):
        model.predict(np.zeros((2, 5)))


def test_a_frame_of_numbers_with_gaps_is_a_table() -> None:
    rows = RNG.normal(size=(N, 3))
    rows[::7, 1] = np.nan
    table = pandas.DataFrame(rows)
    model = MLPRegressor(random_state=0, max_iter=60, learning_rate_init=0.01).fit(table, rows[:, 0])
    assert model.score(table, rows[:, 0]) > 0.5


@pytest.mark.parametrize("columns", [list(TABLE.columns), ["since"]])
def test_a_file_keeps_the_table(columns: list[str], tmp_path: Path) -> None:
    table = TABLE[columns]
    model = MLPClassifier(random_state=0, max_iter=3).fit(table, ANSWERS)
    path = model.save(tmp_path / "model.safetensors")
    loaded = MLPClassifier.load(path)
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
    np.testing.assert_array_equal(portanet.load(path).predict(table), model.predict(table))
    assert loaded.feature_names_in_.tolist() == columns


def test_numbers_that_float32_would_merge_are_told_apart() -> None:
    table = pandas.DataFrame({"place": 2e7 + 0.25 * np.arange(N), "town": TABLE["town"]})
    late = np.arange(N) > N // 2
    model = MLPClassifier(random_state=0, dtype="float32", max_iter=150, learning_rate_init=0.01).fit(table, late)
    assert model.score(table, late) > 0.9


def test_set_output_passes_column_names_to_the_network() -> None:
    """Numbers give the results of arrays; a frame of text that a step passes through unchanged goes through Columns."""
    numbers, settings = TABLE[["age"]].assign(half=TABLE["age"] ** 2), {"random_state": 0, "max_iter": 3}
    usual = make_pipeline(StandardScaler(), MLPClassifier(**settings)).fit(numbers, ANSWERS)
    named = make_pipeline(StandardScaler(), MLPClassifier(**settings)).set_output(transform="pandas")
    named.fit(numbers, ANSWERS)
    assert named[-1].feature_names_in_.tolist() == ["age", "half"]
    assert named.predict_proba(numbers).tobytes() == usual.predict_proba(numbers).tobytes()
    with pytest.raises(ValueError, match="must be in the same order"):
        named[-1].predict(named[:-1].transform(numbers)[["half", "age"]])
    change = make_column_transformer((StandardScaler(), ["age"]), remainder="passthrough")
    mixed = make_pipeline(change, MLPClassifier(**settings)).set_output(transform="pandas").fit(TABLE, ANSWERS)
    assert isinstance(mixed[-1].to_portanet().model.children["0"], nn.Columns)
    assert mixed[-1].feature_names_in_.tolist() == mixed[:-1].get_feature_names_out().tolist()
    assert mixed.predict(TABLE).shape == (N,)


def test_set_output_of_a_stack_names_its_estimators() -> None:
    numbers = TABLE[["age"]] / 40
    networks = [(name, MLPClassifier(random_state=0, max_iter=2)) for name in ("one", "two")]
    stack = StackingClassifier(networks, cv=2).set_output(transform="pandas").fit(numbers, ANSWERS)
    assert stack.transform(numbers).columns.tolist() == ["stackingclassifier_one", "stackingclassifier_two"]


def test_a_column_called_label_is_a_column() -> None:
    rows = RNG.normal(size=N)
    table = pandas.DataFrame({"label": np.where(rows > 0, "up", "down"), "noise": RNG.normal(size=N)})
    model = MLPClassifier(random_state=0, learning_rate_init=0.01).fit(table, rows > 0)
    assert model.score(table, rows > 0) == 1.0


def test_objects_that_are_numbers_give_the_bits_of_an_array() -> None:
    rows = RNG.normal(size=(N, 3))
    table = pandas.DataFrame(rows).astype(object)
    model = MLPRegressor(random_state=0, max_iter=5).fit(table, rows[:, 0])
    plain = MLPRegressor(random_state=0, max_iter=5).fit(rows, rows[:, 0])
    assert (model.predict(table) == plain.predict(rows)).all()


def test_columns_that_are_left_out_are_named() -> None:
    table = TABLE.assign(number=range(N))
    with pytest.warns(UserWarning, match=r"MLPClassifier: left out: number \(integers that rise by one"):
        MLPClassifier(random_state=0, max_iter=2).fit(table, ANSWERS)


def test_a_frame_that_cannot_be_read_is_a_value_error_too() -> None:
    """scikit-learn's tools catch ValueError: a search scores such a fit as failed, and continues."""
    mlp = MLPClassifier(max_iter=2, random_state=0)
    constant = pandas.DataFrame({"town": ["Bern"] * N})
    with pytest.raises(ValueError, match="no column to learn from"):
        mlp.fit(constant, ANSWERS)
    mlp.fit(TABLE, ANSWERS)
    spoilt = TABLE.assign(age=["junk", *TABLE["age"][1:]])
    with pytest.raises(ValueError, match="'junk' is not a number") as caught:
        mlp.predict(spoilt)
    assert isinstance(caught.value, portanet.DataError)
