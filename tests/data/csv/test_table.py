"""CSV files: what is read, and that the rest is refused with the place named."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from csv_files import Write, read_table
from hypothesis import example, given
from hypothesis import strategies as st

from portanet.data.cells import is_gap
from portanet.data.csv import frames
from portanet.errors import DataError
from portanet.storage.schema import Dialect


def test_pixels_become_images(write: Write) -> None:
    data = read_table(write("label,pixel0,pixel1,pixel2,pixel3\n7,0,1,2,255\n1,4,5,6,7\n"))
    assert data.x.dtype == np.uint8
    assert data.x.tolist() == [[[[0, 1], [2, 255]]], [[[4, 5], [6, 7]]]]
    assert data.targets is not None
    assert data.targets.dtype == np.int32
    assert data.targets.tolist() == [1, 0]
    assert data.classes == ("1", "7")
    assert data.columns is None


def test_pixels_are_ordered_by_their_numbers(write: Write) -> None:
    data = read_table(write("pixel2,pixel0,label,pixel3,pixel1\n2,0,9,3,1\n"))
    assert data.x.ravel().tolist() == [0, 1, 2, 3]


def test_pixels_without_labels(write: Write) -> None:
    data = read_table(write("pixel0\n5\n6\n"))
    assert data.x.shape == (2, 1, 1, 1)
    assert data.targets is None
    assert data.classes == ()


def test_image_shape_given(write: Write) -> None:
    path = write("pixel0,pixel1,pixel2,pixel3,pixel4,pixel5\n0,1,2,3,4,5\n")
    assert read_table(path).columns == tuple(f"pixel{i}" for i in range(6))
    assert read_table(path, image=(1, 2, 3)).x.tolist() == [[[[0, 1, 2], [3, 4, 5]]]]
    assert read_table(path, image=(3, 1, 2)).x.shape == (1, 3, 1, 2)


def test_image_shape_given_for_other_names(write: Write) -> None:
    data = read_table(write("b,a\n3,4\n"), image=(1, 1, 2))
    assert data.x.tolist() == [[[[3, 4]]]]


def test_small_whole_numbers_are_floats(write: Write) -> None:
    """As uint8, `age - years` would wrap around."""
    data = read_table(write("a,b\n0,1.0\n255,2e1\n"))
    assert data.x.dtype == np.float32
    assert (data.x[:, 0] - data.x[:, 1]).tolist() == [-1, 235]
    assert data.columns == ("a", "b")


@pytest.mark.parametrize("wrong", ["20230101", "16777217", "1700000000.5", "1e-46"])
@pytest.mark.parametrize("mapped", [True, False])
def test_numbers_that_float32_would_merge_are_float64(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str, mapped: bool
) -> None:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(frames, "_CELLS", 2)
    monkeypatch.setattr(frames, "_ROWS", 2)
    other = str(float(wrong) * (1 + 1e-9))
    data = read_table(write(f"label,a\n0.1,0.1\n0.25,3\n7,{wrong}\n1,{other}\n"), regress=True, mapped=mapped)
    assert data.x.dtype == np.float64
    assert data.x.ravel().tolist() == [0.1, 3, float(wrong), float(other)]
    assert data.require_labels().tolist() == [np.float32(0.1), 0.25, 7, 1]
    narrow = read_table(write("label,a\n1,16777216\n2,0.1\n1,0.1000001\n"), mapped=mapped)
    assert narrow.x.dtype == np.float32


def test_targets_that_float32_would_merge_are_float64(write: Write) -> None:
    data = read_table(write("label,a\n20230101,1\n20230102,2\n"), regress=True)
    assert data.require_labels().tolist() == [20230101, 20230102]
    assert read_table(write("label,a\n1.5,1\n2.5,2\n"), regress=True).require_labels().dtype == np.float32


@pytest.mark.parametrize("value", ["256", "-1", "0.5", "1e300000", "1e39", str(2**63), "nan", ""])
def test_other_numbers_become_float32_or_are_refused(write: Write, value: str) -> None:
    path = write(f"a,b\n1,2\n{value},3\n")
    if value in ("1e300000", "1e39"):
        with pytest.raises(DataError, match=r"row 2 \(line 3\), column 'a'"):
            read_table(path)
    else:
        data = read_table(path)
        assert data.x.dtype == np.float32
        np.testing.assert_array_equal(data.x, np.array([[1, 2], [float(value or "nan"), 3]], np.float32))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "9", "10"], ("9", "10")),
        (["07", "7.0", " 8"], ("7", "8")),
        (["-1", "1", "0"], ("-1", "0", "1")),
        (["Na Li", "Nobody", "True"], ("Na Li", "Nobody", "True")),
        (["b", "a", "10"], ("10", "a", "b")),
        (["été", '"quoted, too"', "x"], ("quoted, too", "x", "été")),
    ],
)
def test_classes(write: Write, labels: Sequence[str], classes: tuple[str, ...]) -> None:
    path = write("kind,a\n" + "".join(f"{label},{i}\n" for i, label in enumerate(labels)))
    data = read_table(path, label="kind")
    assert data.classes == classes
    assert data.x.tolist() == [[0], [1], [2]]


def test_labels_are_the_same_in_every_chunk(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_CELLS", 4)
    monkeypatch.setattr(frames, "_ROWS", 1)
    data = read_table(write("label,a\n07,1\n1,2\nx,3\n07,4\n1,5.5\n"))
    assert data.classes == ("07", "1", "x")
    assert data.require_targets().tolist() == [0, 1, 2, 0, 1]
    assert data.x.ravel().tolist() == [1, 2, 3, 4, 5.5]


def test_a_wide_table_is_not_cut_into_a_few_rows_each(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 rows of 50,000 columns took 125 s in chunks of 41 rows, and 8 s in one."""
    chunks: list[int] = []
    chunk_of = frames._chunk

    def counted(frame: Any, *rest: Any) -> Any:
        chunks.append(len(frame))
        return chunk_of(frame, *rest)

    monkeypatch.setattr(frames, "_chunk", counted)
    monkeypatch.setattr(frames, "_CELLS", 4)
    read_table(write("a,b\n" + "1,2\n4,3\n" * 150))
    assert chunks == [256, 44]


