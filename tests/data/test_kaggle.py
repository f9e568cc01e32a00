"""Kaggle's files, read back by the standard library and by ourselves."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from portanet.data.csv.table import read_table
from portanet.data.kaggle import write_answers, write_kaggle
from portanet.data.mnist import mnist_article, mnist_test
from portanet.errors import DataError


@pytest.fixture(scope="module")
def kaggle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_kaggle(tmp_path_factory.mktemp("kaggle") / "new")


def test_format(kaggle: tuple[Path, Path]) -> None:
    train, test = kaggle
    assert (train.name, test.name) == ("train.csv", "test.csv")
    pixels = ",".join(f"pixel{i}" for i in range(784))
    for path, header, rows in ((train, f"label,{pixels}", 42_000), (test, pixels, 10_000)):
        content = path.read_bytes()
        assert content.startswith(header.encode() + b"\n")
        assert content.count(b"\n") == rows + 1
        assert content.endswith(b"\n")
        assert not set(content[len(header) :]) - set(b"0123456789,\n")
    assert sorted(path.name for path in train.parent.iterdir()) == ["test.csv", "train.csv"]


def test_first_rows_by_the_standard_library(kaggle: tuple[Path, Path]) -> None:
    for path, data, labelled in ((kaggle[0], mnist_article(), 1), (kaggle[1], mnist_test(), 0)):
        with open(path, newline="") as file:
            lines = csv.reader(file)
            next(lines)
            for cells, image, label in zip(lines, data.x[:50], data.require_labels(), strict=False):
                assert cells == ([str(label)] if labelled else []) + [str(value) for value in image.ravel()]


def test_read_back(kaggle: tuple[Path, Path]) -> None:
    train, expected = read_table(kaggle[0]), mnist_article()
    assert train.fingerprint == expected.fingerprint
    assert train.classes == expected.classes
    test = read_table(kaggle[1])
    assert np.array_equal(test.x, mnist_test().x)
    assert test.labels is None


def test_files_are_kept(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("mine")
    with pytest.raises(DataError, match=r"test\.csv exists already; .*force=True"):
        write_kaggle(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.csv"]
    with pytest.raises(DataError, match=r"test\.csv"):
        write_kaggle(tmp_path / "test.csv" / "below")


def test_answers() -> None:
    file = io.BytesIO()
    write_answers(file, [(["2", "0"], None), (["9"], None)])
    assert file.getvalue() == b"ImageId,Label\n1,2\n2,0\n3,9\n"


def test_answers_with_names_and_probabilities() -> None:
    file = io.BytesIO()
    classes = ("a,b", 'say "c"', "two\nlines")
    chances = np.array([[0.5, 0.1, 0.4], [0, 1, 0]], np.float32)
    write_answers(file, [(["a,b", 'say "c"'], chances)], identifier="Row", classes=classes)
    header, *rows = csv.reader(io.StringIO(file.getvalue().decode(), newline=""), strict=True)
    assert header == ["Row", "Label", *(f"probability_{name}" for name in classes)]
    assert rows == [["1", "a,b", "0.5", "0.1", "0.4"], ["2", 'say "c"', "0.0", "1.0", "0.0"]]


TEXTS = [
    "a\rb", "\r", "a\nb", "a\r\nb", 'say "c"', "x,y", " before", "after ", "=1+1", "-1", "@x", "\tx", "NA", "\u2028x",
    "x\x1cy", "\x85", "'q", "#c", "1e5", "007", "True",
]  # fmt: skip


def test_any_text_survives_the_round_trip() -> None:
    """As a class and as the name of a column, through csv and through pandas."""
    file = io.BytesIO()
    write_answers(file, [(TEXTS, np.zeros((len(TEXTS), len(TEXTS))))], classes=TEXTS)
    header, *rows = csv.reader(io.StringIO(file.getvalue().decode(), newline=""), strict=True)
    assert header[2:] == [f"probability_{text}" for text in TEXTS]
    assert [row[1] for row in rows] == TEXTS
    frame = pd.read_csv(io.BytesIO(file.getvalue()), keep_default_na=False, dtype=str)
    assert list(frame.columns) == header
    assert list(frame["Label"]) == TEXTS
