"""Tables as people write them: what is found in a file, what its columns are, and the next file read alike."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import portanet
from portanet import nn
from portanet.data import Dataset, read
from portanet.data.split import SPLIT_SEED, holdout, stratified
from portanet.errors import ConfigError, DataError, PortanetError
from portanet.rng import SPLIT, generator
from portanet.storage.schema import Column, Schema

ROWS = [[i * 1.5, ["red", "green", "blue"][i % 3], f"2024-01-{i % 28 + 1:02}", i % 2] for i in range(40)]
FRAME = pd.DataFrame(ROWS, columns=["size", "colour", "day", "label"])


def written(folder: Path, text: str | bytes, name: str = "rows.csv") -> Path:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder / name


def as_text(frame: pd.DataFrame = FRAME, **settings: Any) -> str:
    return frame.to_csv(index=False, **settings)


def same(one: Dataset, other: Dataset) -> None:
    np.testing.assert_array_equal(one.x, other.x)
    assert one.classes == other.classes
    assert one.columns == other.columns


USUAL = as_text()
WRITTEN: dict[str, tuple[str | bytes, str]] = {
    "semicolons": (as_text(sep=";"), "rows.csv"),
    "tabs": (as_text(sep="\t"), "rows.tsv"),
    "bars": (as_text(sep="|"), "rows.txt"),
    "decimal comma": (as_text(sep=";", decimal=","), "rows.csv"),
    "quoted": (as_text(quoting=1), "rows.csv"),
    "runs of spaces": (USUAL.replace(",", "   "), "rows.csv"),
    "spaces around cells": (USUAL.replace(",", " , "), "rows.csv"),
    "comments": ("# by hand\n" + USUAL.replace("\n", "\n# more\n", 3), "rows.data"),
    "trailing commas": (USUAL.replace("\n", ",\n"), "rows.csv"),
    "a mark and CRLF": ("\ufeff" + USUAL.replace("\n", "\r\n"), "rows.csv"),
    "utf-16": (USUAL.encode("utf-16"), "rows.csv"),
    "gz": (gzip.compress(USUAL.encode()), "rows.csv.gz"),
    "bz2": (bz2.compress(USUAL.encode()), "rows.csv.bz2"),
    "xz": (lzma.compress(USUAL.encode()), "rows.csv.xz"),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_how_a_file_is_written_does_not_matter(tmp_path: Path, how: str) -> None:
    text, name = WRITTEN[how]
    same(read(written(tmp_path, text, name)), read(FRAME))


def test_zip_stdin_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "rows.csv.zip", "w") as archive:
        archive.writestr("rows.csv", USUAL)
    same(read(tmp_path / "rows.csv.zip"), read(str(tmp_path / "rows.csv.zip")))
    same(read(tmp_path / "rows.csv.zip"), read(FRAME))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(USUAL.encode())))
    same(read("-"), read(FRAME))


def test_zstandard(tmp_path: Path) -> None:
    packer = pytest.importorskip("zstandard")
    same(read(written(tmp_path, packer.compress(USUAL.encode()), "rows.csv.zst")), read(FRAME))


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    FRAME.to_parquet(tmp_path / "rows.parquet")
    same(read(tmp_path / "rows.parquet"), read(FRAME))
    with pytest.raises(DataError, match="not a Parquet file"):
        read(written(tmp_path, b"PAR1" + bytes(50) + b"PAR1", "bad.parquet"))


def test_thousands_and_single_quotes(tmp_path: Path) -> None:
    text = "a;b;label\n" + "".join(f"1.{i:03},5;'x; y';{i % 2}\n" for i in range(9))
    data = read(written(tmp_path, text))
    assert data.x[:, 0].tolist() == [1000.5 + i for i in range(9)]
    us = read(written(tmp_path, 'a,label\n"1,234.5",x\n"2,000",y\n17,x\n'))
    assert us.x.tolist() == [[1234.5], [2000], [17]]


@pytest.mark.parametrize(
    ("cells", "decimal", "values"),
    [
        (["1.234", "2.500", "17"], ",", [1234, 2500, 17]),
        (["1.234", "2.5", "17"], ".", [1.234, 2.5, 17]),
        (["1,234", "2,500", "17"], ",", [1.234, 2.5, 17]),
        (["1,234", "2,500", "17"], ".", [1234, 2500, 17]),
    ],
)
def test_the_decimal_mark_decides_what_stands_between_thousands(
    tmp_path: Path, cells: list[str], decimal: str, values: list[float]
) -> None:
    path = written(tmp_path, "a;label\n" + "".join(f"{cell};x\n" for cell in cells))
    assert read(path, decimal=decimal).x[:, 0].tolist() == pytest.approx(values)


def test_whole_numbers_to_predict_that_float64_would_merge(tmp_path: Path) -> None:
    path = written(tmp_path, "a,label\n" + "".join(f"{i % 4}.5,{2**53 + i - 3}\n" for i in range(9)))
    with pytest.raises(DataError, match=r"row 4 .*'9007199254740992' is beyond 2\*\*53.* and 5 more"):
        read(path, task="regress")


def test_no_header(tmp_path: Path) -> None:
    path = written(tmp_path, "5.1,3.5,a\n4.9,3.0,b\n" * 5, "rows.data")
    assert read(path, label="3").columns == ("1", "2")
    assert read(path, label="3", header=False).classes == ("a", "b")
    with pytest.raises(DataError, match=r"no header, .*numbered from 1 to 3.*label=\"3\""):
        read(path, label="species")


def test_what_is_said_counts_more_than_what_is_found(tmp_path: Path) -> None:
    path = written(tmp_path, "a;label\n1,5;0\n2,5;1\n")
    assert read(path).x.tolist() == [[1.5], [2.5]]
    latin = written(tmp_path, "näme;label\n1;é\n2;x\n".encode("latin-1"), "latin.csv")
    assert read(latin).columns == read(latin, encoding="latin-1", separator=";").columns == ("näme",)
    with pytest.raises(ConfigError, match="unknown encoding"):
        read(path, encoding="klingon")


@pytest.mark.parametrize("word", ["", "?", "NA", "N/A", "nan", "null", "-", "None", "unknown"])
def test_missing_values(tmp_path: Path, word: str) -> None:
    path = written(
        tmp_path, "a,b,label\n" + "".join(f"{i},{'xyz'[i % 3]},0\n" for i in range(30)) + f"{word},{word},1\n"
    )
    data = read(path, missing=["unknown"])
    assert np.isnan(data.x[-1, 0])
    assert data.x[-1, 1] == 0
    assert data.table is not None
    assert data.table.kinds == ("number?", 3)


def test_a_number_that_means_missing_does_so_beside_words_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for word in ("7", "?"):  # without and with text in the column
        path.write_text("size,label\n" + "".join(f"{cell},{i % 2}\n" for i, cell in enumerate([word, 3, 999, "999.0"])))
        sizes = read(path, missing=["999"], kinds={"size": "number"}).x[:, 0]
        assert np.isnan(sizes).tolist() == [word == "?", False, True, True]


def test_names(tmp_path: Path) -> None:
    data = read(written(tmp_path, ",a,a,,label\n" + "".join(f"{i + 7},{i * i},{i % 5},{i % 3},0\n" for i in range(9))))
    assert data.columns == ("a", "a.2", "column 4")
    assert "column 1" in data.notes[0]


KINDS: dict[str, tuple[list[Any], str]] = {
    "number": ([i * 0.5 for i in range(30)], "number"),
    "whole numbers": ([i * i for i in range(30)], "number"),
    "category": (["a", "b", "c"] * 10, "category"),
    "numbers and a word": (["1", "2", "3+"] * 10, "category"),
    "signs": (["+", "-"] * 15, "category"),
    "yes and no": (["no", "yes"] * 15, "yes/no"),
    "truth": ([True, False] * 15, "yes/no"),
    "date": ([f"2024-02-{i % 28 + 1}" for i in range(30)], "date"),
    "day first": ([f"{i + 1}.02.2023" for i in range(28)] + ["1.3.2023", "31.12.2022"], "date"),
    "time": ([f"2024-02-03 {i % 24:02}:30:00" for i in range(30)], "date"),
    "constant": ([7] * 30, "constant"),
    "constant text": (["x"] * 30, "constant"),
    "nothing": ([None] * 30, "constant"),
    "rising": (list(range(842300, 842330)), "id"),
    "customer_id": ([(i * 7919) % 10_007 for i in range(30)], "id"),
    "distinct text": ([f"T {i * 7919}" for i in range(30)], "id"),
    "free text": ([f"a long sentence about number {i // 2}" for i in range(60)], "text"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(tmp_path: Path, name: str) -> None:
    values, kind = KINDS[name]
    frame = pd.DataFrame({name: values, "other": [i % 7 + 0.5 for i in range(len(values))], "label": "x"})
    for source in (frame, written(tmp_path, as_text(frame))):
        table = read(source).table
        assert table is not None
        assert table.columns[0].kind == kind
        assert bool(table.columns[0].why) == (kind in ("constant", "id", "text"))


def test_date_parts_agree_with_pandas(tmp_path: Path) -> None:
    days = pd.date_range("1999-12-25 13:30", periods=30, freq="17D")
    text = written(tmp_path, "when,label\n" + "".join(f"{day:%d/%m/%Y %H:%M},x\n" for day in days))
    since = (days.normalize() - pd.Timestamp(0)).days
    wanted = np.stack(
        [days.year, days.month, days.day_of_week, since, days.hour + days.minute / 60],
        1,
    )
    for data in (read(text), read(pd.DataFrame({"when": days, "label": "x"}))):
        assert data.columns == tuple(f"when.{part}" for part in ("year", "month", "weekday", "days", "hour"))
        np.testing.assert_allclose(data.x, wanted)


def test_kinds_may_be_named(tmp_path: Path) -> None:
    rows = "".join(f"{i},{20230101 + i},0{i % 4}021,{i % 2}\n" for i in range(20))
    path = written(tmp_path, "n,day,zip,label\n" + rows)
    kinds = {"n": "number", "day": "date", "zip": "category"}
    data = read(path, kinds=kinds)
    assert data.table is not None
    assert data.columns == ("n", "day.year", "day.month", "day.weekday", "day.days", "zip")
    assert data.table.columns[2].values == ("00021", "01021", "02021", "03021")
    assert read(path, kinds={"zip": "drop", "day": "id", "n": "number"}).columns == ("n",)
    with pytest.raises(ConfigError, match="cannot be 'letter'; it can be number, category, date, id, drop"):
        read(path, kinds={"zip": "letter"})
    with pytest.raises(DataError, match="unknown column 'zap'"):
        read(path, kinds={"zap": "drop"})


@pytest.mark.parametrize("mapped", [True, False])
def test_the_next_file_is_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool) -> None:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    path = written(tmp_path, as_text(sep=";", decimal=","))
    first = read(path, mapped=mapped)
    assert first.table is not None
    table = Schema.from_dict(json.loads(json.dumps(first.table.to_dict())))
    assert table == first.table

    def again(frame: pd.DataFrame, **settings: Any) -> Dataset:
        new = written(tmp_path, as_text(frame, **({"sep": ";", "decimal": ","} | settings)), "new.csv")
        return read(new, table=table, classes=first.classes, mapped=mapped)

    untouched = again(FRAME)
    assert untouched.x.tobytes() == first.x.tobytes()
    assert untouched.notes == ()
    other = FRAME.assign(extra="?")[["day", "extra", "colour", "size"]]
    same_rows = again(other)
    assert same_rows.x.tobytes() == first.x.tobytes()
    changed = FRAME.copy()
    changed.loc[3, "colour"], changed.loc[5, "size"] = "mauve", np.nan
    found = again(changed)
    assert found.x[3, first.columns.index("colour")] == 0  # type: ignore[union-attr]
    assert np.isnan(found.x[5, 0])
    assert [
        fact for fact in ("colour: 1 cell", "'mauve'", "size: 1 cell missing") if fact not in " ".join(found.notes)
    ] == []
    commas = again(FRAME, sep=",", decimal=".")
    assert commas.x.tobytes() == first.x.tobytes()
    assert "separated by commas" in commas.notes[0]
    with pytest.raises(DataError, match="no column 'size', 'day', which the model needs"):
        again(FRAME.drop(columns=["size", "day"]))
    spoilt = written(tmp_path, as_text(sep=";", decimal=",").replace("\n7,5;", "\nlarge;"), "new.csv")
    with pytest.raises(DataError, match=r"row 6 \(line 7\), column 'size': 'large' is not a number.*coerce=True"):
        read(spoilt, table=table, mapped=mapped)
    coerced = read(tmp_path / "new.csv", table=table, coerce=True, mapped=mapped)
    assert np.isnan(coerced.x[5, 0])
    assert any("size: 1 cell taken as missing" in note for note in coerced.notes)


def test_what_decides_the_task(tmp_path: Path) -> None:
    def task(labels: list[Any]) -> tuple[bool, str]:
        data = read(pd.DataFrame({"a": [i * 0.5 for i in range(len(labels))], "y": labels}), label="y", task="auto")
        return bool(data.classes), data.notes[-1]

    assert task([f"k{i % 30}" for i in range(60)])[0]
    assert task([True, False] * 5)[0]
    assert task([i % 20 for i in range(60)]) == (True, "y holds 20 distinct integers: learned as a class")
    assert task([i % 21 for i in range(60)]) == (False, "y holds 21 distinct integers: learned as a number")
    assert task([0.5, 1.0] * 5) == (False, "y holds fractions: learned as a number")


def test_pixels_stay_pixels(tmp_path: Path) -> None:
    rows = "".join(f"{i % 3},0,{i},7,0\n" for i in range(30))
    data = read(written(tmp_path, "label,pixel0,pixel1,pixel2,pixel3\n" + rows), task="auto")
    assert (data.x.dtype, data.x.shape, data.table) == (np.uint8, (30, 1, 2, 2), None)
    named = read(written(tmp_path, "label,a,b,c,d\n" + rows), image=(1, 2, 2), task="auto")
    assert (named.x.dtype, named.x.shape, named.table) == (np.uint8, (30, 1, 2, 2), None)


def test_a_kind_that_only_shows_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text behind many chunks of numbers: the column is read again as text."""
    monkeypatch.setattr("portanet.data.csv.frames._CELLS", 4)
    monkeypatch.setattr("portanet.data.csv.frames._ROWS", 2)
    rows = "".join(f"0{i % 3},{i * 0.5},0\n" for i in range(20)) + "".join(f"x{i % 2},{i},1\n" for i in range(9))
    table = read(written(tmp_path, "code,b,label\n" + rows)).table
    assert table is not None
    assert table.columns[0] == Column("code", "category", ("00", "01", "02", "x0", "x1"))


