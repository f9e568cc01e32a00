"""Several label columns of a table: targets (N, K) of numbers, or ones and zeros of yes and no."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from portanet import read
from portanet.errors import ConfigError, DataError, PortanetError

ROWS = 60


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"a": rng.normal(size=ROWS).round(3), "town": rng.choice(["X", "Y", "Z"], ROWS)})
    table["price"] = (1e6 + 1e4 * rng.normal(size=ROWS)).round(2)
    table["b"] = rng.normal(size=ROWS).round(3)
    table["area"] = rng.integers(10, 99, ROWS)
    return table


@pytest.fixture
def path(frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    frame.to_csv(tmp_path / "houses.csv", index=False)
    return tmp_path / "houses.csv"


@pytest.mark.parametrize("task", ["classify", "auto", "regress"])
@pytest.mark.parametrize("mapped", [False, True])
def test_numbers(path: Path, frame: pd.DataFrame, task: str, mapped: bool) -> None:
    data = read(path, label=["area", "price"], task=task, mapped=mapped)
    assert data.label == ("area", "price")
    assert data.columns == ("a", "town", "b")
    assert data.classes == ()
    np.testing.assert_allclose(data.require_targets(), frame[["area", "price"]].to_numpy(), rtol=1e-7)
    assert data.require_labels() is data.targets
    np.testing.assert_allclose(data.x[:, [0, 2]], frame[["a", "b"]].to_numpy(), rtol=1e-6)
    assert data.rows(slice(3, 7)).require_targets().shape == (4, 2)


def test_a_frame_and_parquet_hold_the_same(path: Path, frame: pd.DataFrame) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    expected = read(path, label=["area", "price"])
    frame.to_parquet(path.with_suffix(".parquet"))
    for source in (frame, path.with_suffix(".parquet")):
        data = read(source, label=["area", "price"])
        assert np.array_equal(data.require_targets(), expected.require_targets())
        assert np.array_equal(data.x, expected.x)


def test_one_in_a_list_is_one(path: Path) -> None:
    assert read(path, label=["price"], task="regress").label == "price"
    assert read(path, label=["price"], task="regress").require_targets().shape == (ROWS,)


def test_yes_and_no_are_ones_and_zeros(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truths = rng.integers(0, 2, (ROWS, 3))
    words = [("no", "yes"), ("False", "True"), ("0", "1")]
    table = pd.DataFrame({"x": rng.normal(size=ROWS)})
    for column, (no, yes) in enumerate(words):
        table[f"has{column}"] = np.where(truths[:, column], yes, no)
    table.to_csv(tmp_path / "marks.csv", index=False)
    for task in ("classify", "auto", "multilabel"):
        data = read(tmp_path / "marks.csv", label=["has0", "has1", "has2"], task=task)
        assert np.array_equal(data.require_targets(), truths)
        assert data.columns == ("x",)
    with pytest.raises(DataError, match=r"column 'has0': '\w+' is not a number.*column 'has1': '\w+' is not a number"):
        read(tmp_path / "marks.csv", label=["has0", "has1"], task="regress")


def test_missing_labels_are_told_by_column_at_once(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = frame.astype(object)
    table.loc[[4, 9, 11], "price"] = None
    table.loc[[7], "area"] = "?"
    table.to_csv(tmp_path / "gaps.csv", index=False)
    for task in ("auto", "regress"):
        with pytest.raises(DataError) as error:
            read(tmp_path / "gaps.csv", label=["price", "area"], task=task)
        text = str(error.value)
        assert "row 5 (line 6), column 'price'" in text
        assert "and 2 more" in text
        assert "row 8 (line 9), column 'area'" in text
        assert error.value.remedy
        with pytest.raises(DataError, match=r"row 5, column 'price'.* and 2 more; row 8, column 'area'"):
            read(table, label=["price", "area"], task=task)


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"label": ["price", "price"]}, ConfigError, "names 'price' twice"),
        ({"label": ["price", "rooms"]}, DataError, "has no column 'rooms'"),
        ({"label": ["price", "town"]}, DataError, "column 'town' holds '[XYZ]'.*numbers, or yes or no in each"),
        ({"label": ["price", "area"], "task": "multilabel"}, DataError, "column 'price' holds .* are yes or no"),
        ({"label": "area", "task": "multilabel"}, DataError, "one label a row"),
        ({"label": []}, ConfigError, "a list of names"),
        ({"label": 3}, ConfigError, "a list of names"),
    ],
)
def test_refused(path: Path, settings: dict[str, Any], kind: type[PortanetError], words: str) -> None:
    with pytest.raises(kind, match=words):
        read(path, **settings)


def test_rows_for_a_model(path: Path, frame: pd.DataFrame) -> None:
    """Labels that are there are left out of rows to predict, whatever they hold; to measure all have to be there."""
    trained = read(path, label=["price", "area"])
    known: dict[str, Any] = {"table": trained.table, "default_label": trained.label}
    for left in (["price"], ["area"], ["price", "area"]):
        data = read(frame.drop(columns=left).assign(unknown="?"), labelled=False, **known)
        assert np.array_equal(data.x, trained.x)
    marked = frame.assign(price="unknown")
    assert np.array_equal(read(marked, labelled=False, **known).x, trained.x)
    with pytest.raises(DataError, match="no column 'area', which is one of the labels 'price', 'area'"):
        read(frame.drop(columns=["area"]), task="regress", **known)
    assert read(frame.drop(columns=["area", "price"]), task="regress", **known).targets is None
    with pytest.raises(DataError, match="the column 'a' is an input of the model"):
        read(frame, label=["price", "a"], task="regress", **known)


def test_without_a_header(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = frame.drop(columns=["town"])
    table.to_csv(tmp_path / "bare.csv", index=False, header=False)
    trained = read(tmp_path / "bare.csv", label=["2", "4"], header=False)
    np.testing.assert_allclose(trained.require_targets(), table[["price", "area"]].to_numpy(), rtol=1e-7)
    table.drop(columns=["price", "area"]).to_csv(tmp_path / "new.csv", index=False, header=False)
    data = read(tmp_path / "new.csv", table=trained.table, default_label=trained.label, labelled=False)
    assert np.array_equal(data.x, trained.x)


def test_images_of_several_numbers(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (9, 4))
    rows = [f"0.5,{','.join(map(str, row))},{i}" for i, row in enumerate(pixels.tolist())]
    lines = ["left,pixel0,pixel1,pixel2,pixel3,top", *rows]
    (tmp_path / "images.csv").write_text("\n".join(lines))
    data = read(tmp_path / "images.csv", label=["top", "left"])
    assert data.x.dtype == np.uint8
    assert data.x.shape == (9, 1, 2, 2)
    assert np.array_equal(data.require_targets(), np.column_stack([np.arange(9), np.full(9, 0.5)]))
