"""portanet train --from and --freeze: what a trained model brings along, and what starts from scratch."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Answer, Call, write_csv
from helpers import equal

import portanet
from portanet.nn import Dense, Frozen

BASE = ("--epochs", 2, "--backend", "numpy", "--out", "on")


def params(run: str) -> dict[str, Any]:
    return portanet.load(run).params


def notes(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [line for line in answer.err.splitlines() if "last layer" in line]


def flowers(name: str, **renamed: str) -> str:
    """flowers.csv with other classes."""
    with open("flowers.csv", newline="") as file:
        header, *rows = csv.reader(file)
    write_csv(Path(name), header, [[*row[:-1], renamed.get(row[-1], row[-1])] for row in rows])
    return name


def test_frozen_layers_keep_their_bits(cli: Call) -> None:
    assert notes(cli("train", "flowers.csv", "--from", "flowers", "--freeze", "2, 4", *BASE)) == []
    before, after = params("flowers"), params("on")
    for name in ("0", "2", "4"):  # preprocessing is kept without being named
        assert equal(before[name], after[name])
    assert not equal(before["6"], after["6"])
    assert portanet.load("on").model.children["4"] == Frozen(Dense(128))
    assert [row["parameters"] for row in cli("summary", "on", "--json").json["layers"]] == [0, 0, 0, 0, 0, 0, 129 * 3]
    assert cli("evaluate", "on", "flowers.csv", "--json").json["accuracy"] > 0.9


def test_it_begins_where_the_other_ended(cli: Call) -> None:
    known = cli("evaluate", "flowers", "flowers.csv", "--json").json
    answer = cli("train", "flowers.csv", "--from", "flowers", "--valid", 0, "--batch-size", "full", *BASE)
    assert notes(answer) == []
    first = json.loads(Path("on/history.jsonl").read_text().splitlines()[0])
    assert first["loss"] == pytest.approx(known["loss"], rel=1e-4)


def test_columns_are_matched_by_name(cli: Call) -> None:
    """turned.csv holds the same rows with its columns in another order."""
    assert notes(cli("train", "turned.csv", "--label", "species", "--from", "flowers", *BASE)) == []
    turned = params("on")
    assert cli("train", "flowers.csv", "--from", "flowers", *BASE[:-1], "straight").code == 0
    assert equal(turned, params("straight"))
    assert cli("summary", "on", "--json").json["columns"] == ["a", "b", "c", "d"]
    run = cli("train", "turned.csv", "--from", "on", "--epochs", 1, "--json").json["run"]  # on knows its label's name
    assert cli("predict", run, "bare.csv").code == 0


def test_some_of_its_classes_are_enough(cli: Call) -> None:
    assert notes(cli("train", flowers("two.csv", setosa="virginica"), "--from", "flowers", *BASE)) == []
    assert cli("summary", "on", "--json").json["classes"] == ["setosa", "versicolor", "virginica"]
    assert cli("evaluate", "on", "flowers.csv").code == 0


@pytest.mark.parametrize(
    ("renamed", "classes"),
    [
        ({"setosa": "rose", "versicolor": "lily", "virginica": "iris"}, ["iris", "lily", "rose"]),
        ({"setosa": "virginica", "versicolor": "lily"}, ["lily", "virginica"]),
    ],
    ids=["as many", "fewer"],
)
def test_other_classes_get_a_new_last_layer(cli: Call, renamed: dict[str, str], classes: list[str]) -> None:
    answer = cli("train", flowers("other.csv", **renamed), "--from", "flowers", "--freeze", "0,2", "--seed", 5, *BASE)
    assert notes(answer) == [f"the last layer is new, for other.csv: {len(classes)} classes"]
    assert cli("summary", "on", "--json").json["classes"] == classes
    before, after = params("flowers"), params("on")
    assert equal(before["2"], after["2"])
    # Two epochs move a weight by less than 0.01; new weights are elsewhere.
    away = np.abs(after["6"]["weight"] - before["6"]["weight"][:, : len(classes)]).max()
    assert away > 0.05 > np.abs(after["4"]["weight"] - before["4"]["weight"]).max()


def test_numbers_from_a_model_of_classes_and_back(cli: Call) -> None:
    flowers("prices.csv", setosa="1000", versicolor="2000", virginica="3000")
    answer = cli("train", "prices.csv", "--task", "regress", "--from", "flowers", *BASE)
    assert notes(answer) == ["the last layer is new, for prices.csv: no classes"]
    first = portanet.load("on")
    model = first.model
    assert model.children["6"] == Dense(1)
    assert first.card.target_scale == pytest.approx((816.5,), abs=10)
    assert first.card.target_center == pytest.approx((2000,), abs=30)
    further = cli("train", "prices.csv", "--task", "regress", "--from", "on", *BASE[:-1], "further")
    assert notes(further) == []
    assert portanet.load("further").model == model
    assert portanet.load("further").card == first.card
    back = cli("train", "flowers.csv", "--task", "classify", "--from", "on", *BASE[:-1], "back")
    assert notes(back) == ["the last layer is new, for flowers.csv: 3 classes"]
    assert portanet.load("back").model == portanet.load("flowers").model


def test_a_model_of_images(cli: Call) -> None:
    assert notes(cli("train", "digits.csv", "--from", "digits", *BASE)) == []
    assert cli("summary", "on", "--json").json["input_shape"] == [1, 4, 4]


def test_a_model_from_python(cli: Call) -> None:
    with np.load("table.npz") as file:
        x, labels = file["x"], file["y"].astype(np.int32)
    portanet.fit(Dense(3), x, labels, epochs=1).save("own.safetensors")
    assert notes(cli("train", "table.npz", "--from", "own.safetensors", *BASE)) == []
    assert portanet.load("on").model == portanet.nn.Sequential(Dense(3))


def test_the_columns_of_a_table_may_be_frozen(cli: Call) -> None:
    """Which freezes embeddings of categories too: the codes still enter by Columns."""
    rows = [[f"town{i % 12}", i * i % 17, i % 2] for i in range(96)]
    write_csv(Path("towns.csv"), ["town", "size", "label"], rows)
    base = ("--epochs", 8, "--backend", "numpy", "--valid", 0)
    assert cli("train", "towns.csv", *base, "--out", "first").code == 0
    answer = cli("train", "towns.csv", "--from", "first", "--freeze", "0", *base, "--out", "second")
    assert answer.code == 0, answer.err
    before, after = params("first"), params("second")
    assert equal(before["0"], after["0"])
    assert not equal(before, after)
