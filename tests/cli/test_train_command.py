"""portanet train: what it prints, what it writes, and that the same command gives the same model."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import Call

NUMPY = ("--backend", "numpy")
KEYS = [
    "run", "model", "preset", "backend", "device", "dtype", "seed", "steps", "seconds", "stopped",
    "train_accuracy", "final_train_accuracy", "valid_accuracy", "test_accuracy",
    "scores", "baseline",
]  # fmt: skip


def history(run: Path | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(run, "history.jsonl").read_text().splitlines()]


def model(run: Path | str) -> bytes:
    return Path(run, "model.safetensors").read_bytes()


def test_json_is_one_object_and_everything_else_goes_to_stderr(cli: Call) -> None:
    answer = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 3, "--backend", "numpy", "--json")
    result = answer.json
    assert list(result) == KEYS
    assert result | {"seconds": 0, "train_accuracy": 0, "final_train_accuracy": 0, "valid_accuracy": 0} == {
        "run": "runs/mlp-1", "model": "runs/mlp-1/model.safetensors", "preset": "mlp", "backend": "numpy",
        "device": "cpu", "dtype": "float32", "seed": 0, "steps": 3, "seconds": 0,
        "stopped": "finished", "train_accuracy": 0,
        "final_train_accuracy": 0, "valid_accuracy": 0, "test_accuracy": None,
        "scores": {"valid": result["scores"]["valid"], "test": {}},
        "baseline": {"valid": {"accuracy": 0.25}, "test": {}},
    }  # fmt: skip
    assert result["scores"]["valid"]["accuracy"] == result["valid_accuracy"]
    assert answer.err.splitlines()[1] == "flowers.csv: 82 rows to train on, 8 held out"
    assert "AdamW(learning_rate=0.003, weight_decay=0.3), cosine_decay(warmup=0.05)" in answer.err.splitlines()
    assert [line.split()[1] for line in answer.err.splitlines()[-3:]] == ["1/3", "2/3", "3/3"]
    assert 0 < result["seconds"] < 60


def test_people_read_the_result_on_stdout_and_the_progress_on_stderr(cli: Call) -> None:
    answer = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--test", "flowers.csv", *NUMPY)
    lines = answer.out.splitlines()
    assert [line.partition("  ")[0] for line in lines[:4]] == [
        "training accuracy, last logged",
        "training accuracy of the saved model",
        "validation accuracy",
        "test accuracy",
    ]
    assert lines[4].startswith("1 step in ")
    assert lines[4].endswith("runs/mlp-1")
    assert answer.err.startswith("numpy on cpu\n")


def test_quiet_is_silent_and_leaves_json_alone(cli: Call) -> None:
    silent = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--quiet")
    assert (silent.out, silent.err) == ("", "")
    both = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--quiet", "--json")
    assert both.err == ""
    assert both.json["run"] == "runs/mlp-2"


def test_auto_says_what_it_takes_and_why(cli: Call) -> None:
    words = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1).err.splitlines()[0]
    assert words.split()[:3:2] in (["numpy", "cpu"], ["cupy", "cuda:0"])
    assert "(auto: " in words
    assert len(words) <= 100


def test_classic_logs_the_articles_35_points(cli: Call) -> None:
    result = cli("train", "digits.csv", "--preset", "classic", "--json").json
    rows = history(result["run"])
    assert [row["step"] for row in rows] == list(range(1, 350, 10))
    assert (result["steps"], rows[-1]["step"]) == (350, 341)
    assert result["train_accuracy"] == rows[-1]["accuracy"]
    assert result["valid_accuracy"] is None
    assert {row["learning_rate"] for row in rows} == {0.2}


def test_classic_measures_before_the_update(cli: Call) -> None:
    """Row 0 is the network as it was drawn, and train_accuracy does not see the update of its own step."""
    still = cli("train", "digits.csv", "--preset", "classic", "--epochs", 1, "--learning-rate", 1e-30, "--json").json
    moved = cli("train", "digits.csv", "--preset", "classic", "--epochs", 1, "--learning-rate", 0.5, "--json").json
    assert history(still["run"])[0]["loss"] == history(moved["run"])[0]["loss"]
    assert moved["train_accuracy"] == still["final_train_accuracy"] != moved["final_train_accuracy"]


def test_the_run_folder_holds_what_it_should(cli: Call) -> None:
    result = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 2, "--seed", 7, "--json").json
    assert {path.name for path in Path(result["run"]).iterdir()} == {
        "model.safetensors", "checkpoint.safetensors", "history.jsonl", "run.json", "report.html",
    }  # fmt: skip
    record = json.loads(Path(result["run"], "run.json").read_text())
    assert record["result"] == result
    assert record["command"] == "portanet train flowers.csv --preset mlp --seed 7 --epochs 2"
    assert record["spec"]["seed"] == 7
    assert record["data"]["name"] == "flowers.csv"
    assert record["data"]["samples"] == 82
    assert {"python", "numpy", "portanet"} <= record["versions"].keys()
    assert record["layers"][2] == {
        "name": "2", "layer": "Dense(units=256)", "output_shape": [256], "parameters": 5 * 256, "macs": 4 * 256,
    }  # fmt: skip


def test_runs_are_numbered_from_the_highest(cli: Call, place: Path) -> None:
    assert cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--json").json["run"] == "runs/mlp-1"
    (place / "runs/mlp-9").mkdir()
    (place / "runs/mlp-old").mkdir()
    assert cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--json").json["run"] == "runs/mlp-10"
    classic = cli("train", "digits.csv", "--preset", "classic", "--epochs", 1, "--json").json
    assert classic["run"] == "runs/classic-1"


def test_a_folder_with_files_is_never_written_to(cli: Call, place: Path) -> None:
    before = {path: path.read_bytes() for path in (place / "flowers").iterdir()}
    answer = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--out", "flowers")
    assert answer.code == 1
    assert "flowers is not empty" in answer.err
    assert {path: path.read_bytes() for path in (place / "flowers").iterdir()} == before


def test_an_empty_or_a_deep_new_folder_is_taken(cli: Call) -> None:
    for out in ("nothing", "x/y"):
        found = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--out", out, "--json").json
        assert (found["run"], found["model"]) == (out, f"{out}/model.safetensors")


def test_equal_commands_give_equal_bytes(cli: Call, place: Path) -> None:
    (place / "elsewhere").mkdir()
    (place / "elsewhere/flowers.csv").write_bytes((place / "flowers.csv").read_bytes())
    base = ("--epochs", 4, "--backend", "numpy", "--batch-size", 20, "--quiet")
    cli("train", "flowers.csv", "--preset", "mlp", *base, "--out", "one")
    for other in (
        ("flowers.csv", "--out", "two"),
        ("flowers.csv", "--out", "three", "--workers", 1),
        ("flowers.csv", "--out", "four", "--workers", 3),
        ("flowers.csv", "--out", "plain", "--no-trace"),
        (place / "elsewhere/flowers.csv", "--out", "five"),
    ):
        assert cli("train", *other, "--preset", "mlp", *base).code == 0
        assert model(other[2]) == model("one")
    cli("train", "flowers.csv", "--preset", "mlp", *base, "--out", "six", "--seed", 1)
    assert model("six") != model("one")
    assert str(place).encode() not in model("five")


@pytest.mark.parametrize(
    "arguments",
    [
        "flowers.csv --epochs 3",
        "flowers.csv --epochs 3 --seed 5 --optimizer nesterov --learning-rate 0.03 --batch-size full --debug",
        "turned.csv --label species --valid 0.25 --test turned.csv --dtype float64 --epochs 2",
        "digits.csv --image 1x2x8 --preset classic --epochs 20 --valid digits.csv --workers 2 --backend numpy",
    ],
)
def test_the_recorded_command_repeats_the_run(cli: Call, arguments: str) -> None:
    first = cli("train", *shlex.split(arguments), "--out", "first", "--json").json
    program, *words = shlex.split(json.loads(Path("first/run.json").read_text())["command"])
    assert program == "portanet"
    assert cli(*words).code == 0
    assert model(f"runs/{first['preset']}-1") == model("first")


def test_an_awkward_file_name_is_quoted(cli: Call, place: Path) -> None:
    (place / "my 'own' flowers.csv").write_bytes((place / "flowers.csv").read_bytes())
    assert cli("train", "my 'own' flowers.csv", "--preset", "mlp", "--epochs", 1, "--quiet").code == 0
    command = json.loads(Path("runs/mlp-1/run.json").read_text())["command"]
    assert shlex.split(command)[2] == "my 'own' flowers.csv"


def test_test_data_is_read_only_where_it_is_named(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from portanet import data

    real, read = data.read, []
    monkeypatch.setattr(data, "read", lambda source, **options: read.append(source) or real(source, **options))
    cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1)
    assert read == ["flowers.csv"]
    result = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--test", "turned.csv", "--label", "label")
    assert result.code == 1  # its label column has another name; the table is not guessed at
    assert read[1:] == ["flowers.csv", "turned.csv"]


@pytest.mark.parametrize(("share", "kept"), [("0.2", 72), ("0", 90), ("0.5", 45)])
def test_a_share_of_the_rows_is_held_out(cli: Call, share: str, kept: int) -> None:
    result = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--valid", share, "--json").json
    assert json.loads(Path(result["run"], "run.json").read_text())["data"]["samples"] == kept
    assert (result["valid_accuracy"] is None) == (kept == 90)
    assert ("valid_accuracy" in history(result["run"])[0]) == (kept < 90)


def test_the_rows_held_out_do_not_follow_the_seed(cli: Call) -> None:
    def rows(seed: int) -> str:
        run = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1, "--seed", seed, "--json").json["run"]
        return json.loads(Path(run, "run.json").read_text())["data"]["fingerprint"]

    assert rows(0) == rows(1)


def test_validation_data_of_its_own(cli: Call) -> None:
    result = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 8, "--valid", "flowers.csv", "--json").json
    assert json.loads(Path(result["run"], "run.json").read_text())["data"]["samples"] == 90
    assert result["valid_accuracy"] == result["final_train_accuracy"]


@pytest.mark.parametrize(
    ("data", "label", "classes"),
    [
        ("flowers.csv", None, ["setosa", "versicolor", "virginica"]),
        ("turned.csv", "species", ["setosa", "versicolor", "virginica"]),
        ("numbered.csv", None, ["5", "12", "70"]),
        ("table.npz", None, ["0", "1", "2"]),
    ],
)
def test_labels_are_text_or_numbers_of_any_column(cli: Call, data: str, label: str | None, classes: list[str]) -> None:
    named = () if label is None else ("--label", label)
    run = cli("train", data, "--epochs", 1, *named, "--json").json["run"]
    assert cli("summary", run, "--json").json["classes"] == classes


def test_preprocessing_follows_the_kind_of_the_data(cli: Call) -> None:
    """Every column of a table has its own scale, and what has no names may be a table too."""
    for data, first in {"flowers.csv": "Columns(", "table.npz": "Standardize("}.items():
        run = cli("train", data, "--preset", "classic", "--epochs", 1, "--json").json["run"]
        assert cli("summary", run, "--json").json["layers"][0]["layer"].startswith(first)
    run = cli("train", "digits.csv", "--preset", "classic", "--epochs", 1, "--json").json["run"]
    assert cli("summary", run, "--json").json["layers"][0]["layer"] == f"Rescale(factor={1 / 255})"


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("sgd", 0.1), ("momentum", 0.02), ("nesterov", 0.02), ("adam", 0.001), ("adamw", 0.001)]
)
def test_each_optimizer_learns_at_its_own_rate(cli: Call, optimizer: str, rate: float) -> None:
    result = cli("train", "flowers.csv", "--preset", "mlp", "--optimizer", optimizer, "--epochs", 40, "--json").json
    assert result["final_train_accuracy"] > 0.9
    config = json.loads(Path(result["run"], "run.json").read_text())["spec"]
    assert config["optimizer"]["learning_rate"] == rate


def test_settings_reach_the_training(cli: Call) -> None:
    result = cli(
        "train", "flowers.csv", "--preset", "mlp", "--json", "--epochs", 2, "--batch-size", 10,
        "--learning-rate", 0.25, "--dtype", "float64",
    ).json  # fmt: skip
    config = json.loads(Path(result["run"], "run.json").read_text())["spec"]
    assert result["steps"] == 2 * 9
    assert (config["batch_size"], config["dtype"], config["optimizer"]["learning_rate"]) == (10, "float64", 0.25)


def test_a_training_that_diverges_says_so(cli: Call) -> None:
    with np.errstate(all="ignore"):
        answer = cli(
            "train", "flowers.csv", "--preset", "mlp", "--optimizer", "sgd", "--learning-rate", 1e30,
            "--workers", 1, "--backend", "numpy", "--valid", 0,
        )  # fmt: skip
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith("portanet: training diverged at step ")
    assert "NaN" not in Path("runs/mlp-1/history.jsonl").read_text()
    assert not Path("runs/mlp-1/model.safetensors").exists()


def test_without_the_report_extra_training_says_how_to_get_it(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from portanet import report

    monkeypatch.setattr(report, "available", lambda: False)
    answer = cli("train", "flowers.csv", "--preset", "mlp", "--epochs", 1)
    assert answer.code == 0
    last = answer.out.splitlines()[-1]
    assert last == "no report.html: pip install 'portanet[report]', then portanet report runs/mlp-1"
    assert not Path("runs/mlp-1/report.html").exists()
