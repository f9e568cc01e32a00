"""The cells of a table as they are, by a model's schema, from every kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from portanet import read
from portanet.data.source import read_cells
from portanet.errors import DataError

TRAINING = {
    "size": [float(i * i) for i in range(20)],
    "colour": ["red", "blue"] * 10,
    "day": pd.date_range("2020-01-01", periods=20, unit="s"),
    "label": [0, 1] * 10,
}
NEW = {
    "day": pd.to_datetime(["2021-03-05 14:30:59.5", None, "1960-01-01"], format="ISO8601"),
    "size": [1.5, None, 3.0],
    "colour": [" mauve ", None, "red"],
}


@pytest.mark.parametrize("kind", ["frame", "csv", "parquet"])
def test_cells_keep_their_values(kind: str, tmp_path: Path) -> None:
    table = read(pd.DataFrame(TRAINING)).table
    assert table is not None
    frame = pd.DataFrame(NEW)
    source: Any = frame
    if kind == "csv":
        frame.to_csv(source := tmp_path / "rows.csv", index=False)
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(source := tmp_path / "rows.parquet")
    cells = read_cells(source, table)
    assert list(cells) == ["size", "colour", "day"]
    np.testing.assert_array_equal(cells["size"], [1.5, np.nan, 3.0])
    assert cells["colour"].tolist() == ["mauve", "", "red"]
    expected = np.array(["2021-03-05T14:30:59", "NaT", "1960-01-01"], "datetime64[s]")
    np.testing.assert_array_equal(cells["day"], expected)
    assert cells["day"].dtype == expected.dtype


def test_a_cell_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    table = read(pd.DataFrame(TRAINING)).table
    assert table is not None
    (tmp_path / "rows.csv").write_text("size,colour,day\n1,red,2020-01-01\nlarge,red,soon\n")
    with pytest.raises(DataError, match=r"row 2.*size.*large.*day"):
        read_cells(tmp_path / "rows.csv", table)
