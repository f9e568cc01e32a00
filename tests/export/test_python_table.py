"""predict.py for tables: text, gaps, dates and new values, read and answered where portanet cannot be imported."""

from __future__ import annotations

import csv
import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import mixed_table
import numpy as np
import pandas as pd
import pytest
from test_python import WITHOUT_PORTANET, imported

from portanet import TrainedModel, fit, nn, read
from portanet.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Any:
    return tmp_path_factory.mktemp("table")


@pytest.fixture(scope="module")
def run(folder: Path) -> TrainedModel:
    model = mixed_table.trained(folder)
    model.save(folder / "model.safetensors")
    model.save(folder / "predict.py")
    return model


def both(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What `portanet predict` prints for a file, and what predict.py does."""
    with pytest.raises(SystemExit) as stop:
        main(["predict", str(folder / "model.safetensors"), str(folder / name)])
    here = capsys.readouterr()
    assert stop.value.code == 0, here.err
    command = [sys.executable, "-I", "-c", WITHOUT_PORTANET, "predict.py", name]
    there = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert there.returncode == 0, there.stderr
    return here.out, there.stdout


def test_a_file_is_answered_as_by_portanet(run: TrainedModel, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mixed_table.write(folder / "new.csv", mixed_table.new_rows(zero="0"))
    here, there = both(folder, "new.csv", capsys)
    assert here == there
    assert here.startswith("Row,label\n1,")
    assert {line.partition(",")[2] for line in here.split()} == {"label", "high", "low"}


@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_columns_rows_and_frames_are_answered_alike(run: TrainedModel, folder: Path, count: int) -> None:
    rows = mixed_table.new_rows(zero="0")
    predict = imported((folder / "predict.py").read_text(encoding="utf-8"))["predict"]
    here = read(mixed_table.write(folder / "rows.csv", rows), table=run.card.table, labelled=False)
    expected, labels = run.probabilities(here)[:count], run.predict(here)[:count]
    rows = rows[:count]
    as_columns = {name: [row[name] for row in rows] for name in mixed_table.new_rows()[0]}
    typed = dict(as_columns)
    for name in ("size", "grid"):
        typed[name] = [float(cell) if cell and cell != "nan" else None for cell in typed[name]]
    for name in ("day", "seen at"):
        typed[name] = np.array([cell.replace(" ", "T") or "NaT" for cell in typed[name]], "datetime64[s]")
    given = [as_columns, typed, pd.DataFrame(typed), here.x[:count]]
    typed["day"] = [None if np.isnat(day) else day.astype(datetime.datetime).date() for day in typed["day"]]
    for table in [*given, typed, *([rows] if rows else [])]:
        answers = predict(table)
        np.testing.assert_allclose(answers["probabilities"], expected, rtol=0, atol=1e-5)
        assert answers["label"].tolist() == labels.tolist()


DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "decimal comma": ("id;size;colour;label\n{i};{i},5;{c};{y}\n", {}),
    "thousands": ('size,colour,label\n"{t},{i:03}.25",{c},{y}\n', {}),
    "german thousands": ("size;colour;label\n{t}.{i:03},25;{c};{y}\n", {"separator": ";"}),
    "missing numbers": ("size\tcolour\tlabel\n{m}\t{c}\t{y}\n", {"missing": ["999", "none known"]}),
    "declared separator": ("sep=;\nsize;colour;label\n{i}.5;{c};{y}\n", {}),
    "signs": ('price,share,label\n"$1,{i:03}.50",{i}%,{y}\n', {}),
    "codes": ("zip,label\n0{d:04},{y}\n", {}),
    "single quotes": ("size,colour,label\n{i}.5,'{c}, or so',{y}\n", {}),
    "comments": ("# a table\nsize,colour,label\n{i}.5,{c},{y}\n# a line\n", {}),
    "spaces": ("size colour label\n  {i}.5   {c} {y}\n", {}),
    "row names": ("size\tcolour\tlabel\n{i}\t{i}.5\t{c}\t{y}\n", {}),
    "no header": ("{i}.5,{c},{y}\n", {"label": "3"}),
    "names": ("size,size,,label\n{i}.5,{c},{t},{y}\n", {}),
    "dates": ("day,at,label\n3/{d}/2021,{d} Mar 2021 {h}:30 PM,{y}\n", {}),
    "whole dates": ("day,at,label\n202103{d:02},16{i:08},{y}\n", {"kinds": {"day": "date", "at": "date"}}),
    "unnamed truths": ("is,size,label\n{b},{i}.5,{y}\n", {}),
}


def lines_of(template: str, numbers: range, *, labelled: bool) -> str:
    *heads, line = template.splitlines(keepends=True)
    comment = heads.pop() if line.startswith("#") else ""
    if comment:
        comment, line = line, comment
    text = "".join(heads)
    for i in numbers:
        cells = {"i": i, "t": 1 + i % 7, "c": ("red", "grün", "ä b")[i % 3 % (2 if " " in template[:13] else 3)]}
        cells |= {"m": ("999", "?", "999.0", f"{i}.5")[i % 9 % 4], "d": 1 + i % 28, "h": 1 + i % 12}
        cells |= {
            "y": ("no", "yes")[i % 2] if labelled else "?",
            "b": ("True", "False", "f", "YES")[i % 2 + 2 * (i > 60)],
        }
        text += line.format(**cells) + comment
    return text


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_files_are_written_as_the_one_that_was_learnt_from(
    name: str, encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    template, settings = DIALECTS[name]
    if encoding != "utf-8" and "{c}" not in template:
        pytest.skip("all of it is ASCII")
    for file, numbers in (("train.txt", range(60)), ("new.txt", range(55, 90))):
        (tmp_path / file).write_text(lines_of(template, numbers, labelled=file == "train.txt"), encoding=encoding)
    data = read(tmp_path / "train.txt", **settings)
    model = fit(nn.Sequential(nn.Columns(), nn.Dense(8), nn.Tanh(), nn.Dense(2)), data, epochs=20)
    model.save(tmp_path / "model.safetensors")
    model.save(tmp_path / "predict.py")
    found = imported((tmp_path / "predict.py").read_text(encoding="utf-8"))
    matrix = found["matrix"](found["read"](str(tmp_path / "new.txt")))
    known = read(tmp_path / "new.txt", table=model.card.table, default_label=model.card.label, labelled=False)
    np.testing.assert_array_equal(matrix, known.x)
    here, there = both(tmp_path, "new.txt", capsys)
    assert here == there
    first = {"decimal comma": "id", "row names": "column 1"}.get(name, "Row")
    assert here.startswith(f"{first},{model.card.label}\n")


def test_another_encoding_and_dates_that_are_no_text(tmp_path: Path) -> None:
    """The encoding is found in each file; a date of Python or NumPy is one, however the file writes its dates."""
    lines = [f"{1 + i % 12}/{1 + i % 28}/2021,{('red', 'grün')[i % 2]},{i % 2}" for i in range(50)]
    for name, encoding in (("train.csv", "cp1252"), ("new.csv", "utf-8")):
        (tmp_path / name).write_text("day,colour,label\n" + "\n".join(lines), encoding=encoding)
    data = read(tmp_path / "train.csv")
    run = fit(nn.Sequential(nn.Columns(), nn.Dense(2)), data, epochs=1)
    found = imported(run.save(tmp_path / "predict.py").read_text(encoding="utf-8"))
    table = found["read"](str(tmp_path / "new.csv"))
    np.testing.assert_array_equal(found["matrix"](table), data.x)
    moments = [datetime.datetime.strptime(day, "%m/%d/%Y") for day in table["day"]]
    for days in (moments, np.array(moments, "datetime64[s]"), pd.Series(moments)):
        np.testing.assert_array_equal(found["matrix"](table | {"day": days}), data.x)


def test_frames_are_read_as_here_whatever_their_types(tmp_path: Path) -> None:
    starts = pd.date_range("2024-01-01 23:30", periods=60, freq="7h")
    frame = pd.DataFrame(
        {
            "lasts": pd.to_timedelta(np.arange(60) ** 2, unit="ms"),
            "month": pd.period_range("2019-01", periods=60, freq="M"),
            "zoned": starts.tz_localize("Asia/Kolkata"),
            "class": pd.Series(np.arange(60) % 3 * 1.0).astype("category"),
            "is": np.arange(60) % 4 < 2,
            "whole": pd.array([i * i if i % 7 else None for i in range(60)], dtype="Int64"),
            "text": pd.Series([("a", "b", None)[i % 3] for i in range(60)]).astype("category"),
        }
    )
    frame.loc[5, ["lasts", "month", "zoned"]] = None
    run = fit(nn.Sequential(nn.Columns(), nn.Dense(2)), frame, np.arange(60) % 2, epochs=1)
    found = imported(run.save(tmp_path / "predict.py").read_text(encoding="utf-8"))
    data = read(frame, table=run.card.table, labelled=False)
    np.testing.assert_array_equal(found["matrix"](frame), data.x)
    arrays = {"lasts": frame["lasts"].to_numpy(), "zoned": frame["zoned"].to_numpy("datetime64[s]")}
    np.testing.assert_array_equal(found["matrix"]({name: frame[name] for name in frame} | arrays), data.x)


def test_numbers_have_the_decimals_that_portanet_gives_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = mixed_table.training_rows()
    data = read(mixed_table.write(tmp_path / "rows.csv", rows), label="grid", task="regress", kinds=mixed_table.KINDS)
    model = fit(nn.Sequential(nn.Columns(), nn.Dense(3)), data, loss=nn.Quantile((0.1, 0.5, 0.9)), valid=0.3, epochs=2)
    model.save(tmp_path / "model.safetensors")
    model.save(tmp_path / "predict.py")
    here, there = (list(csv.reader(text.splitlines())) for text in both(tmp_path, "rows.csv", capsys))
    assert here[0] == there[0] == ["Row", "grid", "lower", "upper"]
    ours, theirs = (np.array(table[1:], np.float64) - 1e9 for table in (here, there))
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-5)
    assert max(len(cell.partition(".")[2]) for row in there[1:] for cell in row) <= 7


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"size": "large"}, "row 2, column 'size': 'large' is not a number"),
        ({"size": "1e40"}, "'1e40' is not a number"),
        ({"day": "yesterday"}, "row 2, column 'day': 'yesterday' is not a date"),
        ({"town": "a, b"}, "row 2 has 11 cells, the header 10"),
        ({"colour": None}, "there is no column 'colour'"),
    ],
    ids=["text", "too large", "no date", "too many cells", "no column"],
)
def test_what_a_table_is_refused_for_is_one_line(
    run: TrainedModel, folder: Path, change: dict[str, Any], fact: str, tmp_path: Path
) -> None:
    rows = mixed_table.new_rows(3)
    rows[1] |= change
    kept = [name for name in rows[0] if change.get(name, "") is not None]
    lines = [",".join(row[name] for name in kept) for row in [dict(zip(rows[0], rows[0])), *rows]]
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    command = [sys.executable, "-I", "-c", WITHOUT_PORTANET, str(folder / "predict.py"), "rows.csv"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert fact in result.stderr
    assert result.stderr.count("\n") == 1


def test_columns_of_different_length_are_refused(run: TrainedModel, folder: Path) -> None:
    predict = imported((folder / "predict.py").read_text(encoding="utf-8"))["predict"]
    columns = {name: ["", ""] for name in mixed_table.new_rows()[0]}
    assert len(predict(columns)["label"]) == 2
    with pytest.raises(ValueError, match="number of rows"):
        predict(columns | {"town": ["x"]})


def test_excels_errors_are_not_comments(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("n,label\n# a comment\n" + "".join(f"{i / 2},{'xy'[i % 2]}\n" for i in range(40)))
    network = nn.Sequential(nn.Columns(), nn.Dense(2))
    fit(network, read(path), epochs=1).save(tmp_path / "predict.py")
    path.write_text("n\n# another\n1.5\n#DIV/0!\n")
    command = [sys.executable, "-I", "-c", WITHOUT_PORTANET, str(tmp_path / "predict.py"), "rows.csv"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "'#DIV/0!' is not a number" in result.stderr
