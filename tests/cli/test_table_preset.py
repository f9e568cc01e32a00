"""The preset `table`: other layers for classes and for numbers, the best epoch kept, batches that follow the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Call, write_csv

import portanet
from portanet import nn

BASE = ("--preset", "table", "--backend", "numpy", "--quiet")


@pytest.fixture
def table(place: Path) -> None:
    """300 rows whose class is a circle and whose price a product: no straight line finds them."""
    rng = np.random.default_rng(5)
    x = np.round(rng.normal(0.0, 1.0, (300, 2)), 3)
    price = np.round(1e6 + 1e5 * x[:, 0] * x[:, 1], 1)
    inside = np.where((x**2).sum(axis=1) < 1.4, "inside", "outside")
    write_csv(place / "circle.csv", ["a", "b", "side"], [[*row, side] for row, side in zip(x.tolist(), inside)])
    write_csv(place / "price.csv", ["a", "b", "price"], np.column_stack([x, price]).tolist())


def test_classes(cli: Call, table: None) -> None:
    words = ("circle.csv", "--label", "side", "--epochs", 60, "--out", "c")
    result = cli("train", *words, *BASE, "--json").json
    rows = [json.loads(line)["valid_accuracy"] for line in Path("c/history.jsonl").read_text().splitlines()]
    assert result["valid_accuracy"] == max(rows) > 0.9
    run = portanet.load("c")
    assert run.model.layers[3] == nn.SELU()  # type: ignore[attr-defined]
    assert run.model.layers[-1].units == 2  # type: ignore[attr-defined]
    assert run.spec.batch_size == 240


def test_numbers(cli: Call, table: None) -> None:
    words = ("price.csv", "--label", "price", "--task", "regress", "--epochs", 60, "--out", "n")
    result = cli("train", *words, *BASE, "--json").json
    assert result["valid_r2"] > 0.9
    run = portanet.load("n")
    assert run.model.layers[3] == nn.Mish()  # type: ignore[attr-defined]
    assert isinstance(run.spec.loss, nn.MeanSquaredError)


def callbacks(text: str) -> str:
    return text.partition("callbacks = [")[2].partition("]")[0]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ((), 'type = "KeepBest", monitor = "valid_accuracy"'),
        (("--patience", 9), 'type = "EarlyStopping", monitor = "valid_accuracy", patience = 9'),
        (("--valid", 0), ""),
    ],
)
def test_what_is_kept(cli: Call, table: None, words: Any, kept: str) -> None:
    shown = callbacks(cli("train", "circle.csv", "--label", "side", *BASE, *words, "--print-config").out)
    assert kept in shown
    assert bool(shown.strip()) == bool(kept)


def test_data_that_it_does_not_take(cli: Call, place: Path) -> None:
    answer = cli("train", *BASE)
    assert answer.code == 1
    assert "'table' needs data" in answer.err
    answer = cli("train", "mnist", *BASE)
    assert answer.code == 1
    assert "rows of a table" in answer.err
    assert "--preset mlp" in answer.err


PLAIN = ("--epochs", 1, "--backend", "numpy")


def test_it_is_the_default_of_tables(cli: Call, table: None) -> None:
    answer = cli("train", "circle.csv", "--label", "side", *PLAIN, "--hidden", "9,8", "--activation", "tanh")
    assert "preset table, the default for tables" in answer.err.splitlines()
    layers = portanet.load("runs/table-1").model.layers  # type: ignore[attr-defined]
    assert layers[2:-1] == (nn.NTKDense(9), nn.Tanh(), nn.NTKDense(8), nn.Tanh())
    assert json.loads(Path("runs/table-1/run.json").read_text())["places"]["preset"] == "table"
    assert cli("rerun", "runs/table-1").code == 0


def test_other_data_and_other_models_keep_theirs(cli: Call, place: Path) -> None:
    for data in ("digits.csv", "table.npz"):
        answer = cli("train", data, *PLAIN, "--json")
        assert answer.json["preset"] == "mlp"
        assert "preset" not in answer.err
    named = cli("train", "flowers.csv", "--preset", "mlp", *PLAIN, "--json")
    assert named.json["preset"] == "mlp"
    assert "preset" not in named.err
    header = Path("digits.csv").read_text().replace("pixel", "p")
    Path("shaped.csv").write_text(header)
    assert cli("train", "shaped.csv", "--image", "1x4x4", *PLAIN, "--json").json["preset"] == "mlp"


def test_a_model_to_start_from_keeps_its_own(cli: Call, table: None) -> None:
    cli("train", "circle.csv", "--label", "side", *PLAIN, "--out", "first")
    answer = cli("train", "circle.csv", "--from", "first", *PLAIN, "--json")
    assert answer.json["preset"] == "table"
    assert "preset table, the default for this model" in answer.err
    assert cli("train", "flowers.csv", "--from", "flowers", *PLAIN, "--json").json["preset"] == "mlp"
