"""Rows without a label are left out of training and evaluation, and counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from portanet import Dataset, read
from portanet.errors import DataError

N = 40
RNG = np.random.default_rng(0)
AREA = RNG.normal(size=N).round(3)


@pytest.fixture(params=["file", "mapped", "frame"])
def table(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that reads a table with these labels."""
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))

    def read_with(labels: Any, **settings: Any) -> Dataset:
        frame = pd.DataFrame({"area": settings.pop("area", AREA), "label": labels})
        if request.param == "frame":
            return read(frame, **settings)
        frame.to_csv(tmp_path / "rows.csv", index=False)
        return read(tmp_path / "rows.csv", mapped=request.param == "mapped", **settings)

    return read_with


def classes() -> list[Any]:
    return ["yes" if area > 0 else "no" for area in AREA]


@pytest.mark.parametrize("task", ["classify", "auto"])
@pytest.mark.parametrize("held_out", [0.0, 0.25])
def test_classes(table: Any, task: str, held_out: float) -> None:
    labels = classes()
    labels[3] = labels[11] = None
    data = table(labels, task=task, held_out=held_out)
    present = np.delete(np.arange(N), [3, 11])
    np.testing.assert_array_equal(data.x[:, 0], AREA[present].astype(np.float32))
    assert data.require_labels().tolist() == [classes()[row] for row in present]
    assert "left out, as they have no label: 2 rows, the first is row 4" in data.notes


@pytest.mark.parametrize("task", ["regress", "auto"])
@pytest.mark.parametrize("word", ["", "NA", "nan", "NULL", "?"])
def test_numbers(table: Any, task: str, word: str) -> None:
    labels: list[Any] = (AREA * 100).tolist()
    labels[7] = word
    data = table(labels, task=task)
    assert data.classes == ()
    np.testing.assert_allclose(data.require_targets(), np.delete(AREA * 100, 7), rtol=1e-6)
    assert "left out, as it has no label: row 8" in data.notes
    every = table(labels, task=task, labelled=False)
    assert len(every) == N


@pytest.mark.parametrize("task", ["classify", "auto"])
def test_words_that_may_be_classes_are_asked_about(table: Any, task: str) -> None:
    labels = classes()
    labels[5] = labels[6] = "None"
    labels[1] = ""
    with pytest.raises(DataError, match=r"2 rows have no label, the first is row 6 .*missing='None'.*classes=") as e:
        table(labels, task=task)
    assert "'None'" in str(e.value)
    assert len(table(labels, task=task, missing=["None"])) == N - 3
    assert table(labels, task=task, classes=["None", "no", "yes"]).require_labels()[4] == "None"


def test_a_last_row_of_totals_is_not_learnt(table: Any) -> None:
    area: list[Any] = [*AREA[:-1], "Total"]
    data = table([*classes()[:-1], ""], area=area)
    assert len(data) == N - 1
    assert data.table is not None
    assert data.table.columns[0].kind == "number"


def test_no_row_has_a_label(table: Any) -> None:
    with pytest.raises(DataError, match="none of the 40 rows has a label"):
        table([None] * N, label="label")


def test_identifiers_are_told_by_all_rows(table: Any) -> None:
    labels = classes()
    labels[3] = None
    with pytest.raises(DataError, match="integers that rise by one from 1"):
        table(labels, area=np.arange(N) + 1)
