"""What people see of a training: lines, a terminal's bar, a notebook's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet.nn import Dense, Sequential, mean_squared_error
from portanet.training import progress

X, LABELS = blobs()
START = """
import numpy as np, portanet
from portanet.nn import Dense, Sequential
x = np.arange(40000.0).reshape(-1, 2) % 7
print("before")
portanet.fit(Sequential(Dense(3)), x, np.arange(20000) % 3, epochs=12, batch_size=16,
             valid=(x[:60], np.arange(60) % 3), callbacks=[portanet.Progress()])
print("after")
"""


def train(**settings: Any) -> portanet.TrainedModel:
    settings = {"epochs": 3, "batch_size": 30, "callbacks": [portanet.Progress()]} | settings
    return portanet.fit(Sequential(Dense(3)), X, LABELS, **settings)


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run = train(valid=(X, LABELS))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"epoch {row['epoch']}/3  loss {row['loss']:.4g}  accuracy {row['accuracy']:.2%}  "
        f"valid {row['valid_accuracy']:.2%}"
        for row in run.history
    ]


@pytest.mark.parametrize("epochs", [20, 21, 256])
def test_a_long_run_fills_no_log(capsys: pytest.CaptureFixture[str], epochs: int) -> None:
    train(epochs=epochs)
    shown = [int(line.split()[1].partition("/")[0]) for line in capsys.readouterr().err.splitlines()]
    assert shown == sorted(set(shown))
    assert (shown[0], shown[-1]) == (1, epochs)
    assert 20 <= len(shown) <= 21
    assert max(np.diff(shown)) <= np.ceil(epochs / 20)


def test_the_last_line_of_a_run_that_stops_early_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    stop = portanet.EarlyStopping("loss", patience=1, min_change=10.0)
    run = train(epochs=1000, callbacks=[portanet.Progress(), stop])
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["1/1000", f"{run.history[-1]['epoch']}/1000"]


def test_numbers_have_an_r2_and_no_percent(capsys: pytest.CaptureFixture[str]) -> None:
    targets = X[:, 0] * 1e5
    run = portanet.fit(
        Sequential(Dense(1)), X, targets, loss=mean_squared_error, epochs=1, callbacks=[portanet.Progress()]
    )
    assert capsys.readouterr().err == f"epoch 1/1  loss {run.history[0]['loss']:.4g}  R2 {run.history[0]['r2']:.4f}\n"


def on_terminal(folder: Path, columns: int, **variables: str) -> str:
    """What a process writes to a terminal of so many columns as its stderr, and its stdout after it."""
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    master, slave = pty.openpty()
    environment = os.environ | {
        "PYTHONPATH": str(Path(portanet.__file__).parents[1]), "TERM": "xterm-256color", "COLUMNS": str(columns),
    } | variables  # fmt: skip
    words = [sys.executable, "-W", "error", "-c", START]
    with subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        screen = b""
        while block := _read(master):
            screen += block
        assert process.stdout is not None
        assert process.stdout.read() == b"before\nafter\n"
    os.close(master)
    assert process.returncode == 0, screen
    return screen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that nobody writes to it any more
        return b""


@pytest.mark.parametrize(("columns", "bar"), [(80, "━{10}"), (100, "━{30}"), (120, "━{50}"), (50, "")])
def test_a_bar_in_a_terminal(tmp_path: Path, columns: int, bar: str) -> None:
    """As wide as there is room; where there is little, the time and the figures alone."""
    screen = on_terminal(tmp_path, columns)
    states = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", part) for part in re.split(r"[\r\n]+", screen)]
    shown = [state for state in states if "left" in state]
    figures = r"epoch 12/12  loss \S+  accuracy \d+\.\d\d%  valid \d+\.\d\d% *" if bar else "epoch 12/12  loss .*…"
    assert re.fullmatch(rf"{bar} ?00:00 left {figures}", shown[-1])
    assert {line.partition("left ")[2].partition("  ")[0] for line in shown} > {"epoch 12/12"}
    assert all(len(state) <= columns for state in states)
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h") == 1  # the cursor comes back


def test_lines_in_a_terminal_that_can_do_no_more(tmp_path: Path) -> None:
    screen = on_terminal(tmp_path, 80, TERM="dumb")
    assert "\x1b" not in screen
    assert [line.split()[1] for line in screen.splitlines()] == [f"{epoch}/12" for epoch in range(1, 13)]


class Display:
    """IPython as a kernel has it: what was shown, and each change."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.displays = 0

    def display(self, picture: dict[str, str], *, raw: bool, display_id: bool) -> Display:
        assert raw
        assert display_id
        self.displays += 1
        self.shown.append(picture)
        return self

    def update(self, picture: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(picture)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Display:
    screen = Display()
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    module: Any = types.ModuleType("IPython.display")
    module.display = screen.display
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return screen


def test_one_output_in_a_notebook_that_ends_with_the_last_figures(
    notebook: Display, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train()
    assert notebook.displays == 1
    assert notebook.shown[0]["text/plain"] == "0 of 9 steps"
    last = notebook.shown[-1]
    assert last["text/plain"] == f"9 of 9 steps  {progress.describe(run.history[-1], 3, run.task.metric)}"
    assert last["text/html"] == (
        f'<div style="white-space: pre-wrap"><progress value="9" max="9"></progress> {last["text/plain"]}</div>'
    )
    assert capsys.readouterr() == ("", "")


def test_a_notebook_is_not_flooded(notebook: Display, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    view = progress._view(100, 1100)
    for step in range(101, 1101):  # a second for 100 steps
        now += 0.01
        view.advance(step)
    view.close()
    words = [picture["text/plain"] for picture in notebook.shown]
    assert 40 <= len(words) <= 52
    assert words[1] in ("120 of 1,100 steps  0:10 left", "121 of 1,100 steps  0:10 left")
    assert words[-1] == "1,100 of 1,100 steps"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59, "0:59"), (185, "3:05"), (3600 * 2 + 61, "2:01:01")])
def test_a_clock(seconds: int, text: str) -> None:
    assert progress._clock(seconds) == text


def test_an_interrupted_training_leaves_a_whole_picture(notebook: Display) -> None:
    class Stop(portanet.Callback):
        def log(self, row: dict[str, Any]) -> bool | None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(callbacks=[portanet.Progress(), Stop()])
    assert notebook.shown[-1]["text/plain"].startswith("3 of 9 steps  epoch 1/3  loss ")


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace()])
def test_ipython_in_a_terminal_is_no_notebook(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ipython: Any = types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert isinstance(progress._view(0, 3), progress._Lines)


def test_the_result_is_the_same_with_and_without() -> None:
    assert np.array_equal(train().outputs(X), train(callbacks=[]).outputs(X))
