"""Data frames: the types of pandas that a text file does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from portanet import read

pandas = pytest.importorskip("pandas")

N = 30


def column(values: Any) -> Any:
    """The column as `read` has it, beside one of numbers."""
    return read(pandas.DataFrame({"other": np.sqrt(np.arange(N)), "x": values}), labelled=False)


def kind(values: Any) -> str:
    return str(column(values).table.columns[1].kind)


def test_numbers_that_are_said_to_be_categories() -> None:
    codes = pandas.Series(np.arange(N) % 4 * 10)
    assert kind(codes) == "number"
    data = column(codes.astype("category"))
    assert data.table.columns[1].kind == "category"
    assert data.table.columns[1].values == ("0", "10", "20", "30")
    later = pandas.DataFrame({"other": [1.0, 2.0], "x": [30, 10]})
    assert read(later, labelled=False, table=data.table).x[:, 1].tolist() == [4, 2]
    assert kind(pandas.Series(np.sqrt(np.arange(N))).astype("category")) == "number"
    asked = read(pandas.DataFrame({"x": codes.astype("category")}), labelled=False, kinds={"x": "number"})
    assert asked.table.columns[0].kind == "number"


@pytest.mark.parametrize("dtype", [None, "duration[ns][pyarrow]"])
def test_durations_are_seconds(dtype: str | None) -> None:
    if dtype:
        pytest.importorskip("pyarrow")
    values = pandas.Series(pandas.to_timedelta(np.arange(N) ** 2, unit="min"), dtype=dtype)
    values.iloc[3] = pandas.NaT
    data = column(values)
    assert data.table.columns[1].kind == "number"
    expected = np.arange(N) ** 2 * 60.0
    expected[3] = np.nan
    np.testing.assert_array_equal(data.x[:, 1], expected)


def test_periods_are_dates() -> None:
    values = pandas.Series(pandas.period_range("2020-01", periods=N, freq="M"))
    data, dates = column(values), column(values.dt.to_timestamp())
    assert data.table.columns[1].kind == "date"
    np.testing.assert_array_equal(data.x, dates.x)
