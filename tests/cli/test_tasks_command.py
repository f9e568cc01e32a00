"""Tasks of the command line from end to end: numbers instead of classes, classes that count more, details."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Call, write_csv

import portanet
from portanet import nn
from portanet.cli import evaluate

BASE = ("--backend", "numpy", "--quiet")


def labels(text: str) -> list[str]:
    """The predictions, under the name of the label."""
    return [list(row.values())[1] for row in csv.DictReader(io.StringIO(text))]


@pytest.fixture
def houses(place: Path) -> Any:
    """240 prices around 300,000, the sum of the columns and a little noise."""
    rng = np.random.default_rng(3)
    x = np.round(rng.normal(0.0, [1.0, 20.0, 0.1], (240, 3)), 4)
    price = np.round(3e5 + x @ [1e5, -3e3, 4e5] + rng.normal(0.0, 5e3, 240), 1)
    header, rows = ["rooms", "age", "garden", "price"], np.column_stack([x, price]).tolist()
    write_csv(place / "houses.csv", header, rows[:200])
    write_csv(place / "more.csv", header[::-1], [row[::-1] for row in rows[200:]])
    return price[200:]


def test_counts_of_any_size(cli: Call, place: Path) -> None:
    """Large ones too: exp of a number around a thousand is infinite."""
    rng = np.random.default_rng(3)
    x = np.round(rng.normal(size=(300, 2)), 3)
    visits = rng.poisson(1000.0 * np.exp(x @ [0.3, -0.2]))
    write_csv(place / "visits.csv", ["a", "b", "visits"], np.column_stack([x, visits]).tolist())
    (place / "counts.toml").write_text('loss = { type = "Poisson" }\n')
    words = ("--label", "visits", "--task", "regress", "--config", "counts.toml", "--epochs", 60, "--out", "v", *BASE)
    answer = cli("train", "visits.csv", *words, "--json")
    assert answer.json["final_train_r2"] > 0.9
    found = np.array(labels(cli("predict", "v", "visits.csv").out), float)
    assert 1.0 - np.sum((visits - found) ** 2) / np.sum((visits - visits.mean()) ** 2) > 0.9


def test_numbers_from_training_to_report(cli: Call, houses: Any) -> None:
    words = ("houses.csv", "--label", "price", "--task", "regress", "--epochs", 80, "--test", "more.csv")
    answer = cli("train", *words, "--out", "h", "--backend", "numpy")
    assert answer.code == 0
    assert [line.partition("  ")[0] for line in answer.out.splitlines()[:4]] == [
        "training R2, last logged", "training R2 of the saved model", "validation R2", "test R2",
    ]  # fmt: skip
    assert "  R2 0.9" in answer.err.splitlines()[-1]
    result = json.loads(Path("h/run.json").read_text())["result"]
    found = cli("evaluate", "h", "more.csv", "--json").json
    assert list(found) == ["r2", "loss", "samples", "rmse", "mae", "median_error"]
    predicted = np.array(labels(cli("predict", "h", "more.csv").out), float)
    squares = ((houses - predicted) ** 2).sum()
    explained = 1 - squares / ((houses - houses.mean()) ** 2).sum()
    assert found["r2"] == pytest.approx(result["test_r2"], rel=1e-6)
    assert found["r2"] == pytest.approx(explained, rel=1e-3)
    scale = portanet.load("h").card.target_scale[0]
    assert found["loss"] == pytest.approx(squares / 40 / scale**2, rel=1e-3)
    assert found["r2"] > 0.97
    people = cli("evaluate", "h", "more.csv").out
    first, *further = people.splitlines()
    assert first == f"R2 {found['r2']:.4f}  loss {found['loss']:.4g}  samples 40"
    assert further[0].split() == ["root", "mean", "squared", "error", f"{found['rmse']:.6g}"]
    assert found["rmse"] == pytest.approx((squares / 40) ** 0.5, rel=1e-3)
    assert answer.out.splitlines()[3].endswith(f"{result['baseline']['test']['rmse']:.6g})")
    assert result["baseline"]["test"]["rmse"] > result["scores"]["test"]["rmse"] == found["rmse"]
    summary = cli("summary", "h").out
    assert f"predicts numbers: price, learned as deviations of {scale:.4g} from" in summary
    assert "classes" not in summary
    report = Path("h/report.html").read_text()
    for expected in (
        ">Training R2<",
        ">Test R2<",
        "MeanSquaredError",
        'data-chart="r2"',
        "Predicted against true: price",
    ):
        assert expected in report
    for absent in ("ccuracy", "intervals", 'class="interval"'):
        assert absent not in report.partition("<script")[0]


def test_numbers_have_no_classes(cli: Call, houses: Any) -> None:
    words = ("houses.csv", "--label", "price", "--task", "regress", "--epochs", 1)
    assert cli("train", *words, *BASE, "--out", "h").code == 0
    for command, option in (("evaluate", "--details"), ("predict", "--probabilities")):
        answer = cli(command, "h", "houses.csv", option)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err == f"portanet: {option} is for classes, and this model predicts numbers; leave it out.\n"
    write_csv(Path("bare_houses.csv"), ["age", "garden", "rooms"], [[1, 2, 3], [4, 5, 6]])
    straight = cli("predict", "h", "bare_houses.csv").out
    write_csv(Path("turned_houses.csv"), ["rooms", "price", "age", "garden"], [[3, 0, 1, 2], [6, 0, 4, 5]])
    assert cli("predict", "h", "turned_houses.csv").out == straight
    assert len(labels(straight)) == 2


def test_a_constant_number_can_be_learned(cli: Call) -> None:
    write_csv(Path("same.csv"), ["a", "label"], [[i * i, 7] for i in range(20)])
    result = cli("train", "same.csv", "--task", "regress", "--epochs", 1, *BASE, "--json").json
    assert all(np.isfinite(result[f"{name}_r2"]) for name in ("train", "final_train", "valid"))


def test_a_class_that_counts_more_is_found_more_often(cli: Call) -> None:
    """5 of 100 rows are sick, and overlap with the others: left alone, a net says what is common."""
    rng = np.random.default_rng(0)
    sick = np.arange(400) % 20 == 0
    x = np.round(rng.normal(0.0, 1.0, (400, 2)) + 1.2 * sick[:, None], 3)
    rows = [[*row, "sick" if is_sick else "well"] for row, is_sick in zip(x.tolist(), sick, strict=True)]
    write_csv(Path("rare.csv"), ["a", "b", "label"], rows)

    def recall(name: str, *options: object) -> float:
        assert cli("train", "rare.csv", "--epochs", 20, "--valid", 0, *options, *BASE, "--out", name).code == 0
        return cli("evaluate", name, "rare.csv", "--details", "--json").json["classes"]["sick"]["recall"]

    alone = recall("alone")
    balanced = recall("balanced", "--class-weight", "balanced")
    assert alone < 0.4 < 0.7 < balanced
    assert recall("by_hand", "--class-weight", "sick=10,well=0.5263157894736842") == balanced
    assert recall("never", "--class-weight", "sick=0") == 0.0
    kept = json.loads(Path("balanced/run.json").read_text())["spec"]["loss"]["class_weight"]
    assert kept == [400 / (2 * 20), 400 / (2 * 380)]


def test_details_by_hand(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six rows of three classes: the first is once taken for the second, the third is never found."""
    from portanet.training.model import TrainedModel

    write_csv(
        Path("six.csv"), ["a", "b", "c", "d", "label"],
        [[0, 0, 0, 0, name] for name in ("setosa", "setosa", "setosa", "versicolor", "versicolor", "virginica")],
    )  # fmt: skip
    answers = [0, 0, 1, 1, 1, 1]
    confident = np.log(np.float32([0.75, 0.125, 0.125]))
    monkeypatch.setattr(
        TrainedModel, "outputs", lambda self, x: np.stack([np.roll(confident, answer) for answer in answers])
    )
    found = cli("evaluate", "flowers", "six.csv", "--details", "--json").json
    assert "top_5_accuracy" not in found  # of three classes, every answer is among the first five
    assert found["calibration_error"] == pytest.approx(abs(4 / 6 - 0.75), abs=1e-6)
    expected = {
        "setosa": {"precision": 1, "recall": 2 / 3, "f1": 0.8, "samples": 3},
        "versicolor": {"precision": 0.5, "recall": 1, "f1": 2 / 3, "samples": 2},
        "virginica": {"precision": 0, "recall": 0, "f1": 0, "samples": 1},
    }
    assert found["classes"] == {name: pytest.approx(own, abs=1e-6) for name, own in expected.items()}
    assert found["confusion"] == [[2, 1, 0], [0, 2, 0], [0, 1, 0]]
    lines = cli("evaluate", "flowers", "six.csv", "--details").out.splitlines()
    lines = [lines[0], *lines[next(i for i, line in enumerate(lines) if line.startswith("calibration")) :]]
    assert lines[1] == "calibration error 0.0833"
    assert lines[3].split() == ["class", "precision", "recall", "F1", "samples"]
    assert lines[4].split() == ["setosa", "100.00%", "66.67%", "80.00%", "3"]
    assert len({len(line) for line in lines[3:7]}) == 1
    assert [line.split(maxsplit=1) for line in lines[9:]] == [
        ["1", "of class setosa taken for versicolor"], ["1", "of class virginica taken for versicolor"],
    ]  # fmt: skip


