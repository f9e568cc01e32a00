"""Several targets on the command line: train, resume, measure, predict and export them, each under its name."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Answer, Call, write_csv

import portanet

ROWS = 240
NAMES = ("price", "area")
LABELS = ("--label", "price", "--label", "area")
BASE = ("--preset", "table", "--epochs", 12, "--backend", "numpy")


@pytest.fixture
def houses(place: Path) -> Path:
    """Two targets in units a million apart, an identifier, numbers and a text column."""
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, ROWS)).round(3)
    town = rng.integers(0, 3, ROWS)
    price = (2e6 + 3e5 * a + 1e5 * town).round(1)
    area = (0.5 + 0.2 * b - 0.1 * a).round(4)
    rows = zip(range(100, 100 + ROWS), area, a, [f"town{i}" for i in town], price, b, strict=True)
    write_csv(place / "houses.csv", ["house_id", "area", "a", "town", "price", "b"], [list(row) for row in rows])
    return place / "houses.csv"


@pytest.fixture
def run(cli: Call, houses: Path) -> dict[str, Any]:
    return cli("train", "houses.csv", *LABELS, *BASE, "--out", "two", "--json").json


def table(answer: Answer) -> tuple[list[str], np.ndarray[Any, Any]]:
    assert answer.code == 0, answer.err
    head, *rows = csv.reader(answer.out.splitlines())
    return head, np.array(rows)


def truth(path: Path) -> np.ndarray[Any, Any]:
    with open(path, newline="") as file:
        return np.array([[float(row[name]) for name in NAMES] for row in csv.DictReader(file)])


def test_the_model_knows_both(run: dict[str, Any]) -> None:
    model = portanet.load("two")
    assert model.card.label == NAMES
    assert model.card.columns == ("a", "town", "b")
    assert model.input_shape == (3,)
    assert model.model.output_shape((3,)) == (2,)
    assert run["valid_r2"] > 0.5
    assert list(run["targets"]["valid"]) == list(NAMES)


def test_predictions_have_a_column_each(cli: Call, run: dict[str, Any], houses: Path) -> None:
    head, cells = table(cli("predict", "two", "houses.csv"))
    assert head == ["house_id", *NAMES]
    assert cells[:, 0].tolist() == [str(number) for number in range(100, 100 + ROWS)]
    predicted, true = cells[:, 1:].astype(float), truth(houses)
    assert (np.corrcoef(predicted[:, 0], true[:, 0])[0, 1], np.corrcoef(predicted[:, 1], true[:, 1])[0, 1]) > (0.9, 0.9)
    found = cli("predict", "two", "houses.csv", "--json").json
    assert found["targets"] == list(NAMES)
    np.testing.assert_array_equal(found["predictions"], predicted)
    head, *rows = csv.reader(Path("houses.csv").read_text().splitlines())
    for left in (("area",), ("price",), NAMES):
        places = [i for i, name in enumerate(head) if name not in left]
        write_csv(Path("new.csv"), [head[i] for i in places], [[row[i] for i in places] for row in rows])
        np.testing.assert_array_equal(table(cli("predict", "two", "new.csv"))[1], cells)


def test_scores_are_those_of_scikit_learn(cli: Call, run: dict[str, Any], houses: Path) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    predicted, true = (
        portanet.load("two").predict(portanet.read("houses.csv", label=NAMES, task="regress")),
        truth(houses),
    )
    found = cli("evaluate", "two", "houses.csv", "--json").json
    each = {"r2": sklearn.r2_score, "rmse": sklearn.root_mean_squared_error, "mae": sklearn.mean_absolute_error,
            "median_error": sklearn.median_absolute_error}  # fmt: skip
    for key, score in each.items():
        for i, name in enumerate(NAMES):
            assert found["targets"][name][key] == pytest.approx(score(true[:, i], predicted[:, i]), rel=1e-4)
    assert found["r2"] == pytest.approx(sklearn.r2_score(true, predicted), rel=1e-4)
    assert not set(found) & {"rmse", "mae", "median_error"}  # a mean over two units
    lines = cli("evaluate", "two", "houses.csv").out.splitlines()
    assert "mean of 2 targets" in lines[0]
    assert [line.split()[0] for line in lines[2:]] == list(NAMES)
    assert f"{found['targets']['price']['rmse']:.6g}" in lines[2].split()
    held_out = set(json.loads(Path("two/run.json").read_text())["result"]["targets"]["valid"]["area"])
    assert held_out == {"r2", "rmse", "mae", "median_error"}


def test_the_result_names_each(cli: Call, houses: Path) -> None:
    answer = cli("train", "houses.csv", *LABELS, *BASE, "--out", "said")
    lines = answer.out.splitlines()
    assert "(mean of 2 targets)" in next(line for line in lines if line.startswith("validation R2"))
    assert [line.split()[0] for line in lines if line.startswith("  ")] == list(NAMES)
    assert "learned as 2 numbers" in answer.err
    page = Path("said/report.html").read_text()
    for name in NAMES:
        assert f"Predicted against true: {name}" in page
        assert f"Root mean squared error (RMSE): {name}" in page
    assert "predicts numbers: price, area" in cli("summary", "said").out


def test_stopped_and_resumed_is_the_same_model(cli: Call, run: dict[str, Any]) -> None:
    words = ("train", "houses.csv", *LABELS, *BASE, "--out", "cut")
    assert cli(*words, "--time-limit", "0.001").code == 0
    assert cli(*words, "--resume", "--quiet").code == 0
    assert Path("cut/model.safetensors").read_bytes() == Path("two/model.safetensors").read_bytes()
    assert cli("rerun", "two", "--json").json["equal"]
    turned = cli("train", "houses.csv", "--label", "area", "--label", "price", *BASE, "--out", "cut", "--resume")
    assert turned.code == 1


def test_a_configuration_file_has_a_list(cli: Call, run: dict[str, Any]) -> None:
    printed = cli("train", "houses.csv", *LABELS, *BASE, "--print-config").out
    assert 'label = [\n    "price",\n    "area",\n]' in printed
    Path("mine.toml").write_text(printed)
    assert cli("train", "--config", "mine.toml", "--out", "again", "--quiet").code == 0
    assert Path("again/model.safetensors").read_bytes() == Path("two/model.safetensors").read_bytes()
    Path("one.toml").write_text('data = "houses.csv"\nlabel = "price"\nepochs = 1\n')
    assert cli("train", "--config", "one.toml", "--out", "one", "--quiet").code == 0
    assert portanet.load("one").card.label == "price"


def test_intervals_of_each(cli: Call, houses: Path) -> None:
    pytest.importorskip("onnxruntime")
    words = ("houses.csv", *LABELS, *BASE, "--column", "town=drop", "--intervals", "0.8", "--out", "wide", "--json")
    result = cli("train", *words).json
    head, cells = table(cli("predict", "wide", "houses.csv"))
    assert head == ["house_id", *NAMES, "price lower", "area lower", "price upper", "area upper"]
    middle, low, high = np.split(cells[:, 1:].astype(float), 3, axis=1)
    assert (low <= middle).all()
    assert (middle <= high).all()
    true = truth(houses)
    for i, name in enumerate(NAMES):
        share = np.mean((low[:, i] <= true[:, i]) & (true[:, i] <= high[:, i]))
        assert cli("evaluate", "wide", "houses.csv", "--json").json["targets"][name]["coverage"] == pytest.approx(share)
        assert 0.6 < result["targets"]["valid"][name]["coverage"] <= 1.0


def test_exports_name_each(cli: Call, houses: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert cli("train", "houses.csv", *LABELS, *BASE, "--column", "town=drop", "--out", "plain", "--quiet").code == 0
    head, cells = table(cli("predict", "plain", "houses.csv"))
    for form in ("python", "onnx", "html"):
        assert cli("export", "plain", "--to", form).code == 0
    done = subprocess.run(
        [sys.executable, "plain/predict.py", "houses.csv"], capture_output=True, text=True, check=True
    )
    names, *rows = csv.reader(done.stdout.splitlines())
    assert names == head == ["house_id", *NAMES]
    np.testing.assert_allclose(np.array(rows)[:, 1:].astype(float), cells[:, 1:].astype(float), rtol=1e-5)
    session = onnxruntime.InferenceSession("plain/model.onnx")
    x = portanet.read("houses.csv", label=NAMES, kinds={"town": "drop"}).x.astype(np.float32)
    outputs = session.run(list(NAMES), {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(np.column_stack(outputs), cells[:, 1:].astype(float), rtol=1e-5)
    assert '"targets":["price","area"]' in Path("plain/explorer.html").read_text()


def test_starting_from_it(cli: Call, run: dict[str, Any]) -> None:
    words = ("--backend", "numpy", "--epochs", 1)
    same = cli("train", "houses.csv", "--from", "two", *words, "--out", "more")
    assert same.code == 0, same.err
    assert portanet.load("more").card.label == NAMES
    assert "the last layer is new" not in same.err


@pytest.fixture
def marks(place: Path) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(ROWS, 2)).round(3)
    has = np.column_stack([x[:, 0] > 0, x[:, 1] > 0.3])
    rows = [[*row, "yes" if one else "no", int(two)] for row, (one, two) in zip(x.tolist(), has.tolist(), strict=True)]
    write_csv(place / "marks.csv", ["a", "b", "red", "blue"], rows)
    return has


def test_several_of_yes_and_no_are_several_classes(cli: Call, marks: np.ndarray[Any, Any]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    words = ("marks.csv", "--label", "red", "--label", "blue", "--epochs", 30, "--backend", "numpy", "--out", "m")
    answer = cli("train", *words)
    assert "learned as several classes at once" in answer.err
    model = portanet.load("m")
    assert (model.task.name, model.card.classes, model.card.label) == ("multilabel", ("red", "blue"), ("red", "blue"))
    head, cells = table(cli("predict", "m", "marks.csv", "--probabilities"))
    assert head == ["Row", "red", "blue", "probability_red", "probability_blue"]
    answers, shares = cells[:, 1:3].astype(int), cells[:, 3:].astype(float)
    assert (answers == marks).mean() > 0.9
    found = cli("evaluate", "m", "marks.csv", "--json").json
    assert found["accuracy"] == pytest.approx((answers == marks).mean())
    for i, name in enumerate(("red", "blue")):
        assert found["targets"][name]["accuracy"] == pytest.approx((answers[:, i] == marks[:, i]).mean())
        assert found["targets"][name]["roc_auc"] == pytest.approx(sklearn.roc_auc_score(marks[:, i], shares[:, i]))
    assert cli("rerun", "m", "--json").json["equal"]
    assert cli("train", *words[:-1], "numbers", "--task", "regress").code == 1  # "yes" is not a number


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("train", "houses.csv", *LABELS, "--task", "classify"), "--task regress"),
        (("train", "houses.csv", "--label", "price", "--label", "town"), "column 'town' holds 'town"),
        (("train", "houses.csv", "--label", "price", "--label", "price"), "names 'price' twice"),
        (("train", "houses.csv", "--label", "price", "--label", "rooms"), "has no column 'rooms'"),
        (("train", "houses.csv", "--label", "price", "--task", "multilabel"), "--label NAME"),
        (("compare", "houses.csv", *LABELS), "name one --label"),
        (("train", "mnist:test", *LABELS), "leave out --label price"),
    ],
)
def test_refused_in_one_line(cli: Call, houses: Path, words: tuple[str, ...], fact: str) -> None:
    answer = cli(*words)
    assert answer.code == 1
    assert fact in answer.err.splitlines()[-1]
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("label", "known"),
    [('"price"', "price"), ('["price"]', "price"), ('["area", "price"]', ("area", "price")), ("[3, 2]", ("3", "2"))],
)
def test_labels_in_a_file(cli: Call, place: Path, label: str, known: object) -> None:
    rows = [[round(0.1 * i, 1), i * i + 0.5, -i + 0.25] for i in range(40)]
    header = [] if "3" in label else ["a", "area", "price"]
    Path("rows.csv").write_text("\n".join(",".join(map(str, row)) for row in [header, *rows] if row) + "\n")
    Path("mine.toml").write_text(f'data = "rows.csv"\nlabel = {label}\nepochs = 1\ntask = "regress"\n')
    assert cli("train", "--config", "mine.toml", "--out", "run", "--quiet").code == 0
    assert portanet.load("run").card.label == known


@pytest.mark.parametrize("label", ["true", "[]", '""', '[["price"]]', "{ name = 1 }", "1.5"])
def test_labels_in_a_file_that_cannot_be(cli: Call, houses: Path, label: str) -> None:
    Path("mine.toml").write_text(f'data = "houses.csv"\nlabel = {label}\n')
    answer = cli("train", "--config", "mine.toml")
    assert (answer.code, len(answer.err.splitlines())) == (1, 1)
    assert "label must be" in answer.err
