"""Classes on the command line: told when training begins, named where they look missing, confirmed where many."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from console import Call, write_csv

import portanet
from portanet.cli.classes import line, names_in
from portanet.data import Dataset
from portanet.nn import Dense, Sequential

ONE = ("--epochs", 1, "--backend", "numpy", "--out", "new")


def labelled(place: Path, labels: list[object], name: str = "own.csv") -> str:
    numbers = np.random.default_rng(0).normal(size=(len(labels), 2)).round(3).tolist()
    write_csv(place / name, ["a", "b", "label"], [[*row, label] for row, label in zip(numbers, labels, strict=True)])
    return name


def answers(text: str) -> list[str]:
    return [list(row.values())[1] for row in csv.DictReader(io.StringIO(text))]


def test_classes_are_told_with_their_counts(cli: Call, place: Path) -> None:
    words = ["No"] * 25 + ["YES"] * 14 + ["Yes"] * 11 + ["yes"] * 10
    assert "\n4 classes: No 25, YES 14, Yes 11, yes 10\n" in cli("train", labelled(place, words), *ONE).err
    assert "classes" not in cli("train", "numbered.csv", "--task", "regress", "--epochs", 1, "--backend", "numpy").err


def test_of_many_classes_the_first_are_told() -> None:
    names = tuple(f"k{i:02}" for i in range(40))
    text = line(Dataset("rows", np.zeros((80, 1)), np.arange(80) % 40, names))
    assert text.startswith("40 classes: k00 2, k01 2, ")
    assert text.endswith("k11 2, ...")


def test_missing_labels_are_not_classes_unless_named(cli: Call, place: Path) -> None:
    data = labelled(place, ["NA", "DE", "FR"] * 20)
    refused = cli("train", data, *ONE)
    assert refused.code == 1
    for fact in ("20 rows have no label", "row 1", "'NA'", "--classes"):
        assert fact in refused.err
    trained = cli("train", data, *ONE, "--classes", "NA, DE, FR", "--test", data, "--json")
    assert "3 classes: NA 20, DE 20, FR 20" in trained.err
    assert portanet.load("new").card.classes == ("NA", "DE", "FR")
    assert json.loads(Path("new/run.json").read_text())["places"]["classes"] == "NA, DE, FR"
    assert set(answers(cli("predict", "new", data).out)) <= {"NA", "DE", "FR"}
    assert cli("evaluate", "new", data, "--json").json["accuracy"] == trained.json["test_accuracy"]
    assert cli("rerun", "new").code == 0


def test_classes_from_a_file_of_settings(cli: Call, place: Path) -> None:
    (place / "own.toml").write_text('classes = ["NA", "DE", "FR"]\n')
    data = labelled(place, ["NA", "DE", "FR"] * 20)
    assert cli("train", data, *ONE, "--config", "own.toml").code == 0
    assert 'classes = "NA,DE,FR"' in cli("train", data, "--config", "own.toml", "--print-config").out


MANY = list(range(250)) * 2


@pytest.mark.parametrize(
    ("labels", "options", "facts"),
    [
        (MANY, (), ["250 different integers", "--task regress", "--classes 250"]),
        (MANY, ("--classes", 25), ["--classes 25", "250 classes"]),
        (
            [f"user{i}" for i in range(60)],
            (),
            ["60 different values in 60 rows", "identifier", "--label", "--classes 60"],
        ),
        (list(range(60)), (), ["60 different values in 60 rows", "identifier"]),
        (["a", "b", "inf"] * 9, (), ["9 rows have no label", "row 3", "'inf'"]),
        (["a", "b", "c"] * 9, ("--classes", "a,b"), ["row 3", "'c'", "not among the classes: a, b"]),
        (["a", "b", "c"] * 9, ("--classes", "a"), ["--classes", "at least two", "'a'"]),
        (["a", "b", "c"] * 9, ("--classes", "a,a"), ["--classes", "'a,a'"]),
        (["a", "b", "c"] * 9, ("--classes", ""), ["--classes", "''"]),
        (["a", "b", "c"] * 9, ("--classes", "a,,b"), ["--classes", "'a,,b'"]),
    ],
)
def test_refused(cli: Call, place: Path, labels: list[object], options: tuple[object, ...], facts: list[str]) -> None:
    task = () if "--task" in options else ("--task", "classify")
    answer = cli("train", labelled(place, labels), *ONE, *options, *task)
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith("portanet: ")
    for fact in facts:
        assert fact in answer.err
    assert not Path("new").exists()


def test_many_classes_are_learnt_once_confirmed(cli: Call, place: Path) -> None:
    answer = cli("train", labelled(place, MANY), *ONE, "--classes", 250)
    assert answer.code == 0
    assert "250 classes: 0 2, 1 2" in answer.err


def test_a_hundred_numbers_need_no_word(cli: Call, place: Path) -> None:
    assert cli("train", labelled(place, list(range(100)) * 3), *ONE).code == 0


def test_names_in_an_option() -> None:
    assert names_in('a, "b, c" ,NA') == ("a", "b, c", "NA")
    assert names_in(" 12 ") is None
    assert names_in(None) is None


def test_a_model_from_python_predicts_as_in_python(cli: Call, place: Path) -> None:
    data = portanet.read("turned.csv", label="species")
    run = portanet.fit(Sequential(Dense(3)), data, epochs=30, batch_size=9)
    run.save("own.safetensors")
    found = answers(cli("predict", "own.safetensors", "bare.csv").out)
    assert found == run.predict(data).tolist()
    accuracy = np.mean(np.array(found) == data.labels)
    assert accuracy > 0.8
    assert cli("evaluate", "own.safetensors", "turned.csv", "--json").json["accuracy"] == accuracy