def test_any_change_of_a_file_gives_answers_or_one_line(tmp_path: Path) -> None:
    """1,000 files to predict, changed at random; an unchanged one gives the answers of the rows trained on."""
    text = as_text().encode()
    trained = read(written(tmp_path, text))
    model = nn.Sequential(nn.Columns(), nn.Dense(2))
    run = portanet.fit(model, trained, epochs=2, batch_size=40, backend="numpy")

    def outputs() -> Any:
        rows = read(tmp_path / "rows.csv", table=run.card.table, classes=("0", "1"), labelled=False)
        return len(rows), run.outputs(rows)

    np.testing.assert_array_equal(outputs()[1], run.outputs(trained))
    draw = random.Random(0)
    letters = b"\n\r,;\"'#0.5-x \xff\x00\t"
    for _ in range(1000):
        content = bytearray(text)
        for _ in range(draw.randint(1, 6)):
            at = draw.randrange(len(content))
            kind = draw.randrange(3)
            stop = at + (1 if kind == 0 else draw.randint(1, 30) if kind == 1 else 0)
            content[at:stop] = b"" if kind == 1 else bytes([draw.choice(letters)])
        written(tmp_path, bytes(content))
        try:
            count, found = outputs()
            assert found.shape == (count, 2)
            assert np.isfinite(found).all()
        except PortanetError as error:
            assert str(error).isprintable()


