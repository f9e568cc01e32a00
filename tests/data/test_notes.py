"""What is said about the words and dates of a table, where a person may know better."""

from __future__ import annotations

from pathlib import Path

import pytest

from portanet import read
from portanet.cli.remedies import with_flags
from portanet.errors import ConfigError, DataError

N = 40


def write(path: Path, **columns: list[str]) -> Path:
    rows = zip(*columns.values(), (f"{'pq'[i % 2]}" for i in range(N)), strict=True)
    path.write_text("\n".join([",".join([*columns, "label"]), *map(",".join, rows)]))
    return path


def test_the_words_that_are_missing_values_are_counted(tmp_path: Path) -> None:
    size = ["NA" if i % 10 == 0 else "" if i % 10 == 1 else f"{i}.5" for i in range(N)]
    mood = ["none" if i % 2 else "sad" if i % 4 else "?" for i in range(N)]
    path = write(tmp_path / "t.csv", size=size, mood=mood, full=[str(i * i) for i in range(N)])
    for data in (read(path), read(path, mapped=True), read(path, held_out=0.5)):
        [line] = [note for note in data.notes if note.startswith("taken as missing")]
        assert line == "taken as missing: size (NA 4), mood (none 20, ? 10)"
    assert not any("taken as missing" in note for note in read(path, table=data.table, labelled=False).notes)


def test_dates_of_which_no_row_decides_the_order(tmp_path: Path) -> None:
    either = [f"{i % 12 + 1:02}/{(i * 5) % 12 + 1:02}/2020" for i in range(N)]
    dotted = [date.replace("/", ".") for date in either]
    clear = [*either[1:], "05/31/2020"]
    alike = [f"{i % 12 + 1:02}/{i % 12 + 1:02}/2020" for i in range(N)]
    path = write(tmp_path / "t.csv", either=either, dotted=dotted, clear=clear, alike=alike)
    data = read(path)
    [line] = [note for note in data.notes if note.startswith("taken as date")]
    assert (
        "either (month/day/year, though no row decides; for the other order kinds={'either': 'day.month.year'})" in line
    )
    assert "kinds={'dotted': 'month/day/year'}" in line
    assert "clear" not in line
    assert "alike" not in line
    turned = read(path, kinds={"either": "day.month.year", "dotted": "month/day/year"})
    assert not any(note.startswith("taken as date") for note in turned.notes)
    assert (turned.x[:, :4] == data.x[:, 4:8]).all()
    with pytest.raises(DataError, match=r"row 40 .*'05/31/2020' is not a date"):
        read(path, kinds={"clear": "day.month.year"})
    with pytest.raises(ConfigError, match=r"no dates of the form year-month-day: '01/01/2020'"):
        read(path, kinds={"either": "year-month-day"})
    assert "for the other order --column either=day.month.year" in with_flags(line)
