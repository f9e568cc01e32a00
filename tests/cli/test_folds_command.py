"""portanet train --folds: the numbers of cross_validate, a run for each fold, and resuming the unfinished ones."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Call, write_csv

import portanet
from portanet.training.cross_validation import fold_numbers

ROWS, FOLDS = 120, 3
BASE = ("--preset", "table", "--epochs", 4, "--backend", "numpy")


@pytest.fixture
def houses(place: Path) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(11)
    a, b = rng.normal(size=(2, ROWS)).round(3)
    price = (1e4 + 1e3 * a - 5e2 * b + 99 * rng.normal(size=ROWS)).round(1)
    town = [f"town{min(i, 15)}" for i in range(ROWS)]  # most names occur once
    rows = [list(row) for row in zip(a, b, price, b + 9, town, strict=True)]
    write_csv(place / "houses.csv", ["a", "b", "price", "area", "town"], rows)
    return price


WORDS = ("train", "houses.csv", "--label", "price", *BASE, "--folds", FOLDS)


@pytest.fixture
def folds(cli: Call, houses: np.ndarray[Any, Any]) -> dict[str, Any]:
    return cli(*WORDS, "--out", "all", "--json").json


def test_the_numbers_are_those_of_cross_validate(folds: dict[str, Any]) -> None:
    run = portanet.load("all/fold-1")
    settings = {
        name: getattr(run.spec, name) for name in ("loss", "optimizer", "schedule", "epochs", "valid", "callbacks")
    }
    data = portanet.read("houses.csv", label="price", task="regress")
    assert run.card.table == data.table
    found = portanet.cross_validate(run.model, data, folds=FOLDS, batch_size="auto", **settings)
    assert folds["scores"] == list(found.scores)
    assert (folds["mean"], folds["spread"]) == (found.mean, found.spread)


def test_the_numbers_are_those_of_scikit_learn(folds: dict[str, Any], houses: np.ndarray[Any, Any]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    data = portanet.read("houses.csv", label="price", task="regress")
    number = fold_numbers(np.zeros(ROWS, np.int32), FOLDS)
    scores = []
    for fold in range(FOLDS):
        predicted = portanet.load(f"all/fold-{fold + 1}").predict(data)
        scores.append(metrics.r2_score(houses[number == fold], predicted[number == fold]))
    assert [each["r2"] for each in folds["scores"]] == pytest.approx(scores, rel=1e-6)
    assert folds["mean"]["r2"] == pytest.approx(np.mean(scores), rel=1e-6)
    assert folds["spread"]["r2"] == pytest.approx(np.std(scores, ddof=1), rel=1e-5)
    assert folds["baseline"]["r2"] < 0.0
    assert json.loads(Path("all/folds.json").read_text()) == folds


def test_classes_of_images_keep_their_proportions(cli: Call) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    found = cli(
        "train", "digits.csv", "--preset", "classic", "--backend", "numpy", "--folds", 5, "--out", "d", "--json"
    )
    labels = portanet.read("digits.csv").require_targets()
    expected = [
        np.bincount(labels[kept], minlength=4).tolist()
        for kept, _ in selection.StratifiedKFold(5).split(labels, labels)
    ]
    records = [json.loads(Path(f"d/fold-{number}/run.json").read_text()) for number in range(1, 6)]
    assert sorted(record["data"]["counts"] for record in records) == sorted(expected)
    assert sum(scores["samples"] for scores in found.json["scores"]) == len(labels)
    assert found.json["mean"]["accuracy"] == pytest.approx(np.mean([each["accuracy"] for each in found.json["scores"]]))


def test_what_is_printed(cli: Call, houses: np.ndarray[Any, Any]) -> None:
    answer = cli(*WORDS)
    assert answer.code == 0
    lines = answer.out.splitlines()
    summary = json.loads(Path("runs/table-folds-1/folds.json").read_text())
    assert [line.split()[:2] for line in lines[:FOLDS]] == [["fold", str(number)] for number in range(1, FOLDS + 1)]
    assert lines[FOLDS].startswith(f"r2 {summary['mean']['r2']:.4f} ± {summary['spread']['r2']:.4f} over {FOLDS} folds")
    assert lines[FOLDS + 1] == f"rmse {summary['mean']['rmse']:.6g} ± {summary['spread']['rmse']:.2g}"
    assert lines[-3].endswith("everything is in runs/table-folds-1, the scores in folds.json")
    words = [shlex.split(line.partition(": ")[2].partition(";")[0]) for line in lines[-2:]]
    assert sorted(words[0]) == sorted(["portanet", *map(str, WORDS[: WORDS.index("--folds")])])
    assert words[1] == ["portanet", "predict", "runs/table-folds-1/fold-1", "DATA"]
    assert cli(*words[1][1:-1], "houses.csv").code == 0
    assert cli(*WORDS, "--quiet").out == ""
    assert Path("runs/table-folds-2/fold-3/model.safetensors").exists()
    assert cli("train", "houses.csv", "--label", "price", *BASE, "--json").json["run"] == "runs/table-1"


def contents(folder: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(folder).rglob("model.safetensors")}


def test_resuming_trains_what_is_unfinished(cli: Call, folds: dict[str, Any]) -> None:
    before, times = contents("all"), Path("all/fold-1/run.json").stat().st_mtime_ns
    Path("all/folds.json").unlink()
    for name in ("run.json", "model.safetensors", "report.html"):  # as where it was killed behind its last checkpoint
        Path("all/fold-2", name).unlink()
    shutil.rmtree("all/fold-3")
    again = cli(*WORDS, "--out", "all", "--resume", "--json").json
    assert contents("all") == before
    assert Path("all/fold-1/run.json").stat().st_mtime_ns == times
    assert {**again, "seconds": 0} == {**folds, "seconds": 0}

    Path("runs").mkdir()
    Path("all/folds.json").unlink()
    Path("all").rename("runs/table-folds-4")
    assert cli(*WORDS, "--resume", "--json").json["mean"] == folds["mean"]
    assert "holds no unfinished run" in cli(*WORDS, "--resume").err


def test_a_signal_saves_the_fold_and_names_the_folder(
    cli: Call, folds: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from portanet.training.stopping import Stop

    reasons = iter([""] * 6)
    with monkeypatch.context() as patch:
        patch.setattr(Stop, "reason", property(lambda stop: next(reasons, "interrupted")))
        answer = cli(*WORDS, "--out", "cut", "--quiet")
    assert answer.code > 128
    assert f"--folds {FOLDS} --out cut --resume" in answer.err.splitlines()[-1]
    assert not Path("cut/folds.json").exists()
    assert cli(*WORDS, "--out", "cut", "--resume", "--json").json["scores"] == folds["scores"]


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("--epochs", 5), "fold-1 was trained with other settings"),
        (("--folds", 4), "fold-1 was trained with other folds"),
        (("--label", "area"), "fold-1 was trained with other rows or labels"),
    ],
)
def test_resuming_as_something_else(cli: Call, folds: dict[str, Any], words: tuple[Any, ...], fact: str) -> None:
    answer = cli(*WORDS, *words, "--out", "all", "--resume")
    assert answer.code == 1
    assert fact in answer.err


def test_each_fold_is_a_run(cli: Call, folds: dict[str, Any]) -> None:
    assert cli("rerun", "all/fold-2", "--json").json["equal"]
    assert cli("report", "all/fold-2").code == 0
    assert "Nothing is measured" not in Path("all/fold-2/report.html").read_text()
    assert cli("evaluate", "all/fold-2", "houses.csv").code == 0
    record = json.loads(Path("all/fold-2/run.json").read_text())
    assert (record["places"]["fold"], record["places"]["folds"]) == (2, FOLDS)
    for fold in (0, 4, "2", None):
        record["places"]["fold"] = fold
        Path("all/fold-2/run.json").write_text(json.dumps(record))
        assert "cannot be" in cli("rerun", "all/fold-2").err


def test_several_targets(cli: Call, houses: np.ndarray[Any, Any]) -> None:
    found = cli(*WORDS, "--label", "area", "--out", "two", "--json").json
    assert list(found["targets"]) == ["price", "area"]
    means = [each["mean"]["r2"] for each in found["targets"].values()]
    assert found["mean"]["r2"] == pytest.approx(np.mean(means))
    shown = cli(*WORDS, "--label", "area", "--out", "two", "--resume").out.splitlines()
    assert [line.split()[0] for line in shown if line.startswith("  ")] == ["price", "area"]


def test_a_configuration_file(cli: Call, folds: dict[str, Any]) -> None:
    printed = cli(*WORDS, "--print-config").out
    assert f"folds = {FOLDS}\n" in printed
    assert "fold = " not in printed
    Path("mine.toml").write_text(printed)
    assert cli("train", "--config", "mine.toml", "--out", "again", "--json").json["scores"] == folds["scores"]


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("--folds", 1), "--folds takes an integer of at least 2, got 1"),
        (("--folds", ROWS + 1), f"from 2 to {ROWS}, the number of rows"),
        (("--test", "houses.csv"), "--test does not go together with --folds"),
        (("--valid", "houses.csv"), "--valid DATA does not go together with --folds"),
        (("--from", "flowers"), "--from does not go together with --folds"),
        (("--time-limit", "5m"), "--time-limit does not go together with --folds"),
        (("--resume", "--out", "flowers"), "holds none of folds.json, fold-1"),
        (("--resume",), "holds no unfinished run"),
    ],
)
def test_refused_in_one_line(cli: Call, houses: np.ndarray[Any, Any], words: tuple[Any, ...], fact: str) -> None:
    answer = cli(*WORDS, *words)
    assert answer.code == 1
    assert fact in answer.err.splitlines()[-1]
    assert not Path("runs").exists()


def test_a_folder_of_folds_is_no_run(cli: Call, folds: dict[str, Any]) -> None:
    answer = cli("train", "houses.csv", "--label", "price", *BASE, "--out", "all", "--resume")
    assert answer.code == 1
    assert "is not a run folder" in answer.err


@pytest.mark.parametrize("command", ["evaluate all houses.csv", "predict all houses.csv", "report all", "rerun all"])
def test_a_run_is_one_of_a_fold(cli: Call, folds: dict[str, Any], command: str) -> None:
    answer = cli(*command.split())
    assert answer.code == 1
    assert str(Path("all", "fold-1")) in answer.err
