"""Which separator a file has, where several may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from portanet import read

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
