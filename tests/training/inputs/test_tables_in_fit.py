"""Frames with text, dates and gaps in front of `Columns()`, and codes that no other layer takes for numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import portanet
from portanet import nn
from portanet.backends import Backend
from portanet.errors import DataError

RNG = np.random.default_rng(4)
N = 60
SIDE = RNG.integers(0, 2, N)
FRAME = pd.DataFrame(
    {
        "key": np.arange(100, 100 + N),
        "colour": np.array(["red", "blue", "green"])[SIDE + (RNG.random(N) < 0.1)],
        "size": np.where(RNG.random(N) < 0.2, np.nan, SIDE * 3 + RNG.normal(size=N)),
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.integers(0, 99, N), unit="D"),
    }
)
LABELS = pd.Series(np.where(SIDE, "in", "out"), name="side")
NET = nn.Sequential(nn.Columns(), nn.Dense(8), nn.ReLU(), nn.Dense(2))
FAST: dict[str, Any] = {"epochs": 30, "batch_size": 20, "optimizer": portanet.optim.Adam(0.03)}


@pytest.mark.filterwarnings("ignore:left out")
def test_a_frame_is_read_as_a_table(backend: Backend, tmp_path: Any) -> None:
    run = portanet.fit(NET, FRAME, LABELS, valid=0.2, backend=backend, **FAST)
    assert run.card.label == "side"
    assert run.card.columns == ("colour", "size", "day.year", "day.month", "day.weekday", "day.days", "day.hour")
    assert run.model.layers[0].kinds == (3, "number?", *["number"] * 5)  # type: ignore[attr-defined]
    accuracy = run.evaluate(FRAME, LABELS)["accuracy"]
    assert accuracy > 0.8
    assert float((run.predict(FRAME) == LABELS.to_numpy()).mean()) == accuracy
    loaded = portanet.load(run.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(loaded.predict(FRAME[::-1].iloc[:, ::-1]), run.predict(FRAME)[::-1])
    same = portanet.fit(NET, FRAME.assign(side=LABELS).pipe(portanet.read, label="side"), backend=backend, **FAST)
    np.testing.assert_array_equal(
        same.predict(FRAME), portanet.fit(NET, FRAME, LABELS, backend=backend, **FAST).predict(FRAME)
    )


def test_what_is_left_out_and_what_is_new_is_told() -> None:
    with pytest.warns(UserWarning, match="left out: key"):
        run = portanet.fit(NET, FRAME.assign(label="a column of that name"), LABELS, **FAST)
    new = FRAME.assign(colour="mauve")
    with pytest.warns(UserWarning, match=f"colour: {N} cells with values that training did not have"):
        run.predict(new)
    with pytest.raises(DataError, match=r"column 'size': 'large' is not a number"):
        run.predict(FRAME.assign(size="large"))
    with pytest.raises(DataError, match="no column 'size'"):
        run.predict(FRAME.drop(columns="size"))


def test_text_and_codes_need_columns() -> None:
    plain = nn.Sequential(nn.Dense(8), nn.ReLU(), nn.Dense(2))
    with pytest.raises(DataError, match=r"column 'colour' holds .*begin the network with Columns\(\)"):
        portanet.fit(plain, FRAME[["colour", "key"]], LABELS, **FAST)
    table = portanet.read(FRAME.assign(side=LABELS).drop(columns="size"), label="side")
    with pytest.raises(DataError, match=r"column 'colour' holds codes of categories.*Columns\(\)"):
        portanet.fit(plain, table, **FAST)


def test_a_model_of_arrays_says_that_it_takes_columns_by_position() -> None:
    numbers = pd.DataFrame({"a": SIDE * 2.0, "b": SIDE - 1.0})
    run = portanet.fit(nn.Sequential(nn.Dense(2)), numbers.to_numpy(), SIDE, **FAST)
    with pytest.warns(UserWarning, match="without names of columns"):
        run.predict(numbers[["b", "a"]])


def test_a_gap_where_training_had_none() -> None:
    numbers = pd.DataFrame({"a": SIDE * 2.0 + RNG.normal(size=N), "b": RNG.normal(size=N)})
    run = portanet.fit(NET, numbers, LABELS, **FAST)
    with pytest.warns(UserWarning, match="a: 1 cell missing, none was in training"):
        answers = run.predict(numbers.assign(a=[np.nan, *numbers.a[1:]]))
    assert (answers[1:] == run.predict(numbers)[1:]).all()


def test_whole_numbers_that_float64_would_merge_are_refused() -> None:
    labels = 2**53 + np.arange(N)
    with pytest.raises(DataError, match=r"row 0: the label 9007199254740992 is beyond 2\*\*53"):
        portanet.fit(nn.Sequential(nn.Dense(1)), np.ones((N, 2)), labels, task="regress", epochs=1)
    portanet.fit(nn.Sequential(nn.Dense(1)), np.ones((N, 2)), labels - 2**53, task="regress", epochs=1)
