"""The command line gives the same files whether the data are in memory or a memory map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from console import Call, write_csv

from portanet.data.memmap import mapped
from portanet.training.progress import ReadProgress


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("digits.csv", ["--epochs", 3]),
        ("flowers.csv", ["--epochs", 3, "--valid", 0.2]),
        ("measured.csv", ["--task", "regress", "--epochs", 2]),
        ("mixed.csv", ["--epochs", 2]),
        ("digits.csv", ["--preset", "classic", "--epochs", 4]),
    ],
)
def test_the_same_model(cli: Call, place: Path, monkeypatch: pytest.MonkeyPatch, file: str, options: Any) -> None:
    plain = cli("train", file, "--backend", "numpy", "--out", "plain", "--json", *options).json
    answers = cli("predict", "plain", file, "--probabilities" if "--task" not in options else "--force").out
    monkeypatch.setattr(mapped, "_LARGE", 10)
    first = cli("train", file, "--backend", "numpy", "--out", "mapped", "--json", *options)
    again = cli("train", file, "--backend", "numpy", "--out", "again", "--json", *options)
    assert "making a memory map of" in first.err
    assert "making a memory map of" not in again.err
    models = {(place / name / "model.safetensors").read_bytes() for name in ("plain", "mapped", "again")}
    assert len(models) == 1
    own = ("run", "model", "seconds")
    assert {k: v for k, v in first.json.items() if k not in own} == {k: v for k, v in plain.items() if k not in own}
    assert cli("predict", "mapped", file, "--probabilities" if "--task" not in options else "--force").out == answers
    assert len(list((place / "cache/rows").iterdir())) <= 2  # a table is read again by what the model knows of it


def test_answers_are_written_as_they_come(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = cli("predict", "digits", "digits.csv").out
    monkeypatch.setattr("portanet.cli.predict._ROWS_AT_ONCE", 7)
    assert cli("predict", "digits", "digits.csv").out == whole
    assert whole.count("\n") == 81


def test_quiet_is_quiet(cli: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_LARGE", 10)
    assert cli("train", "flowers.csv", "--epochs", 1, "--quiet").err == ""


DROPOUT = """
[optimizer]
type = "AdamW"
learning_rate = 0.01
weight_decay = 0.3

[schedule]
type = "constant"

[[layers]]
type = "Standardize"

[[layers]]
type = "Dense"
units = 8

[[layers]]
type = "Dropout"
rate = 0.3

[[layers]]
type = "Dense"
units = 3
"""


def test_a_run_in_memory_goes_on_from_a_map(cli: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "dropout.toml").write_text(DROPOUT)

    def train(out: str, *options: Any) -> str:
        answer = cli("train", "flowers.csv", "--backend", "numpy", "--config", "dropout.toml", "--out", out, *options)
        assert answer.code == 0, answer.err
        return answer.err

    train("whole", "--epochs", 5)
    train("run", "--epochs", 2)
    monkeypatch.setattr(mapped, "_LARGE", 10)
    assert "from 2 to 5 epochs" in train("run", "--epochs", 5, "--resume")
    assert len({(place / name / "model.safetensors").read_bytes() for name in ("whole", "run")}) == 1


def test_a_fault_is_one_line(cli: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "_LARGE", 10)
    write_csv(place / "bad.csv", ["a", "b", "label"], [[1, 2, "x"], [3, 4, "y"], [5, "1e99", "x"]])
    answer = cli("train", "bad.csv")
    assert answer.code == 1
    assert answer.err.splitlines()[-1] == "portanet: bad.csv: row 3 (line 4), column 'b': '1e99' is too large."


def test_a_bar_that_was_begun_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    class View:
        def advance(self, step: int) -> None:
            calls.append(f"advance {step}")

        def say(self, words: str) -> None:
            calls.append(words)

        def close(self) -> None:
            calls.append("close")

    monkeypatch.setattr("portanet.training.progress._view", lambda done, size: View())
    with ReadProgress("a.csv"):
        pass
    assert calls == []
    with pytest.raises(KeyError), ReadProgress("a.csv") as progress:
        progress(10, 3_000_000)
        raise KeyError
    assert calls == ["making a memory map of a.csv, 3 MB, for now and later", "advance 10", "close"]