HOSTILE: list[tuple[str, Any]] = [
    ("columns", []),
    ("columns", [{"name": "a"}, {"name": "a"}]),
    ("columns", [{"name": "a", "kind": "category"}]),
    ("columns", [{"name": "a", "kind": "yes/no", "values": ["x"]}]),
    ("columns", [{"name": "a", "kind": "number", "values": ["x"]}]),
    ("columns", [{"name": "a", "kind": "date"}]),
    ("columns", [{"name": "a", "kind": "date", "form": "day of doom"}]),
    ("columns", [{"name": "a", "kind": "code"}]),
    ("columns", [{"name": 3}]),
    ("columns", {"a": 1}),
    ("dialect", {"separator": ""}),
    ("dialect", {"separator": "\n"}),
    ("dialect", {"encoding": "zip"}),
    ("dialect", {"encoding": "rot13"}),
    ("dialect", {"missing": 3}),
    ("other", 1),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_a_schema_that_cannot_be(name: str, value: Any) -> None:
    with pytest.raises(ConfigError):
        Schema.from_dict({"columns": [{"name": "a"}], name: value})


@pytest.mark.parametrize("mapped", [True, False])
def test_kinds_are_decided_on_the_rows_to_train_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: bool
) -> None:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("portanet.data.csv.frames._CELLS", 40)
    monkeypatch.setattr("portanet.data.csv.frames._ROWS", 10)
    labels = [f"k{i % 3}" for i in range(60)]
    _, held = stratified(np.arange(60) % 3, 12, generator(SPLIT_SEED, SPLIT))
    rows = [[i + 7, "xyz"[i % 3], i % 5 * 0.5, "even", labels[i]] for i in range(60)]
    for i in held:
        rows[i][1:4] = [f"new{i % 2}", "", "odd"]
    frame = pd.DataFrame(rows, columns=["n", "colour", "size", "same", "label"])
    path = written(tmp_path, as_text(frame))
    for source in (path, frame):
        data = read(source, held_out=0.2, mapped=mapped)
        assert data.table is not None
        kinds = {column.name: (column.kind, column.values, column.gaps) for column in data.table.columns}
        assert kinds == {
            "n": ("id", (), False),
            "colour": ("category", ("x", "y", "z"), False),
            "size": ("number", (), False),
            "same": ("constant", (), False),
        }
        training, validation = holdout(data, 0.2)
        assert not np.isnan(training.x).any()
        assert (training.x[:, 0] > 0).all()
        assert (validation.x[:, 0] == 0).all()
        assert np.isnan(validation.x[:, 1]).all()
        told = " ".join(data.notes)
        assert "colour: 12 cells with values that training did not have" in told
        assert "size: 12 cells missing, none was in training" in told
    whole = read(path, mapped=mapped).table
    assert whole is not None
    assert [column.kind for column in whole.columns] == ["id", "category", "number", "category"]
    spoilt = path.read_text().replace(f"\n{held[0] + 7},new{held[0] % 2},,", f"\n{held[0] + 7},x,large,")
    with pytest.raises(DataError, match=r"column 'size': 'large' is not a number"):
        read(written(tmp_path, spoilt), held_out=0.2, mapped=mapped)
    unlabelled = as_text(frame.assign(label=["NA", *labels[1:]]))
    with pytest.raises(DataError, match="no label"):
        read(written(tmp_path, unlabelled), held_out=0.2, mapped=mapped)


def test_years_that_rise_by_one_are_numbers(tmp_path: Path) -> None:
    """As in a series with a row a year, whose trend they hold; other columns that rise so number the rows."""
    path = tmp_path / "t.csv"
    path.write_text("Year,week,label\n" + "".join(f"{1990 + i},{i},{'ab'[i % 2]}\n" for i in range(30)))
    assert read(path).columns == ("Year",)
