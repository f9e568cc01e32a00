"""DATA by name, path and part."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from portanet.data import Dataset, read
from portanet.errors import ConfigError, DataError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("label,a,b\nx,1,2\ny,3,4\n")
    np.savez(tmp_path / "rows.npz", x_train=np.ones((3, 2)), y_train=[0, 1, 2], x_test=np.ones((1, 2)), y_test=[2])
    (tmp_path / "idx").mkdir()
    for part, rows in (("train", 2), ("t10k", 1)):
        images = struct.pack(">4I", 0x803, rows, 3, 3) + bytes(9 * rows)
        (tmp_path / "idx" / f"{part}-images-idx3-ubyte").write_bytes(images)
        (tmp_path / "idx" / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, rows) + bytes(rows))
    return tmp_path


@pytest.mark.parametrize(
    ("source", "shape"),
    [
        ("mnist", (60_000, 1, 28, 28)),
        ("mnist:article", (42_000, 1, 28, 28)),
        ("mnist:test", (10_000, 1, 28, 28)),
        ("rows.csv", (2, 2)),
        ("./rows.csv", (2, 2)),
        ("rows.npz", (3, 2)),
        ("rows.npz:train", (3, 2)),
        ("rows.npz:test", (1, 2)),
        ("idx", (2, 1, 3, 3)),
        ("idx/", (2, 1, 3, 3)),
        ("idx:test", (1, 1, 3, 3)),
    ],
)
def test_sources(here: Path, source: str, shape: tuple[int, ...]) -> None:
    data = read(source)
    assert isinstance(data, Dataset)
    assert data.name == source
    assert data.x.shape == shape
    assert len(data.require_labels()) == len(data) == shape[0]


def test_upper_case_suffix_and_colon_in_a_name(here: Path) -> None:
    (here / "rows.csv").rename(here / "rows:test.CSV")
    assert len(read("rows:test.CSV")) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("mnits", "mnits does not exist; did you mean 'mnist'"),
        ("MNIST", "did you mean 'mnist'"),
        ("mnist:tset", "did you mean 'mnist:test'"),
        ("mnist:train", "does not exist"),
        ("absent.csv", r"absent\.csv does not exist; the built-in data sets are mnist, mnist:article, mnist:test"),
        ("absent.csv:test", "does not exist"),
        ("", "does not exist"),
        (":test", "does not exist"),
        ("rows.npz:valid", "the part 'valid' is unknown; it is train or test"),
        ("rows.csv:test", "a table has no parts"),
        ("rows.xls", r"rows\.xls is a workbook .*save its sheet as CSV"),
        ("rows.csv.gz", "is empty"),
        (".", "holds no train images"),
        ("/dev/zero", "a pipe or a device"),
        ("pipe.csv", "a pipe or a device"),
        ("pipe.npz", "a pipe or a device"),
        ("a\0b", "is not a path|does not exist"),
        ("a" * 5000, "is not a path|does not exist"),
    ],
)
def test_refused(here: Path, source: str, message: str) -> None:
    (here / "rows.xls").touch()
    (here / "rows.csv.gz").touch()
    os.mkfifo(here / "pipe.csv")
    os.mkfifo(here / "pipe.npz")
    with pytest.raises(DataError, match=message):
        read(source)


def test_a_pipe_in_a_folder_is_not_opened(here: Path) -> None:
    (here / "idx" / "t10k-images-idx3-ubyte").unlink()
    os.mkfifo(here / "idx" / "t10k-images-idx3-ubyte")
    with pytest.raises(DataError, match="a pipe or a device"):
        read("idx:test")


def test_unreadable_file_is_a_data_error(here: Path) -> None:
    (here / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(DataError, match=r"loop\.csv"):
        read("loop.csv")


def test_classes_of_a_trained_model() -> None:
    backwards = tuple("9876543210")
    data = read("mnist:test", classes=backwards)
    assert data.classes == backwards
    assert data.require_targets()[:3].tolist() == [2, 7, 8]
    with pytest.raises(DataError, match="mnist:test: row 8: the label '9'"):
        read("mnist:test", classes=tuple("012345678"))


def test_shapes_that_a_model_needs(here: Path) -> None:
    with pytest.raises(DataError, match="mnist:test has rows of the shape"):
        read("mnist:test", image=(1, 32, 32))
    with pytest.raises(DataError, match="the model needs 2 columns"):
        read("mnist:test", columns=("a", "b"))
    with pytest.raises(DataError, match="the model needs 3 columns"):
        read("rows.npz", columns=("a", "b", "c"))
    assert read("rows.npz", columns=("a", "b")).x.shape == (3, 2)
    assert read("rows.csv", columns=("b", "a")).x.tolist() == [[2, 1], [4, 3]]
    assert read("rows.csv", image=(2, 1, 1)).x.shape == (2, 2, 1, 1)


@pytest.mark.parametrize("source", ["mnist:test", "idx", "rows.npz"])
def test_regression(here: Path, source: str) -> None:
    data = read(source, task="regress")
    assert data.require_labels().dtype == np.float32
    assert data.classes == ()
    with pytest.raises(ConfigError, match="task must be 'auto', 'classify', 'regress', 'multilabel', got 'rank'"):
        read(source, task="rank")


def test_unlabelled_rows_say_what_to_do(here: Path) -> None:
    (here / "bare.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"bare\.csv has no labels"):
        read("bare.csv").require_labels()


def test_import_is_light() -> None:
    code = "import sys, portanet.data; print(*sorted({'pandas', 'torch', 'cupy', 'jax'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
