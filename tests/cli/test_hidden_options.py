"""train --hidden 64,32 --activation tanh --dropout 0.1: another network without a file."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from console import Call

import portanet
from portanet.nn import Columns, Dense, Dropout, Flatten, Tanh

WORDS = ["train", "flowers.csv", "--preset", "mlp", "--epochs", "1", "--backend", "numpy", "--quiet"]


def test_the_network_and_the_command_that_repeats_it(cli: Call) -> None:
    given = ["--hidden", "9,8", "--activation", "tanh", "--dropout", "0.1"]
    assert cli(*WORDS, *given, "--out", "a").code == 0
    hidden = [Dense(9), Tanh(), Dropout(0.1), Dense(8), Tanh(), Dropout(0.1)]
    found = [layer for layer in portanet.load("a").model.layers if not isinstance(layer, Flatten)]
    assert found == [Columns(("number",) * 4), *hidden, Dense(3)]
    command = json.loads(Path("a/run.json").read_text())["command"]
    assert "--hidden 9,8" in command
    assert cli(*shlex.split(command)[1:], "--out", "b").code == 0
    assert Path("a/model.safetensors").read_bytes() == Path("b/model.safetensors").read_bytes()
    assert cli("rerun", "a").code == 0


@pytest.mark.parametrize("form", ["hidden = [9, 8]", 'hidden = "9,8"'])
def test_in_a_file(cli: Call, form: str) -> None:
    Path("mine.toml").write_text(f'{form}\nactivation = "tanh"\ndropout = 0.1\n')
    printed = cli(*WORDS, "--config", "mine.toml", "--print-config").out
    assert printed == cli(*WORDS, "--hidden", "9,8", "--activation", "tanh", "--dropout", "0.1", "--print-config").out
    assert "units = 9" in printed
    Path("printed.toml").write_text(printed)
    again = cli(*WORDS, "--config", "printed.toml", "--hidden", "5", "--print-config").out
    assert "units = 5" in again
    assert "units = 9" not in again


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--hidden", "64,32", "--from", "flowers"], 1, "leave out --hidden"),
        (["--dropout", "0.1", "--activation", "relu", "--from", "flowers"], 1, "leave out --activation, --dropout"),
        (["--hidden", "0"], 2, "is not a size for each hidden layer, such as 64,32"),
        (["--hidden", "64,,32"], 2, "is not a size"),
        (["--hidden", "64x32"], 2, "is not a size"),
        (["--hidden", ""], 2, "is not a size"),
        (["--hidden", "9" * 5000], 2, "is not a size"),
        (["--activation", "rleu"], 1, "choose from relu"),
        (["--dropout", "1"], 1, "0 <= rate < 1"),
        (["--preset", "cnn", "--hidden", "9", "--image", "1x2x2"], 1, "this one has Conv2D too"),
    ],
)
def test_refused(cli: Call, words: list[str], code: int, said: str) -> None:
    answer = cli(*WORDS, *words)
    assert answer.code == code
    assert said in " ".join(answer.err.split())
    assert len(answer.err) < 1500
