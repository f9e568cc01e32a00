"""predict --json: the answers of the CSV in one object."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from console import Call


def test_classes(cli: Call) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("predict", "flowers", "flowers.csv", "--probabilities").out)))
    found = cli("predict", "flowers", "flowers.csv", "--json").json
    assert found == {
        "rows": 90, "predictions": [row["label"] for row in rows], "classes": ["setosa", "versicolor", "virginica"],
    }  # fmt: skip
    found = cli("predict", "flowers", "flowers.csv", "--json", "--probabilities").json
    expected = [[float(row[f"probability_{name}"]) for name in found["classes"]] for row in rows]
    np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-6)


def test_numbers(cli: Call) -> None:
    assert cli("train", "measured.csv", "--task", "regress", "--epochs", 1, "--out", "m", "--quiet").code == 0
    rows = list(csv.DictReader(io.StringIO(cli("predict", "m", "measured.csv").out)))
    found = cli("predict", "m", "measured.csv", "--json").json
    assert found == {"rows": 18, "predictions": [float(row["label"]) for row in rows]}


@pytest.mark.parametrize("words", [["--out", "p.csv"]])
def test_two_places_at_once(cli: Call, words: list[str]) -> None:
    answer = cli("predict", "flowers", "flowers.csv", "--json", *words)
    assert answer.code == 1
    assert "--json prints the answers on stdout; leave out --out" in answer.err


def test_a_table_from_standard_input(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with open("flowers.csv") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert cli("predict", "flowers", "-", "--json").json == cli("predict", "flowers", "flowers.csv", "--json").json
