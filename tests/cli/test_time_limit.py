"""portanet train --time-limit: a model in time, which --resume takes to the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console import Call

WORDS = ["train", "flowers.csv", "--preset", "mlp", "--epochs", "30", "--batch-size", "8", "--backend", "numpy"]


def scores(run: str) -> tuple[bytes, list[dict[str, object]]]:
    rows = [json.loads(line) for line in Path(run, "history.jsonl").read_text().splitlines()]
    return Path(run, "model.safetensors").read_bytes(), [row | {"seconds": 0} for row in rows]


def test_a_limit_ends_the_run_and_resume_continues(cli: Call) -> None:
    assert cli(*WORDS, "--out", "whole", "--quiet").code == 0
    answer = cli(*WORDS, "--time-limit", "0.001")
    assert answer.code == 0
    last = answer.err.splitlines()[-1]
    assert last.startswith("the time limit stopped the run at step 1, and saved; to resume: portanet train flowers.csv")
    assert last.endswith("--epochs 30 --batch-size 8 --out runs/mlp-1 --resume")
    record = json.loads(Path("runs/mlp-1/run.json").read_text())
    assert record["result"]["stopped"] == "time limit"
    assert "time_limit" not in json.dumps(record["spec"])
    assert "--time-limit" not in record["command"]
    [row] = [json.loads(line) for line in Path("runs/mlp-1/history.jsonl").read_text().splitlines()]
    assert row["step"] == 1
    assert cli("predict", "runs/mlp-1", "flowers.csv").code == 0

    refused = cli("rerun", "runs/mlp-1")
    assert refused.code == 1
    assert "stopped by its time limit at step 1," in refused.err
    assert "--resume" in refused.err

    found = cli(*WORDS, "--resume", "--time-limit", "1h", "--json").json
    assert (found["stopped"], found["run"]) == ("finished", "runs/mlp-1")
    assert scores("runs/mlp-1") == scores("whole")
    assert cli("rerun", "runs/mlp-1").code == 0
    assert "holds no unfinished run" in cli(*WORDS, "--resume").err


@pytest.mark.parametrize(("text", "seconds"), [("60", 60), ("1.5", 1.5), ("90s", 90), ("5m", 300), ("0.5h", 1800)])
def test_times(text: str, seconds: float) -> None:
    from portanet.cli.options import Seconds

    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["0", "-5", "nan", "inf", "1e3", "5 min", "1:30", "٣", "9" * 5000, "0m", ""])
def test_no_times(cli: Call, text: str) -> None:
    answer = cli(*WORDS, f"--time-limit={text}")
    assert answer.code == 2
    assert "is not a time above 0, such as 90, 5m or 1h" in " ".join(answer.err.replace("│", " ").split())
    assert len(answer.err) < 1000
