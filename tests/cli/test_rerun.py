"""portanet rerun: an equal repetition is said to be equal, and of another what is different."""

from __future__ import annotations

import json
import os
import shlex
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from console import Call

from portanet.training.progress import Progress

BASE = ("--epochs", 3, "--batch-size", 20, "--quiet", "--out", "first")


@pytest.fixture(autouse=True)
def _temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary folders of their own, so that it is seen when one is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))


def left() -> list[str]:
    return os.listdir(tempfile.gettempdir())


def record(**changes: Any) -> None:
    """Changes first/run.json by hand."""
    path = Path("first/run.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def settings(**changes: Any) -> dict[str, Any]:
    return json.loads(Path("first/run.json").read_text())["spec"] | changes


def places(**changes: Any) -> dict[str, Any]:
    return json.loads(Path("first/run.json").read_text())["places"] | changes


@pytest.mark.parametrize(
    "words",
    [
        "flowers.csv --backend numpy --workers 2",
        "flowers.csv --backend strict --dtype float64 --optimizer lion --patience 2",
        "turned.csv --label species --valid 0.25 --test turned.csv --class-weight balanced --seed 7",
        "digits.csv --preset classic --image 1x2x8 --valid digits.csv --accumulate 2 --log-every 2",
        "measured.csv --task regress --valid 0",
        "flowers.csv --from flowers --freeze 2",
    ],
)
def test_an_equal_run(cli: Call, words: str) -> None:
    assert cli("train", *words.split(), *BASE).code == 0
    answer = cli("rerun", "first")
    assert answer.code == 0, answer.out
    assert answer.out.startswith("equal: the model has the same bytes (sha256 ")
    assert answer.out.count("\n") == 1
    assert "epoch 1/3" in answer.err
    assert left() == []


def test_json_and_a_folder_for_the_new_run(cli: Call, place: Path) -> None:
    cli("train", "flowers.csv", *BASE)
    result = cli("rerun", "first", "--json", "--out", "second").json
    first, second = (Path(name, "model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second
    assert result["equal"] is True
    assert (result["run"], result["out"], result["differences"]) == ("first", "second", {})
    assert result["sha256"][0] == result["sha256"][1]
    command = json.loads(Path("second/run.json").read_text())["command"]
    assert command == "portanet train flowers.csv --epochs 3 --batch-size 20"
    assert "second is not empty" in cli("rerun", "first", "--out", "second").err
    assert cli("rerun", "second", "--json").json["equal"] is True


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Ctrl-C arrives: a process that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize("folds", [(), ("--folds", "2")])
def test_an_interrupted_repetition(cli: Call, monkeypatch: pytest.MonkeyPatch, folds: tuple[str, ...]) -> None:
    """What it says to do then does it; of a fold nothing is left, as a fold alone cannot be resumed."""
    assert cli("train", "flowers.csv", *folds, *BASE, "--backend", "numpy").code == 0
    run = "first/fold-2" if folds else "first"
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "begin", lambda *_: signal.raise_signal(signal.SIGINT))
        patch.setattr(Progress, "advance", lambda *_: None)
        patch.setattr(Progress, "log", lambda *_: None)
        patch.setattr(Progress, "end", lambda *_: None)
        answer = cli("rerun", run)
    assert answer.code == 130
    words = shlex.split(answer.err.splitlines()[-1].rpartition(": ")[2])
    assert words[:2] == (["portanet", "rerun"] if folds else ["portanet", "train"])
    assert (left() == []) == bool(folds)
    assert cli(*words[1:]).code == 0


def test_data_that_changed(cli: Call, place: Path) -> None:
    cli("train", "flowers.csv", *BASE)
    table = (place / "flowers.csv").read_text()
    lines = table.splitlines(keepends=True)
    (place / "flowers.csv").write_text("".join([*lines[:4], lines[4].replace(".", ".9", 1), *lines[5:]]))
    answer = cli("rerun", "first")
    assert answer.code == 1
    first, data, *more = answer.out.splitlines()
    assert first == "different from first:"
    assert data.startswith("  data      fingerprint ")
    assert more[-1].startswith("  history   from row 1 on, loss ")
    assert "seconds" not in answer.out
    (place / "flowers.csv").unlink()
    answer = cli("rerun", "first")
    assert answer.code == 1
    assert answer.err.splitlines()[-1].startswith("portanet: flowers.csv does not exist; ")
    assert left() == []


def test_more_rows_than_there_were(cli: Call, place: Path) -> None:
    cli("train", "flowers.csv", "--preset", "mlp", *BASE)
    with open(place / "flowers.csv", "a") as file:
        file.write("1,2,3,4,setosa\n" * 20)
    answer = cli("rerun", "first", "--json")
    found = json.loads(answer.out)
    assert (answer.code, found["equal"]) == (1, False)
    assert found["differences"]["data"]["samples"] == [82, 101]
    assert found["differences"]["settings"] == {"steps": [15, 18]}
    assert found["differences"]["history"]["row"] == [1, 1]


def test_another_version(cli: Call) -> None:
    cli("train", "flowers.csv", *BASE)
    record(versions={"python": "3.11.0", "numpy": "1.0"})
    rows = Path("first/history.jsonl").read_text().splitlines()
    rows[1] = json.dumps(json.loads(rows[1]) | {"loss": 7.0})
    Path("first/history.jsonl").write_text("\n".join([*rows, ""]))
    answer = cli("rerun", "first")
    assert answer.code == 1
    assert "numpy " in answer.out
    assert ", was 1.0" in answer.out
    assert "history   from row 2 on, loss " in answer.out
    assert ", was 7.0" in answer.out


def test_another_backend(cli: Call) -> None:
    """Written down by hand, so the model shows it."""
    cli("train", "digits.csv", *BASE)
    record(places=places(backend="strict", device="device1"))
    answer = cli("rerun", "first")
    assert "strict on device1" in answer.err
    assert answer.out.startswith(("equal: ", "different from first:\n"))
    record(places=places(backend="cupy", device="cuda:77"))
    answer = cli("rerun", "first")
    assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1)
    assert answer.err.startswith("portanet: ")
    assert left() == []


def test_a_run_that_cannot_be_repeated(cli: Call, place: Path) -> None:
    cli("train", "flowers.csv", *BASE)
    whole = Path("first/run.json").read_text()
    command = "portanet train flowers.csv --epochs 3 --batch-size 20"
    cases = {
        f"has no settings; repeat its command: {command}.": {"spec": None},
        '"spec" must be a JSON object, got list.': {"spec": [1]},
        '"places" must be a JSON object, got int.': {"places": 7},
        "was changed by hand: its seed is 5, and the model beside it was trained with 0": {"spec": settings(seed=5)},
        "was changed by hand: its optimizer is {'type': 'Adam'}": {"spec": settings(optimizer={"type": "Adam"})},
        "first/run.json: unknown setting 'epoch'; known are layers, ": {"spec": settings(epoch=5)},
        "first/run.json: its task cannot be 'guess'": {"places": places(task="guess")},
        "first/run.json: its label cannot be [1]": {"places": places(label=[1])},
        "first/run.json: its places do not name data, label": {"places": {"task": "classify"}},
    }
    for message, changes in cases.items():
        Path("first/run.json").write_text(whole)
        record(**changes)
        answer = cli("rerun", "first")
        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1), answer.err
        assert message in answer.err
    for content, message in (("{", "first/run.json, line 1: not JSON"), ("[]", "expected a JSON object, got list")):
        Path("first/run.json").write_text(content)
        assert message in cli("rerun", "first").err
    Path("first/run.json").write_text(whole)
    Path("first/model.safetensors").rename("elsewhere")
    assert "first/model.safetensors does not exist" in cli("rerun", "first").err
    assert "nothing/run.json is missing; name the folder of a run." in cli("rerun", "nothing").err
    assert left() == []
