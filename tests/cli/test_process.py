"""The command line as a process of its own: what it imports, how it is stopped, who reads its output."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import portanet
from portanet.cli import _COMMANDS as COMMANDS

ROOT = Path(portanet.__file__).parents[1]
HEAVY = ("numpy", "pandas", "rich", "safetensors", "jinja2", "cupy", "torch", "jax", "array_api_compat")


def environment() -> dict[str, str]:
    plain = {"PYTHONUNBUFFERED": ""}  # as for most people: unbuffered, a failed write leaves nothing behind
    return os.environ | plain | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "80"}


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60
    )


def portanet_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-W", "error", "-m", "portanet", *arguments, folder=folder)


PROBE = """
import contextlib, io, json, sys
from portanet.cli import main
commands = json.loads(sys.argv[1])
for words in commands:
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        try:
            main(words)
        except SystemExit as stop:
            assert stop.code == 0, words
    assert page.getvalue().startswith("Usage: portanet " + " ".join(words[:-1])), words
    assert max(map(len, page.getvalue().splitlines())) <= 80, words
print(*sorted(set(sys.argv[2].split(",")) & set(sys.modules)))
"""


@pytest.mark.libraries
@pytest.mark.parametrize("commands", ['[["--help"]]', '[["-h"], ["train", "--help"], ["evaluate", "--help"], '
    '["predict", "--help"], ["summary", "--help"], ["report", "--help"], ["data", "--help"], '
    '["data", "kaggle", "--help"], ["doctor", "-h"]]'], ids=["first page", "all pages"])  # fmt: skip
def test_help_imports_nothing_heavy(tmp_path: Path, commands: str) -> None:
    answer = python("-c", PROBE, commands, ",".join(HEAVY), folder=tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "\n", "")


def test_the_first_page_names_every_command_and_the_version_is_the_packages(tmp_path: Path) -> None:
    page = portanet_in(tmp_path, "--help").stdout
    for name, sentence in COMMANDS.items():
        assert [name, *sentence.split()] in [line.split() for line in page.splitlines()]
    assert portanet_in(tmp_path, "--version").stdout == f"portanet {portanet.__version__}\n"
    bare = portanet_in(tmp_path)
    assert (bare.returncode, bare.stdout) == (2, "")
    assert "Commands:" in bare.stderr


def test_each_commands_own_page_says_the_same_as_the_first_page() -> None:
    from portanet.cli import commands

    for name, sentence in COMMANDS.items():
        command = commands.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert (command.help or "").split()[:2] == sentence.split()[:2]


def test_the_help_of_train_names_every_choice() -> None:
    from portanet import backends
    from portanet.cli import options
    from portanet.cli.train import command
    from portanet.training import presets
    from portanet.training.inputs import named

    text = {option.name: f"{option.metavar} {getattr(option, 'help', '')}" for option in command.params}
    assert text["preset"].split()[0].split("|") == list(presets.PRESETS)
    assert all(name in re.findall(r"\w+", text["optimizer"]) for name in named.OPTIMIZERS)
    assert ("auto", *backends.NAMES) == options.BackendName().choices


def test_an_error_in_a_process(tmp_path: Path) -> None:
    plain = portanet_in(tmp_path, "evaluate", "nowhere", "mnist")
    assert (plain.returncode, plain.stdout, plain.stderr.count("\n")) == (1, "", 1)
    debugged = portanet_in(tmp_path, "evaluate", "nowhere", "mnist", "--debug")
    assert (debugged.returncode, debugged.stdout) == (1, "")
    assert debugged.stderr.startswith("Traceback ")
    assert debugged.stderr.splitlines()[-1].startswith("portanet.errors.CheckpointError: the model file")


def rows(folder: Path) -> None:
    lines = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(3000)]
    (folder / "rows.csv").write_text("\n".join(["x,y,label", *lines, ""]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_an_interrupted_training(tmp_path: Path) -> None:
    rows(tmp_path)
    start = (
        # A job in the background of a shell ignores SIGINT, and so would its children.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from portanet.cli import main\n"
        "main(['train', 'rows.csv', '--preset', 'mlp', '--epochs', '1000000', '--backend', 'numpy'])"
    )
    words = [sys.executable, "-c", start]
    process = subprocess.Popen(
        words, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    history = tmp_path / "runs/mlp-1/history.jsonl"
    end = time.monotonic() + 60
    while not (history.exists() and history.stat().st_size) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1].startswith("portanet: interrupted, and saved; to resume: portanet train rows.csv")
    assert err.splitlines()[-1].endswith("--out runs/mlp-1 --resume")
    assert "Traceback" not in err
    assert history.read_text().endswith("}\n")


def test_interrupted_before_the_first_result_nothing_is_left(tmp_path: Path) -> None:
    rows(tmp_path)
    stop = (
        "import sys\nfrom portanet.cli import main\nfrom portanet.training.steps.gradient import Gradient\n"
        "def stopped(*arguments, **options): raise KeyboardInterrupt\n"
        "Gradient.__call__ = stopped\nmain(['train', 'rows.csv', '--preset', 'mlp', '--quiet'])"
    )
    answer = python("-c", stop, folder=tmp_path)
    assert (answer.returncode, answer.stdout, answer.stderr.strip()) == (130, "", "portanet: interrupted.")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals and pipes")
@pytest.mark.parametrize("stopped", [False, True])
def test_nobody_reads_what_it_says(tmp_path: Path, stopped: bool) -> None:
    """As in `portanet train 2>&1 | tee log` once tee has gone: the training goes on, and Ctrl-C still saves."""
    rows(tmp_path)
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    start += "from portanet.cli import main\nmain(sys.argv[1:])"
    words = [sys.executable, "-c", f"import sys; {start}", "train", "rows.csv", "--preset", "mlp", "--backend", "numpy"]
    read, written = os.pipe()
    with subprocess.Popen(
        [*words, "--epochs", "1000000" if stopped else "3"],
        cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, stderr=written,
    ) as process:  # fmt: skip
        os.close(written)
        os.close(read)
        history, end = tmp_path / "runs/mlp-1/history.jsonl", time.monotonic() + 60
        while stopped and not history.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        if stopped:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == (130 if stopped else 0)
    assert (history.parent / ("checkpoint.safetensors" if stopped else "model.safetensors")).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_whoever_reads_may_stop_reading(tmp_path: Path) -> None:
    lines = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(60_000)]  # more than a pipe holds
    (tmp_path / "rows.csv").write_text("\n".join(["x,y,label", *lines, ""]))
    options = ("--preset", "mlp", "--epochs", "1", "--batch-size", "full", "--out", "m")
    trained = portanet_in(tmp_path, "train", "rows.csv", *options)
    assert trained.returncode == 0
    for words in (["predict", "m", "rows.csv"], ["summary", "m"], ["--help"]):
        with subprocess.Popen(
            [sys.executable, "-m", "portanet", *words],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stderr is not None
            if words[0] == "predict":
                assert process.stdout.readline() == "Row,label\n"
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode in (0, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="closing descriptors is the shell's")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">&-"])
def test_with_closed_streams_it_trains_and_says_nothing_in_the_wrong_place(tmp_path: Path, closed: str) -> None:
    rows(tmp_path)
    options = "--preset mlp --epochs 1 --backend numpy --out run --json"
    words = f"{sys.executable} -m portanet train rows.csv {options} {closed}"
    done = subprocess.run(words, shell=True, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run/model.safetensors").exists()
    if closed == "2>&-":
        assert json.loads(done.stdout)["run"] == "run"
        assert done.stdout.count("\n") == 1
    else:
        assert done.stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of any bytes")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_files_whose_names_are_not_utf_8(tmp_path: Path, encoding: str) -> None:
    rows(tmp_path)
    data, run = os.fsdecode(b"caf\xe9.csv"), os.fsdecode(b"r\xfcn")
    (tmp_path / "rows.csv").rename(tmp_path / data)
    for words in (
        ["train", data, "--epochs", "1", "--backend", "numpy", "--out", run], ["rerun", run], ["summary", run],
        ["report", run], ["evaluate", run, data, "--details"], ["predict", run, data],
        ["predict", run, data, "--out", f"{data}2"], ["train", data, "--print-config"],
    ):  # fmt: skip
        answer = subprocess.run(
            [sys.executable, "-m", "portanet", *words],
            cwd=tmp_path, env=environment() | {"PYTHONIOENCODING": encoding},
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert (answer.returncode, b"Traceback" in answer.stderr) == (0, False), answer.stderr