def test_fault_in_a_later_chunk(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_CELLS", 4)
    monkeypatch.setattr(frames, "_ROWS", 1)
    sound = [f"{i},{i * 7 % 40}\n" for i in range(40)]
    for wrong in ("5,6,7", "5", "5,x"):
        with pytest.raises(DataError, match=r"row 13 \(line 14\)"):
            read_table(write("".join(["a,b\n", *sound[:12], wrong + "\n", *sound[13:]])))


def test_fractions_are_no_classes(write: Write) -> None:
    path = write("label,a\n1.5,1\n2,2\n")
    with pytest.raises(DataError, match=r"label 1\.5 .* task=\"regress\""):
        read_table(path)
    data = read_table(path, regress=True)
    assert data.targets is not None
    assert data.targets.dtype == np.float32
    assert data.targets.tolist() == [1.5, 2]
    assert data.classes == ()


def test_regression_target_must_be_a_number(write: Write) -> None:
    for wrong in ("x", "inf", "1e39"):
        with pytest.raises(DataError, match=r"row 2 \(line 3\), column 'label'"):
            read_table(write(f"label,a\n1,1\n{wrong},2\n"), regress=True)


def test_model_columns_are_matched_by_name(write: Write) -> None:
    data = read_table(write("b,kind,a\n1,x,2\n"), label="kind", columns=("a", "b"), classes=("x", "y"))
    assert data.x.tolist() == [[2, 1]]
    assert data.columns == ("a", "b")
    assert data.classes == ("x", "y")
    assert data.require_targets().tolist() == [0]


def test_model_with_pixel_columns_as_a_table(write: Write) -> None:
    data = read_table(write("pixel1,pixel0,pixel2,pixel3\n1,0,2,300\n"), columns=[f"pixel{i}" for i in range(4)])
    assert data.x.tolist() == [[0, 1, 2, 300]]


def test_model_input_called_label(write: Write) -> None:
    data = read_table(write("label,a\n1,2\n"), columns=("a", "label"))
    assert data.x.tolist() == [[2, 1]]
    assert data.targets is None


@pytest.mark.parametrize(
    ("content", "facts", "message"),
    [
        ("a\n1\n", {"columns": ("a", "b")}, "no column 'b'"),
        ("label,a\n1,1\n3,1\n", {"columns": ("a",), "classes": ("1", "2")}, "row 2: the label '3' .* 1, 2"),
        ("label,a\n1,1\n", {"columns": ("a", "label"), "label": "label"}, "'label' is an input of the model"),
        ("label,a\n1,1\n", {"label": "lable"}, "did you mean 'label'"),
        ("pixel0,pixel1,pixel2\n1,1,1\n", {"image": (1, 2, 2)}, "3 pixel columns; a 1x2x2 image needs 4"),
        ("label,a,b,c,d,e\n1,1,1,1,1,1\n", {"image": (1, 2, 2)}, "5 pixel columns"),
    ],
)
def test_columns_that_do_not_fit(write: Write, content: str, facts: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(content), **facts)  # type: ignore[arg-type]


def test_a_trained_model_does_not_need_the_label(write: Write) -> None:
    known: dict[str, Any] = {"columns": ("a",), "classes": ("x",)}
    assert read_table(write("a\n1\n"), default_label="kind", **known).labels is None
    assert read_table(write("kind,a\nx,1\n"), default_label="kind", **known).labels is not None
    with pytest.raises(DataError, match="has no column 'kind'; its columns: a"):
        read_table(write("a\n1\n"), label="kind", **known)


GOOD = "label,a,b\n1,2,3\n4,5,6\n"


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.strip(),
        GOOD + "\n\n",
        "\n" + GOOD.replace("\n", "\n\n"),
        GOOD.replace(",", " , "),
        '"label","a","b"\n"1","2","3"\n"4","5","6"\n',
        GOOD.replace("5", "+05").replace("3", "3."),
    ],
)
def test_read_rightly(write: Write, content: str) -> None:
    data = read_table(write(content))
    assert data.x.tolist() == [[2, 3], [5, 6]]
    assert data.classes == ("1", "4")
    assert data.columns == ("a", "b")


_NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 255),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
_LABELS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1).filter(str.strip)


@given(st.data())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.lists(_NUMBERS, min_size=width, max_size=width), min_size=1, max_size=8))
    labels = data.draw(st.lists(_LABELS, min_size=len(rows), max_size=len(rows)))
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow([*(f"c{i}" for i in range(width)), "label"])
    lines.writerows([*row, f"k{label}"] for row, label in zip(rows, labels, strict=True))
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(text.getvalue().encode())
    found = read_table(path)
    assert [found.classes[i] for i in found.require_targets()] == [f"k{label}".strip() for label in labels]
    np.testing.assert_allclose(found.x, np.array(rows, np.float64), rtol=1e-7)


@given(st.lists(st.text("0123456789.eE+- ,x\"_naif\t'", max_size=6), min_size=1, max_size=6))
@example(["0,0"])
@example(["1,000", "2,000.5"])
def test_no_cell_is_misread(tmp_path_factory: pytest.TempPathFactory, cells: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "cells.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["a", "b"], *([cell, 0] for cell in cells)])
    try:
        found = read_table(path)
    except DataError as error:
        assert "row" in str(error) or "no column to learn from" in str(error)
    else:
        if found.table.columns[0].kind == "number":
            marks, sign = found.table.dialect, found.table.columns[0].sign
            cells = [cell.strip().removesuffix(sign) for cell in cells]
            plain = [cell.replace("_", "?").replace(marks.thousands or "\0", "") for cell in cells]
            plain = [cell.replace(marks.decimal, ".") for cell in plain]
            expected = [np.nan if is_gap(cell.strip(), Dialect()) else float(cell) for cell in plain]
            np.testing.assert_allclose(found.x[:, 0], np.array(expected, np.float32), rtol=1e-6)


_PEAK = """
import resource, sys
import pandas
from portanet.data.csv.table import read_table
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
x = read_table(sys.argv[1]).x
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, x.shape, x.dtype)
"""


def test_memory_stays_near_the_result(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    row = ",".join(["17"] * 785) + "\n"
    with open(path, "w") as file:
        file.write(",".join(["label", *(f"pixel{i}" for i in range(784))]) + "\n")
        for _ in range(100):
            file.write(row * 100)
    found = subprocess.run([sys.executable, "-c", _PEAK, path], capture_output=True, text=True, check=True).stdout
    kilobytes, _, kind = found.partition(" ")
    assert kind.strip() == "(10000, 1, 28, 28) uint8"
    # As int64 the table alone is 63 MB, and a parser that holds it whole needs twice that.
    assert int(kilobytes) < 110_000
