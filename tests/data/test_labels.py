"""Labels of files as classes: what is missing is none, unless the classes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from portanet.data import read
from portanet.data.labels import encode_array
from portanet.data.npz import read_npz
from portanet.errors import ConfigError, DataError

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def saved(folder: Path, labels: Any) -> str:
    frame = pd.DataFrame({"a": range(len(labels)), "label": labels})
    frame.to_csv(folder / "rows.csv", index=False)
    return str(folder / "rows.csv")


@pytest.mark.parametrize("word", ["NA", "NaN", "nan", "?", "null", "None", "n/a", "inf", "-Infinity"])
def test_words_for_a_missing_label_are_not_classes(tmp_path: Path, word: str) -> None:
    for labels in (["a", "b", word, word], ["1", "2", word, word]):
        source = saved(tmp_path, labels)
        with pytest.raises(DataError, match="2 rows have no label, the first is row 3") as caught:
            read(source)
        assert repr(word) in str(caught.value)
        assert "classes=" in str(caught.value)
        data = read(source, classes=[*sorted(set(labels) - {word}), word])
        assert [str(label) for label in data.require_labels()] == labels


@pytest.mark.parametrize("labels", [[1.0, np.nan, 2, 1], [1.0, np.inf, 2, 1]])
@pytest.mark.parametrize("regress", [False, True])
def test_numbers_that_are_none(labels: Any, regress: bool) -> None:
    with pytest.raises(DataError, match=r"rows: row 2 has no label \((nan|inf)\); leave them out"):
        encode_array("rows", np.array(labels), regress=regress)


def test_classes_are_named_for_training(tmp_path: Path) -> None:
    source = saved(tmp_path, ["DE", "NA", "DE", "NA"])
    data = read(source, classes=["NA", "DE", "FR"])
    assert data.classes == ("NA", "DE", "FR")
    assert data.require_targets().tolist() == [1, 0, 1, 0]
    with pytest.raises(DataError, match="2 rows have no label"):
        read(source, classes=["DE", "FR"])
    with pytest.raises(DataError, match=r"row 1: .*'DE' .*classes: NA, FR"):
        read(source, classes=["NA", "FR"])


@pytest.mark.parametrize(
    "names",
    [
        ("x", "labels"), ("x", "y"), ("X", "Y"), ("X", "y"), ("images", "labels"), ("data", "target"),
        ("features", "labels"), ("features", "targets"), ("x_train", "y_train"), ("X_train", "y_train"), ("x", "label"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_names_of_arrays(tmp_path: Path, names: tuple[str, str], shape: Any) -> None:
    labels: Any = np.array(["b", "a", "b", "c"]).reshape(shape)
    np.savez(tmp_path / "rows.npz", **{names[0]: X, names[1]: labels})
    data = read_npz(tmp_path / "rows.npz")
    assert np.array_equal(data.x, X)
    assert data.require_labels().tolist() == ["b", "a", "b", "c"]


def test_arrays_without_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X, np.array([b"b", b"a", b"b", b"c"]))
    data = read_npz(tmp_path / "rows.npz")
    assert data.require_labels().tolist() == ["b", "a", "b", "c"]
    np.savez(tmp_path / "rows.npz", X)
    assert read_npz(tmp_path / "rows.npz").labels is None
    np.savez(tmp_path / "rows.npz", np.arange(4), X)
    with pytest.raises(DataError, match=r"not \(4,\)"):
        read_npz(tmp_path / "rows.npz")


@pytest.mark.parametrize("names", [("x", "X"), ("x", "data"), ("features", "images")])
def test_two_arrays_that_could_be_meant(tmp_path: Path, names: tuple[str, str]) -> None:
    np.savez(tmp_path / "rows.npz", y=np.arange(4), **dict.fromkeys(names, X))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="either could be meant"):
        read_npz(tmp_path / "rows.npz")
    np.savez(tmp_path / "rows.npz", x=X, y=np.arange(4), target=np.arange(4))
    with pytest.raises(DataError, match="y and target, and either could be meant"):
        read_npz(tmp_path / "rows.npz")


def test_labels_that_are_not_utf8() -> None:
    with pytest.raises(DataError, match="not UTF-8"):
        encode_array("rows", np.array([b"\xff", b"a"]))


def test_classes_as_people_name_them(tmp_path: Path) -> None:
    source = saved(tmp_path, [3, 7, 3, 3])
    assert read(source, classes=[7, 3]).classes == ("7", "3")
    assert read(source, classes=range(10)).require_targets().tolist() == [3, 7, 3, 3]
    with pytest.raises(ConfigError, match=r"classes .*list of names, got '3,7'"):
        read(source, classes="3,7")
    with pytest.raises(ConfigError, match="distinct names, got 3, 7, 3"):
        read(source, classes=[3, 7, 3])
