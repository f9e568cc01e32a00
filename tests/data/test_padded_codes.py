"""Codes with leading zeros, as of zip codes: categories, which keep their zeros; and other digits are numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import Dataset, read

pandas = pytest.importorskip("pandas")

ZIPS = ["01067", "99084", "00501", "60311", "99084"]
N = 60


def write(path: Path, cells: list[Any], separator: str = ",") -> Path:
    lines = [f"{cell}{separator}{i * 7 % 11}{separator}{'pq'[i % 2]}" for i, cell in enumerate(cells)]
    path.write_text("\n".join([separator.join(["zip", "n", "label"]), *lines]))
    return path


def zips(data: Dataset) -> Any:
    assert data.table is not None
    return data.table.columns[0]


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("quote", ["", '"'])
def test_they_are_categories(tmp_path: Path, separator: str, quote: str) -> None:
    path = write(tmp_path / "t.csv", [f"{quote}{zip}{quote}" for zip in np.resize(ZIPS, N)], separator)
    data = read(path)
    assert (zips(data).kind, zips(data).values) == ("category", ("00501", "01067", "60311", "99084"))
    assert any("zip (codes with leading zeros)" in note for note in data.notes)
    assert zips(read(path, kinds={"zip": "number"})).kind == "number"
    assert zips(read(path, mapped=True)) == zips(data)
    assert zips(read(pandas.read_csv(path, dtype={"zip": str}, sep=separator))) == zips(data)


def test_one_is_enough_wherever_it_is(tmp_path: Path) -> None:
    """Beyond the lines that decide the dialect, and across the blocks in which a file is read."""
    for place in (0, 999, 29_999):
        cells: list[Any] = [10_000 + i % 50 for i in range(30_000)]
        cells[place] = "01067"
        data = read(write(tmp_path / "t.csv", cells))
        assert zips(data).kind == "category", place
        assert len(zips(data).values) == 51


@pytest.mark.parametrize(
    "cells",
    [
        ["0", "10", "205"], ["0.5", "01.5", "7"], ["-01", "5", "7"], ["0", "0", "1"], ["+05", "6", "7"],
        ["1e05", "2", "7"],
    ],
)  # fmt: skip
def test_other_digits_are_numbers(tmp_path: Path, cells: list[str]) -> None:
    assert zips(read(write(tmp_path / "t.csv", list(np.resize(cells, N))))).kind == "number"


def test_gaps_do_not_hide_them(tmp_path: Path) -> None:
    data = read(write(tmp_path / "t.csv", list(np.resize([*ZIPS, "", "NA"], N))))
    assert zips(data).values == ("00501", "01067", "60311", "99084")
    assert any(f"zip (NA {N // 7})" in note for note in data.notes)


def test_those_that_are_all_different_are_left_out_with_the_reason(tmp_path: Path) -> None:
    data = read(write(tmp_path / "t.csv", [f"{i * 37:05}" for i in range(N)]))
    assert zips(data).kind == "id"
    assert any("codes with leading zeros" in note for note in data.notes)


def test_a_later_table_may_have_lost_the_zeros(tmp_path: Path) -> None:
    """As a spreadsheet or a data frame writes them, unless another category is that number."""
    known = read(write(tmp_path / "t.csv", list(np.resize(ZIPS, N)))).table
    codes = {zip: code for code, zip in enumerate(sorted(set(ZIPS)), 1)}
    rows = pandas.DataFrame({"zip": [1067, 501, 99084, 7], "n": 1})
    found = read(rows, table=known, labelled=False)
    assert found.x[:, 0].tolist() == [codes["01067"], codes["00501"], codes["99084"], 0]
    assert any("'7'" in note for note in found.notes)
    both = read(write(tmp_path / "t.csv", list(np.resize(["01067", "1067", "5"], N)))).table
    assert both is not None
    assert read(rows[:1], table=both, labelled=False).x[0, 0] == 1 + both.columns[0].values.index("1067")