def test_more_classes_than_five_have_a_top_five(cli: Call) -> None:
    rows = [[i % 7, (i % 7) ** 2, "abcdefg"[i % 7]] for i in range(70)]
    write_csv(Path("seven.csv"), ["x", "y", "label"], rows)
    assert cli("train", "seven.csv", "--epochs", 2, *BASE, "--out", "seven").code == 0
    found = cli("evaluate", "seven", "seven.csv", "--details", "--json").json
    assert found["accuracy"] <= found["top_5_accuracy"] <= 1
    assert "top 5 accuracy " in cli("evaluate", "seven", "seven.csv", "--details").out


def write_many(classes: int, rows: int) -> None:
    """A model of many classes, and a table to measure it on."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(rows, 3)).astype(np.float32), np.arange(rows) % classes
    portanet.fit(nn.Dense(classes), x, labels, epochs=1, batch_size=500, backend="numpy").save("many.safetensors")
    np.savez("many.npz", x=x, labels=labels)


def test_details_in_blocks_are_those_of_all_rows(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    write_many(7, 5000)
    whole = cli("evaluate", "many.safetensors", "many.npz", "--details", "--json").json
    monkeypatch.setattr(evaluate, "_VALUES", 1)
    assert cli("evaluate", "many.safetensors", "many.npz", "--details", "--json").json == whole
    assert sum(map(sum, whole["confusion"])) == 5000
    counts = sorted((n for i, row in enumerate(whole["confusion"]) for j, n in enumerate(row) if i != j), reverse=True)
    assert [pair["rows"] for pair in whole["confused"]] == counts[:5]


def test_details_of_very_many_classes(cli: Call) -> None:
    write_many(3000, 6000)
    tracemalloc.start()
    found = cli("evaluate", "many.safetensors", "many.npz", "--details", "--json").json
    assert tracemalloc.get_traced_memory()[1] < 150e6
    tracemalloc.stop()
    assert len(found["classes"]) == 3000
    assert "confusion" not in found
    lines = cli("evaluate", "many.safetensors", "many.npz", "--details").out.splitlines()
    assert "and 2,900 more, which --json has" in lines
    assert len(lines) < 120


def test_intervals_from_training_to_predictions(cli: Call, houses: Any) -> None:
    words = ("houses.csv", "--label", "price", "--intervals", 0.8, "--epochs", 5, "--valid", 0.3, "--out", "h", *BASE)
    assert cli("train", *words).code == 0
    rows = list(csv.DictReader(io.StringIO(cli("predict", "h", "more.csv").out)))
    assert list(rows[0]) == ["Row", "price", "lower", "upper"]
    assert all(float(row["lower"]) <= float(row["price"]) <= float(row["upper"]) for row in rows)
    inside = np.mean([float(row["lower"]) <= price <= float(row["upper"]) for row, price in zip(rows, houses)])
    assert cli("evaluate", "h", "more.csv", "--json").json["coverage"] == pytest.approx(inside)
    found = cli("predict", "h", "more.csv", "--json").json
    assert found["intervals"][0] == [float(rows[0]["lower"]), float(rows[0]["upper"])]
    shares = json.loads(Path("h/run.json").read_text())["result"]["scores"]["valid"]["coverage"]
    for report in (Path("h/report.html").read_text(), Path(cli("report", "h").out.strip()).read_text()):
        assert "inside their 80% intervals" in report
        assert f"<td>{shares:.1%}</td>" in report
        assert report.count('class="interval"') == 60
    assert "predict" in cli("train", *words[:5], "--task", "classify").err


def test_classes_of_tables_are_calibrated_by_default(cli: Call, houses: Any, place: Path) -> None:
    write_csv(
        place / "sold.csv", ["rooms", "age", "sold"], [[i % 7, i * 31 % 50, ["no", "yes"][i % 2]] for i in range(40)]
    )
    words = ("train", "sold.csv", "--label", "sold", "--print-config")
    assert "calibrate = true" in cli(*words).out
    for others in (["--valid", 0], ["--no-calibrate"], ["--preset", "mlp"]):
        assert "calibrate = false" in cli(*words, *others).out
    assert "calibrate = false" in cli("train", "houses.csv", "--label", "price", "--print-config").out
    (file := place / "mine.toml").write_text("calibrate = true\n")
    assert "calibrate = true" in cli(*words, "--preset", "mlp", "--valid", 0.2, "--config", file).out
    assert "calibrate = false" in cli(*words, "--config", file, "--no-calibrate").out


@pytest.mark.parametrize("task", [(), ("--task", "regress")])
def test_the_metric_to_watch_is_one_of_the_task_that_the_label_decides(
    cli: Call, houses: Any, task: tuple[str, ...]
) -> None:
    words = ("train", "houses.csv", "--label", "price", *task, "--epochs", 3, *BASE)
    assert cli(*words, "--metric", "mae", "--out", "h").code == 0
    assert all("valid_mae" in json.loads(line) for line in Path("h/history.jsonl").read_text().splitlines())
    answer = cli(*words, "--metric", "roc_auc", "--out", "other")
    assert answer.code == 1
    assert "r2, rmse, mae, median_error, loss" in answer.err
    assert not Path("other").exists()
    several = cli(*words, "--label", "age", "--metric", "mae", "--out", "other")
    assert several.code == 1
    assert "--metric r2" in several.err
    assert cli("train", "flowers.csv", "--metric", "roc_auc", "--epochs", 2, *BASE, "--out", "f").code == 0
