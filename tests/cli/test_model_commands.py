"""portanet evaluate, predict, summary, report and data: what is done with a trained model."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from console import SPECIES, Call, write_csv

import portanet
from portanet.nn import Dense, Sequential


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def truth(path: str, column: str = "label") -> list[str]:
    return [row[column] for row in table(Path(path).read_text())]


def result_of(run: str) -> dict[str, Any]:
    return json.loads(Path(run, "run.json").read_text())["result"]


def test_evaluate_says_what_train_said(cli: Call) -> None:
    result = cli("train", "flowers.csv", "--valid", 0, "--test", "flowers.csv", "--epochs", 5, "--json").json
    found = cli("evaluate", result["run"], "flowers.csv", "--json").json
    assert list(found)[:3] == ["accuracy", "loss", "samples"]
    assert found["accuracy"] == result["final_train_accuracy"] == result["test_accuracy"]
    assert found["samples"] == 90
    assert 0 < found["loss"] < 2
    assert cli("evaluate", result["model"], "flowers.csv", "--json").json == found
    people = cli("evaluate", result["run"], "flowers.csv").out
    first, *further = people.splitlines()
    assert first == f"accuracy {found['accuracy']:.2%}  loss {found['loss']:.4g}  samples 90"
    assert [line.rsplit(maxsplit=1) for line in further] == [
        ["balanced accuracy", f"{found['balanced_accuracy']:.2%}"],
        ["F1", f"{found['f1']:.4f}"],
        ["ROC AUC", f"{found['roc_auc']:.4f}"],
        ["average precision", f"{found['average_precision']:.4f}"],
        ["log loss", f"{found['log_loss']:.4f}"],
    ]


def test_evaluate_counts_what_predict_gets_right(cli: Call) -> None:
    answers = [row["label"] for row in table(cli("predict", "flowers", "flowers.csv").out)]
    right = np.mean([a == b for a, b in zip(answers, truth("flowers.csv"), strict=True)])
    assert cli("evaluate", "flowers", "flowers.csv", "--json").json["accuracy"] == right > 0.8


def test_columns_are_matched_by_name(cli: Call) -> None:
    straight = cli("evaluate", "flowers", "flowers.csv", "--json").json
    assert cli("evaluate", "flowers", "turned.csv", "--label", "species", "--json").json == straight
    labelled = cli("predict", "flowers", "flowers.csv").out
    assert cli("predict", "flowers", "turned.csv", "--label", "species").out == labelled
    assert cli("predict", "flowers", "bare.csv").out == labelled


def test_the_label_column_of_the_training_is_remembered(cli: Call) -> None:
    run = cli("train", "turned.csv", "--label", "species", "--epochs", 2, "--json").json["run"]
    assert cli("evaluate", run, "turned.csv", "--json").json["samples"] == 90
    assert cli("predict", run, "bare.csv").code == 0


def test_a_model_of_one_backend_is_measured_on_another(cli: Call, backend: portanet.Backend) -> None:
    named = ("--backend", backend.name)
    trained = cli("train", "flowers.csv", "--epochs", 5, "--valid", 0, *named, "--out", "there", "--json").json
    assert trained["backend"] == backend.name
    here = cli("evaluate", "there", "flowers.csv", "--backend", "numpy", "--json").json
    assert here["accuracy"] == trained["final_train_accuracy"]
    there = cli("evaluate", "flowers", "flowers.csv", *named, "--json").json
    numpy = cli("evaluate", "flowers", "flowers.csv", "--backend", "numpy", "--json").json
    assert there == numpy | {name: pytest.approx(numpy[name], rel=1e-4) for name in ("loss", "log_loss")}
    assert cli("predict", "flowers", "bare.csv", *named).out == cli("predict", "flowers", "bare.csv").out


def test_every_backend_trains_the_same_classic(cli: Call, backend: portanet.Backend) -> None:
    result = cli("train", "digits.csv", "--preset", "classic", "--epochs", 41, "--backend", backend.name, "--json").json
    numpy = cli("train", "digits.csv", "--preset", "classic", "--epochs", 41, "--backend", "numpy", "--json").json
    assert (result["backend"], result["device"]) == (backend.name, backend.device)
    assert result["steps"] == numpy["steps"] == 41
    assert result["train_accuracy"] == pytest.approx(numpy["train_accuracy"], abs=1.5 / 80)  # one row more or less


def test_predict_writes_a_submission_for_images(cli: Call) -> None:
    answer = cli("predict", "digits", "unknown.csv")
    lines = answer.out.split("\n")
    assert answer.err == ""
    assert lines[0] == "ImageId,Label"
    assert lines[-1] == ""
    assert [line.split(",")[0] for line in lines[1:-1]] == [str(number) for number in range(1, 81)]
    assert [line.split(",")[1] for line in lines[1:-1]] == truth("digits.csv")
    assert "\r" not in answer.out


def test_predict_names_the_classes_of_a_table(cli: Call) -> None:
    rows = table(cli("predict", "flowers", "bare.csv").out)
    assert list(rows[0]) == ["Row", "label"]
    assert {row["label"] for row in rows} == set(SPECIES)


def test_a_table_without_names_has_rows_and_no_images(cli: Call) -> None:
    run = cli("train", "table.npz", "--epochs", 2, "--json").json["run"]
    assert cli("predict", run, "table.npz").out.startswith("Row,Label\n1,")


def test_probabilities_add_up_and_agree_with_the_label(cli: Call) -> None:
    rows = table(cli("predict", "flowers", "bare.csv", "--probabilities").out)
    assert list(rows[0]) == ["Row", "label", *(f"probability_{name}" for name in SPECIES)]
    for row in rows:
        shares = {name: float(row[f"probability_{name}"]) for name in SPECIES}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert max(shares, key=lambda name: shares[name]) == row["label"]


def test_predict_never_replaces_a_file_unasked(cli: Call) -> None:
    expected = cli("predict", "flowers", "bare.csv").out
    refused = cli("predict", "flowers", "bare.csv", "--out", "notes.txt")
    assert refused.code == 1
    assert "notes.txt exists already" in refused.err
    assert Path("notes.txt").read_text() == "not data\n"
    replaced = cli("predict", "flowers", "bare.csv", "--out", "notes.txt", "--force")
    assert (replaced.code, replaced.out, replaced.err) == (0, "", "")
    assert Path("notes.txt").read_text() == expected
    assert cli("predict", "flowers", "bare.csv", "--out", "nothing/answers.csv").code == 0
    assert Path("nothing/answers.csv").read_text() == expected
    assert [path.name for path in Path("nothing").iterdir()] == ["answers.csv"]


def test_a_model_from_python_has_numbers_for_classes(cli: Call) -> None:
    with np.load("table.npz") as file:
        x, labels = file["x"], file["y"].astype(np.int32)
    portanet.fit(Sequential(Dense(3)), x, labels, epochs=30, batch_size=9).save("own.safetensors")
    rows = table(cli("predict", "own.safetensors", "bare.csv").out)
    assert {row["Label"] for row in rows} == {"0", "1", "2"}
    seen = cli("evaluate", "own.safetensors", "table.npz", "--json").json
    assert seen["accuracy"] == np.mean([int(row["Label"]) == k for row, k in zip(rows, labels, strict=True)])
    # Labels mean the same numbers in data where one of them is missing.
    only = [[*map(float, row), int(label)] for row, label in zip(x, labels, strict=True) if label != 0]
    write_csv(Path("without0.csv"), ["a", "b", "c", "d", "label"], only)
    part = [int(row["Label"]) == k for row, k in zip(rows, labels, strict=True) if k != 0]
    assert cli("evaluate", "own.safetensors", "without0.csv", "--json").json["accuracy"] == np.mean(part)
    unnamed = cli("evaluate", "own.safetensors")
    assert (unnamed.code, unnamed.out) == (1, "")
    assert "name the data" in unnamed.err


def test_only_the_embedded_digits_have_a_test_set_by_default(cli: Call, place: Path) -> None:
    (place / "mnist_of_my_own.csv").write_bytes((place / "digits.csv").read_bytes())
    (place / "deep").mkdir()
    (place / "deep/mnist.csv").write_bytes((place / "digits.csv").read_bytes())
    for data in ("mnist_of_my_own.csv", "deep/mnist.csv"):
        run = cli("train", data, "--epochs", 1, "--json").json["run"]
        answer = cli("evaluate", run)
        assert answer.code == 1
        assert answer.err == (f"portanet: name the data to evaluate on; this model was trained on {Path(data).name}.\n")


def test_summary_adds_up(cli: Call) -> None:
    text = cli("summary", "digits").out
    found = cli("summary", "digits", "--json").json
    sizes = {row["name"]: (row["output_shape"], row["parameters"], row["macs"]) for row in found["layers"]}
    assert sizes == {
        "0": ([1, 4, 4], 0, 0), "1": ([16], 0, 0), "2": ([16], 16 * 16 + 16, 16 * 16),
        "3": ([16], 0, 0), "4": ([4], 16 * 4 + 4, 16 * 4),
    }  # fmt: skip
    assert found["classes"] == ["0", "1", "2", "3"]
    assert found["data"] == {"name": "digits.csv", "samples": 80, "fingerprint": found["data"]["fingerprint"]}
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "MACs"]
    assert lines[6].split() == ["all", "340", "320"]
    assert lines[8:] == ["input 1 x 4 x 4, float32", "classes 0, 1, 2, 3", "trained on digits.csv (80 rows)"]
    assert len({len(line) for line in lines[:7]}) == 1
    assert cli("summary", "digits/model.safetensors").out == text


def test_the_model_file_keeps_what_was_measured(cli: Call) -> None:
    kept = cli("summary", "digits", "--json").json
    assert kept["spec"]["optimizer"]["learning_rate"] == 0.2
    assert kept["scores"]["train_accuracy"] == result_of("digits")["train_accuracy"]
    assert kept["steps"] == 350
    assert not {"seconds", "device", "workers"} & kept.keys()


def test_report_is_written_again(cli: Call) -> None:
    first = Path("digits/report.html").read_text()
    Path("digits/report.html").unlink()
    answer = cli("report", "digits")
    assert (answer.code, answer.out, answer.err) == (0, "digits/report.html\n", "")
    again = Path("digits/report.html").read_text()
    assert "portanet train digits.csv --preset classic" in again
    assert again == first


def test_the_report_of_a_run_whose_data_is_gone_says_so(cli: Call) -> None:
    Path("digits.csv").unlink()
    answer = cli("report", "digits", "--out", "rest.html")
    assert (answer.code, answer.out) == (0, "rest.html\n")
    assert "digits.csv" in answer.err
    rest = Path("rest.html").read_text()
    assert "Nothing is measured here" in rest
    assert 'data-chart="accuracy"' in rest
    assert "Calibration" not in rest


def test_the_report_of_other_data_than_the_runs_measures_nothing(cli: Call) -> None:
    lines = Path("digits.csv").read_text().splitlines(keepends=True)
    Path("digits.csv").write_text("".join([*lines, lines[-1]]))
    assert "other rows than when the run was made" in cli("report", "digits").err


def test_reports_side_by_side(cli: Call) -> None:
    answer = cli("report", "digits", "flowers")
    assert (answer.code, answer.out, answer.err) == (0, "runs.html\n", "")
    page = Path("runs.html").read_text()
    for expected in ("Settings that differ", "optimizer.learning_rate", 'class="line s1"'):
        assert expected in page
    again = cli("report", "digits", "flowers")
    assert again.code == 1
    assert "runs.html exists already" in again.err
    assert "--force" in again.err
    assert cli("report", "digits", "flowers", "--force").code == 0


@pytest.mark.slow
def test_kaggles_csv_trains_as_the_digits_it_was_made_from(cli: Call) -> None:
    answer = cli("data", "kaggle", "kaggle")
    assert answer.out.splitlines() == ["kaggle/train.csv", "kaggle/test.csv"]
    options = ("--preset", "classic", "--epochs", 11, "--json")
    table, digits = (cli("train", data, *options).json for data in ("kaggle/train.csv", "mnist:article"))
    for key in ("train_accuracy", "final_train_accuracy"):
        assert table[key] == digits[key]
    lines = cli("predict", table["run"], "kaggle/test.csv").out.splitlines()
    assert (lines[0], len(lines)) == ("ImageId,Label", 10_001)
    refused = cli("data", "kaggle", "kaggle")
    assert refused.code == 1
    assert "--force" in refused.err


@pytest.mark.slow
def test_a_model_of_the_digits_is_measured_on_the_test_digits(cli: Call) -> None:
    run = cli("train", "--preset", "classic", "--epochs", 2, "--test", "mnist:test", "--json").json
    found = cli("evaluate", run["run"], "--json").json
    assert found["samples"] == 10_000
    assert found["accuracy"] == run["test_accuracy"]
