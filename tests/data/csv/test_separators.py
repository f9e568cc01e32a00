"""Which separator a file has, where several may be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from portanet import read
from portanet.storage.schema import Schema

CARS = "".join(f'{18 + i}.5   {4 + i % 3}   {90 + i}.0      {2000 + i}.\t"ford {"abc"[i % 3]} gt"\n' for i in range(40))
SEEDS = "".join(f"{15 + i}.2\t14.{i}\t{chr(9) * (i % 9 == 0)}0.{i}\t{1 + i % 3}\n" for i in range(40))
WORDS = "".join(f"{i} cm\tJohn {'AB'[i % 2]} Smith\t{'xy'[i % 2]}\n" for i in range(40))
GAPS = "".join(f"{i}.5\t{i % 7 if i % 9 else ''}\t{i % 3}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "separator", "columns", "label"),
    [
        (CARS, " ", 4, "1"),  # a tab before the last cell alone
        (SEEDS, " ", 3, "4"),  # some rows with two tabs for one
        ("size\tname\tlabel\n" + WORDS, "\t", 2, "label"),
        (GAPS, "\t", 2, "3"),
    ],
    ids=["cars", "seeds", "words", "gaps"],
)
def test_tabs_or_runs_of_spaces(tmp_path: Path, text: str, separator: str, columns: int, label: str) -> None:
    path = tmp_path / "a.data"
    path.write_text(text)
    table = read(path, label=label, task="auto").table
    assert table is not None
    assert table.dialect is not None
    assert (table.dialect.separator, len(table.columns)) == (separator, columns)


@pytest.mark.parametrize(
    "mark", ["'", "\u2019", "\u00a0", "\u202f", " "], ids=["apostrophe", "curly", "nbsp", "thin", "space"]
)
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("sign", ["", "\u00a0€", " km"], ids=["bare", "euro", "unit"])
def test_spaces_and_apostrophes_between_thousands(tmp_path: Path, mark: str, decimal: str, sign: str) -> None:
    values = [round(7.25 * 9 ** (i % 6) + i, 2) for i in range(40)]
    cells = [f"{value:,.2f}".replace(",", mark).replace(".", decimal) + sign for value in values]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["area;town;label", *(f"{cell};a 1;{'xy'[i % 2]}" for i, cell in enumerate(cells))]))
    data = read(path)
    assert data.columns == ("area",)
    np.testing.assert_allclose(data.x[:, 0], values, rtol=1e-6)
    assert f"{'a space' if mark.isspace() else repr(mark)} between thousands" in data.notes[0]
    assert data.table is not None
    assert Schema.from_dict(data.table.to_dict()) == data.table


def test_a_decimal_comma_in_one_column_is_no_separator(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("size;town;label\n" + "".join(f"{i},25;{'ab'[i % 3 > 0]};{'xy'[i % 2]}\n" for i in range(40)))
    data = read(path)
    assert data.columns == ("size", "town")
    assert data.x[:3, 0].tolist() == [0.25, 1.25, 2.25]


def test_phone_numbers_have_no_thousands(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("phone,n,label\n" + "".join(f"555 {100 + i} {900 - i},{i * i},{'xy'[i % 2]}\n" for i in range(40)))
    assert read(path).columns == ("n",)
    path.write_text("code,n,label\n" + "".join(f"A {100 + i},{i * i},{'xy'[i % 2]}\n1 234,7,x\n" for i in range(40)))
    assert read(path).columns == ("n",)
