"""Months and times of day, in the forms that tables have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from portanet import read
from portanet.errors import DataError

COUNT = 48
MONTHS = {
    "year-month": lambda year, month: f"{year}-{month:02}",
    "month/year": lambda year, month: f"{month}/{year}",
    "month-name year": lambda year, month: f"{('Jan', 'Feb', 'March', 'Apr')[month - 1]} {year}",
}
CLOCKS = {
    "minutes": (lambda i: f"{i % 24}:{i:02}", lambda i: i % 24 + i / 60),
    "seconds": (lambda i: f"{i % 24:02}:{i:02}:30", lambda i: i % 24 + i / 60 + 30 / 3600),
    "points": (lambda i: f"{i % 24:02}.{i:02}.00", lambda i: i % 24 + i / 60),
    "afternoon": (lambda i: f"{i % 12 + 1}:{i:02} PM", lambda i: (i % 12 + 1) % 12 + 12 + i / 60),
}


def write(path: Path, name: str, cells: list[str]) -> Path:
    lines = [f"{cell},{'pq'[i % 2]}" for i, cell in enumerate(cells)]
    path.write_text("\n".join([f"{name},label", *lines]))
    return path


@pytest.mark.parametrize("form", MONTHS)
def test_months_are_their_first_days(form: str, tmp_path: Path) -> None:
    when = [(2000 + i, 1 + i % 4) for i in range(COUNT)]
    data = read(write(tmp_path / "a.csv", "month", [MONTHS[form](*each) for each in when]))
    assert data.table is not None
    assert (data.table.columns[0].kind, data.table.columns[0].form) == ("date", form)
    days = [np.datetime64(f"{year}-{month:02}-01").astype(int) for year, month in when]
    expected = [(year, month, day) for (year, month), day in zip(when, days, strict=True)]
    np.testing.assert_array_equal(data.x[:, [0, 1, 3]], expected)


@pytest.mark.parametrize("name", CLOCKS)
def test_a_time_of_day_is_its_hour(name: str, tmp_path: Path) -> None:
    written, hour = CLOCKS[name]
    data = read(write(tmp_path / "a.csv", "opens", [written(i) for i in range(COUNT)]))
    assert data.columns == ("opens.hour",)
    np.testing.assert_allclose(data.x[:, 0], [hour(i) for i in range(COUNT)], rtol=1e-6)
    later = read(write(tmp_path / "b.csv", "opens", ["14:30", "?"]), table=data.table, labelled=False)
    np.testing.assert_array_equal(later.x, [[14.5], [np.nan]])
    with pytest.raises(DataError, match="'25:00' is not a date"):
        read(write(tmp_path / "b.csv", "opens", ["25:00"]), table=data.table, labelled=False)


def test_a_time_of_a_frame_is_its_hour() -> None:
    pandas = pytest.importorskip("pandas")
    times = pandas.to_datetime([f"2020-01-01 {i % 24}:30" for i in range(COUNT)])
    data = read(pandas.DataFrame({"opens": times.time, "label": ["p", "q"] * (COUNT // 2)}))
    np.testing.assert_array_equal(data.x[:, 0], [i % 24 + 0.5 for i in range(COUNT)])


@pytest.mark.parametrize(
    "write_cell",
    [lambda i: f"{i % 40}:{i:02}", lambda i: f"{1000 + i}-{1 + i % 12}", lambda i: f"19{i + 10}-{i + 11}"],
    ids=["lengths", "house numbers", "seasons"],
)
def test_what_only_seems_so_is_text(write_cell: object, tmp_path: Path) -> None:
    assert callable(write_cell)
    path = write(tmp_path / "a.csv", "code", [write_cell(i) for i in range(COUNT)])
    path.write_text(path.read_text().replace("code", "n,code").replace("\n", "\n1.5,"))
    path.write_text(path.read_text().replace("1.5,", "2.5,", 5))
    table = read(path).table
    assert table is not None
    assert {column.name: column.kind for column in table.columns}["code"] in ("id", "text", "category")
