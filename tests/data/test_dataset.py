"""What a Dataset says of its labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from portanet.data import Dataset, read
from portanet.errors import DataError

X = np.zeros((4, 2), np.float32)


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        (["b", "c", "b", "a"], ("a", "b", "c")),
        ([7, 3, 7, 3], ("3", "7")),
        ([-1, 10, 2, 2], ("-1", "2", "10")),
        ([2.0, 1.0, 2.0, 1.0], ("1", "2")),
        ([True, False, True, True], ("False", "True")),
        ([2**40, 1, 1, 2**40], ("1", str(2**40))),
        (["1", "1b", "2", "2"], ("1", "1b", "2")),
    ],
)
def test_labels_are_what_the_source_has(tmp_path: Any, column: list[Any], classes: tuple[str, ...]) -> None:
    """As pandas reads them, so that one can be compared with the other."""
    frame = pd.DataFrame({"a": [1.5, 2.0, 3.0, 4.0], "label": column})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    data = read(str(tmp_path / "rows.csv"))
    expected = pd.read_csv(tmp_path / "rows.csv")["label"].to_numpy()
    assert data.classes == classes
    assert np.array_equal(data.require_labels(), expected)
    assert [data.classes[code] for code in data.require_targets()] == [
        str(v) for v in np.asarray(expected).astype(int if expected.dtype == float else expected.dtype).tolist()
    ]
    part = data.rows(slice(1, 3))
    assert np.array_equal(part.require_labels(), expected[1:3])


def test_labels_of_digits_are_their_codes() -> None:
    digits = read("mnist:test")
    assert digits.require_labels().dtype == np.int32
    assert np.array_equal(digits.require_labels(), digits.require_targets())


def test_numbers_to_predict_are_labels_and_targets() -> None:
    data = Dataset("rows", X, np.array([0.5, 1, 2, 3], np.float32))
    assert data.require_labels() is data.require_targets()


def test_without_labels() -> None:
    data = Dataset("rows", X)
    assert data.labels is None
    for ask in (data.require_labels, data.require_targets):
        with pytest.raises(DataError, match="rows has no labels"):
            ask()


def test_a_table_knows_its_label_column(tmp_path: Any) -> None:
    (tmp_path / "rows.csv").write_text("kind,a\nx,1\ny,2\n")
    assert read(str(tmp_path / "rows.csv"), label="kind").label == "kind"


def test_it_shows_itself_in_one_line() -> None:
    x = np.zeros((1200, 1, 28, 28), np.uint8)
    images = Dataset("mnist", x, np.zeros(1200, np.int32), ("0", "1", "2"))
    assert repr(images) == "Dataset('mnist': 1,200 rows of 1 x 28 x 28 uint8, 3 classes)"
    table = Dataset("a\nb.csv", np.zeros((3, 2), np.float32), columns=("a", "b"))
    assert repr(table) == r"Dataset('a\\nb.csv': 3 rows of 2 float32, no labels)"
    assert repr(Dataset("houses", np.zeros((3, 2)), np.ones(3))) == "Dataset('houses': 3 rows of 2 float64, numbers)"


@pytest.mark.parametrize(
    "targets", [[3, 7, 3, 7], [0, 1, 2, 0], [-1, 0, 1, 0], ["a", "b", "a", "b"], [0.0, 1.0, 0.5, 1.0]]
)
def test_targets_that_are_not_class_numbers(targets: Any) -> None:
    with pytest.raises(DataError, match=r"targets of own .*from 0 to 1 .*2 classes"):
        Dataset("own", X, np.array(targets), ("3", "7"))


def test_names_of_any_kind() -> None:
    assert len(Dataset("own", X, np.array([0, 1, 1, 0]), ("3", "7")).rows(slice(0, 0))) == 0
    data = Dataset("own", X, [0, 1, 1, 0], [3, 7], np.array(["a", "b"]))  # type: ignore[arg-type]
    assert (data.classes, data.columns) == (("3", "7"), ("a", "b"))
    assert data.require_labels().tolist() == [3, 7, 7, 3]
