"""No name from a file commands a terminal, breaks a line of a table, or becomes a formula without a word."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from console import Call, write_csv

import portanet

CLASSES = ["\x1b[31mred\x1b[0m", "=1+1", "line\nbreak\rtwice", "\u202etxt.exe", "-5", "@sum(a)"]
COLUMNS = ["a", "b\x1b[2J", "c"]


@pytest.fixture
def run(cli: Call) -> str:
    rows = [[i, -i, i % 7, CLASSES[i % len(CLASSES)]] for i in range(60)]
    write_csv(Path("esc\x1b[1m.csv"), [*COLUMNS, "label"], rows)
    answer = cli("train", "esc\x1b[1m.csv", "--epochs", 2, "--backend", "numpy", "--out", "run\x1b[5m")
    assert answer.code == 0
    assert harmless(answer.out + answer.err)
    return "run\x1b[5m"


def harmless(text: str) -> bool:
    assert all(letter.isprintable() or letter == "\n" for letter in text), ascii(text)
    return True


@pytest.mark.parametrize("command", ["summary RUN", "evaluate RUN DATA --details", "report RUN", "rerun RUN",
                                     "train DATA --from RUN --epochs 1", "predict RUN flowers.csv", "summary DATA",
                                     "train DATA --class-weight x=1", "train DATA --resume --out RUN --seed 3",
                                     "evaluate RUN other.csv", "train DATA --label none", "evaluate RUN"])  # fmt: skip
def test_every_command(cli: Call, run: str, command: str) -> None:
    write_csv(Path("other.csv"), [*COLUMNS, "label"], [[1, 2, 3, "\x1b[0m\x07"]])
    words = [{"RUN": run, "DATA": "esc\x1b[1m.csv"}.get(word, word) for word in command.split()]
    answer = cli(*words)
    assert harmless(answer.out + answer.err)
    if "--details" in words:
        assert len(answer.out.split("\n\n")[1].splitlines()) == 1 + len(CLASSES)


def test_a_changed_record(cli: Call, run: str) -> None:
    path = Path(run, "run.json")
    record = json.loads(path.read_text())
    record["command"] = "portanet '"
    record["versions"] |= {"\x1b[31mnumpy": "\x1b[0m"}
    path.write_text(json.dumps(record))
    answer = cli("rerun", run)
    assert answer.code == 1
    assert harmless(answer.out + answer.err)


def test_predictions_in_a_file_are_exact_and_formulas_are_told(cli: Call, run: str) -> None:
    answer = cli("predict", run, "esc\x1b[1m.csv", "--out", "p.csv", "--probabilities")
    assert answer.err == (
        "portanet: a spreadsheet would run the class '=1+1' and 1 more as a formula; import the column as text\n"
    )
    with open("p.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert sorted(header[2:]) == sorted(f"probability_{name}" for name in CLASSES)
    assert {row[1] for row in rows} <= set(CLASSES)


def test_no_note_without_formulas(cli: Call) -> None:
    assert cli("predict", "flowers", "flowers.csv").err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_predictions_on_a_terminal(cli: Call, run: str) -> None:
    """And through a pipe as they are."""
    command = [sys.executable, "-m", "portanet", "predict", run, "esc\x1b[1m.csv", "--probabilities"]
    environment = os.environ | {"PYTHONPATH": str(Path(portanet.__file__).parents[1])}
    ours, theirs = os.openpty()
    with subprocess.Popen(command, env=environment, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        shown = b""
        try:
            while block := os.read(ours, 2**16):
                shown += block
        except OSError:  # the terminal is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    assert harmless(shown.decode().replace("\r\n", "\n"))
    piped = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()
    assert "\x1b[31mred" in piped
    assert len(list(csv.reader(io.StringIO(piped, newline="")))) == 61
