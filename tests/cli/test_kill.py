"""Trainings that are killed, get signals or run out of disk: what they come to is as if nothing had happened."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import killing
import numpy as np
import pytest
from killing import DIED, ended, is_whole, outcome, output, resuming, start, train

import portanet
from portanet.cli.signals import stopping
from portanet.storage import snapshot
from portanet.training.stopping import Stop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork and other signals")

OWN = """
callbacks = [{ type = "EarlyStopping", patience = 2 }, { type = "ReduceOnPlateau", patience = 0, factor = 0.5 }]
layers = [
  { type = "RandomAffine", shift = 1.0 }, { type = "Standardize", axis = "all" }, { type = "Flatten" },
  { type = "Dense", units = 16 }, { type = "BatchNorm" }, { type = "ReLU" }, { type = "Dropout", rate = 0.3 },
  { type = "Dense", units = 4 },
]
"""
CASES = {
    "classic": "digits.csv --image 1x8x8 --preset classic --epochs 40 --log-every 3",
    "mlp": "digits.csv --image 1x8x8 --preset mlp --epochs 8 --batch-size 16",
    "cnn": "large.csv --image 1x16x16 --preset cnn --epochs 4 --batch-size 16",
    "own": "digits.csv --image 1x8x8 --config own.toml --epochs 12 --batch-size 7 --optimizer nadam --valid 0.2",
}
SMALL = shlex.split(f"{CASES['own']} --epochs 3 --batch-size 50 --backend numpy")

LONG = shlex.split("digits.csv --image 1x8x8 --preset classic --epochs 1000000 --log-every 1 --backend numpy")


def words(case: str) -> list[str]:
    return [*shlex.split(CASES[case]), "--backend", "numpy", "--quiet"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A folder of data with the runs that nobody killed, in `whole-CASE`."""
    if pytestconfig.getoption("--backend") not in (None, "numpy"):
        pytest.skip("these trainings run on NumPy, so they are killed with --backend numpy")
    folder = tmp_path_factory.mktemp("killed")
    killing.write_digits(folder / "digits.csv")
    killing.write_digits(folder / "large.csv", 16)
    (folder / "own.toml").write_text(OWN)
    for case in CASES:
        assert train(folder, *words(case), "--out", f"whole-{case}") == 0, output(folder)
    assert train(folder, *SMALL, "--out", "whole-small") == 0, output(folder)
    return folder


def goes_on(place: Path, run: str, command: list[str], whole: str) -> None:
    """The same command ends the training, and as if it had never been stopped."""
    assert train(place, *command, "--out", run, *resuming(place / run)) == 0, output(place)
    assert outcome(place / run) == outcome(place / whole)
    assert [path.name for path in (place / run).iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("case", CASES)
def test_killed_at_random_moments(place: Path, case: str) -> None:
    rng, run = random.Random(case), place / f"random-{case}"
    begin = time.monotonic()
    assert train(place, *words(case), "--out", f"timed-{case}") == 0
    whole, kills = time.monotonic() - begin, 0
    for _ in range(14):
        process = start(place, *words(case), "--out", run.name, *resuming(run))
        process.join(whole * rng.random() / 4)
        if process.exitcode is not None:
            break
        process.kill()
        process.join()
        kills += 1
        assert is_whole(run)
    assert kills > 3
    goes_on(place, run.name, words(case), f"whole-{case}")


@pytest.mark.parametrize(
    ("at", "number"),
    [
        ("portanet.data:read", 1),  # while the data is read
        ("portanet.cli.training:fit_spec", 1),  # before the first step
        ("portanet.training.loop.history:measure", 2),  # while the second row of the history is made
        ("portanet.storage.history_file:HistoryFile.update", 1),
        ("portanet.storage.history_file:HistoryFile.update", 3),
        ("portanet.storage.snapshot:write_snapshot", 7),  # in the midst of an epoch
        ("portanet.storage.snapshot:write_snapshot", 28),  # between a row of the history and its checkpoint
        ("portanet.training.model:TrainedModel.save", 1),  # after the last checkpoint
        ("portanet.cli.outcome:write_record", 1),  # after the model
        ("portanet.storage.run_folder:RunFolder.drop_if_empty", 1),  # after all of it
    ],
)
def test_killed_at_a_certain_moment(place: Path, at: str, number: int) -> None:
    run = place / f"at-{at.replace(':', '-')}-{number}"
    code = train(place, *words("own"), "--out", run.name, prepare=killing.kill_in, arguments=(at, number))
    assert code == -signal.SIGKILL
    assert is_whole(run)
    goes_on(place, run.name, words("own"), "whole-own")


def test_killed_between_the_first_row_and_the_first_checkpoint(place: Path) -> None:
    command, kill = words("classic"), ("portanet.storage.snapshot:write_snapshot", 1)
    assert train(place, *command, "--out", "rowed", prepare=killing.kill_in, arguments=kill) == -signal.SIGKILL
    assert (place / "rowed/history.jsonl").stat().st_size > 0
    goes_on(place, "rowed", command, "whole-classic")


@pytest.mark.parametrize("left", [None, 0, 100])
def test_a_history_that_is_lost_before_it_goes_on(place: Path, left: int | None) -> None:
    """The checkpoint has its rows."""
    command, run = [word for word in words("own") if word != "--quiet"], place / f"lost-{left}"
    kill = ("portanet.storage.snapshot:write_snapshot", 60)
    assert train(place, *command, "--out", run.name, prepare=killing.kill_in, arguments=kill) == -signal.SIGKILL
    history = run / "history.jsonl"
    history.unlink() if left is None else history.write_bytes(history.read_bytes()[:left])
    goes_on(place, run.name, command, "whole-own")
    assert len([line for line in output(place) if "history.jsonl" in line and "rows are written again" in line]) == 1
    names = [list(json.loads(line)) for line in history.read_text().splitlines()]
    assert names == names[:1] * len(names)


def test_killed_while_the_report_is_written(place: Path) -> None:
    run, kill = place / "report", ("portanet.report:write_report", 1)
    process = start(place, *SMALL, "--out", run.name, prepare=killing.keep_report)
    assert ended(process) == 0
    assert outcome(run) == outcome(place / "whole-small")
    assert (run / "report.html").exists()
    assert train(place, *SMALL, "--out", "unreported", prepare=killing.kill_report, arguments=kill) == -signal.SIGKILL
    goes_on(place, "unreported", SMALL, "whole-small")


def test_killed_in_the_first_moments(place: Path) -> None:
    """Python from its start, as anybody calls it."""
    environment = os.environ | {"PYTHONPATH": str(Path(portanet.__file__).parents[1])}
    command = [sys.executable, "-m", "portanet", "train", *SMALL, "--out", "early", "--quiet"]
    for wait in (0.0, 0.01, 0.1, 0.3, 0.6):
        process = subprocess.Popen([*command, *resuming(place / "early")], cwd=place, env=environment)
        time.sleep(wait)
        process.kill()
        process.wait()
        assert is_whole(place / "early")
    done = subprocess.run([*command, *resuming(place / "early")], cwd=place, env=environment, timeout=120, check=False)
    assert done.returncode == 0
    assert outcome(place / "early") == outcome(place / "whole-small")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("at", [1, 5, 12])
def test_a_signal(place: Path, name: str, at: int) -> None:
    number, run = signal.Signals[name], place / f"{name}-{at}"
    command = [word for word in words("own") if word != "--quiet"]
    code = train(place, *command, "--out", run.name, prepare=killing.signal_itself, arguments=(number, at))
    assert code == 128 + number, output(place)
    said = output(place)
    assert "stopping; a second signal ends at once" in said
    assert said[-1].startswith("portanet: interrupted, and saved; to resume: portanet train ")
    assert snapshot.read_snapshot(run)[1] is None
    assert not (run / "model.safetensors").exists()
    _, _, printed = said[-1].partition("to resume: ")
    assert train(place, *shlex.split(printed)[2:]) == 0
    assert outcome(run) == outcome(place / "whole-own")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_second_signal_ends_at_once(place: Path, name: str) -> None:
    """Even where the training never comes to save itself."""
    number = signal.Signals[name]
    command = [*LONG, "--out", f"second-{name}"]
    process = start(place, *command, prepare=killing.never_save)
    wait_for(lambda: any("epoch 1/" in line for line in output(place)), process)
    os.kill(process.pid, number)
    wait_for(lambda: any("a second signal" in line for line in output(place)), process)
    begin = time.monotonic()
    os.kill(process.pid, number)
    assert ended(process) == 128 + number
    assert time.monotonic() - begin < 10
    assert "Traceback" not in "".join(output(place))


def wait_for(happened: Any, process: Any) -> None:
    end = time.monotonic() + 60
    while not happened():
        assert process.exitcode is None
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("error", [BrokenPipeError(), RuntimeError("reentrant call")], ids=str)
def test_a_signal_counts_where_nothing_can_be_said(error: Exception) -> None:
    def say(words: str) -> None:
        raise error

    stop = Stop()
    with stopping(stop, say) as came:
        os.kill(os.getpid(), signal.SIGTERM)
    assert (stop.reason, came) == ("interrupted", [signal.SIGTERM])


def test_two_processes_in_one_folder(place: Path) -> None:
    run = place / "shared"
    first = start(place, *LONG, "--out", run.name)
    wait_for(lambda: snapshot.has_snapshot(run), first)
    (place / "second").mkdir()
    for name in ("digits.csv", "own.toml"):
        (place / "second" / name).symlink_to(place / name)
    assert train(place / "second", *LONG, "--out", "../shared", "--resume") == 1
    [line] = [line for line in output(place / "second") if line.startswith("portanet: ")]
    assert line.startswith(f"portanet: ../shared is in use by process {first.pid}; wait until it ends")
    first.kill()
    first.join()
    assert is_whole(run)
    assert train(place / "second", *LONG, "--out", "../shared", "--resume",
                 prepare=killing.signal_itself, arguments=(signal.SIGTERM, 3)) == 143  # fmt: skip


def test_a_training_that_diverges_keeps_its_last_good_state(place: Path) -> None:
    command = shlex.split("digits.csv --image 1x8x8 --task regress --optimizer sgd --learning-rate 0.9 --batch-size 30")
    command += ["--backend", "numpy", "--quiet", "--epochs", "30", "--out", "diverged"]
    said = []
    for resume in ([], ["--resume"]):  # the same command, which comes to the same step
        assert train(place, *command, *resume) == 1
        [line] = output(place)
        said.append(re.match(r"portanet: training diverged at step (\d+) \(learning rate 0\.\d+.*\): the ", line))
        tree, note = snapshot.read_snapshot(place / "diverged")
        assert note is None
        assert np.isfinite(tree["flat"]).all()
    first, again = said
    assert first is not None
    assert again is not None
    assert 0 < tree["steps"] <= int(first[1]) == int(again[1])
    assert not (place / "diverged/model.safetensors").exists()
    assert train(place, *command, "--resume", "--learning-rate", "0.01") == 1
    assert "other settings (optimizer.learning_rate 0.9, now 0.01); use them" in output(place)[0]


@pytest.mark.parametrize("every", [9, pytest.param(1, marks=pytest.mark.slow)])
def test_death_at_each_call_that_changes_the_disk(place: Path, every: int) -> None:
    """Killed at the first open, write, fsync, rename..., at the next, and so on until the training ends."""
    for number in range(every // 2, 1000, every):
        name = f"death-{every}-{number}"
        code = train(place, *SMALL, "--out", name, prepare=killing.die_at, arguments=(number,))
        if code == 0:
            break
        assert code == DIED
        assert is_whole(place / name)
        goes_on(place, name, SMALL, "whole-small")
    assert number > 60
    assert outcome(place / name) == outcome(place / "whole-small")


ERRORS = [
    (errno.ENOSPC, "No space left on device; free some space, or write elsewhere"),
    (errno.EIO, "Input/output error; the disk may be failing; write elsewhere"),
    (errno.EROFS, "Read-only file system; write elsewhere"),
]


@pytest.mark.parametrize(("error", "words"), ERRORS, ids=[errno.errorcode[error] for error, _ in ERRORS])
def test_a_disk_that_fails_in_the_midst(place: Path, error: int, words: str) -> None:
    """From some call on every one fails; when the disk works again, the training goes on."""
    for number in (3, 9, 17, 30, 41, 60):
        name = f"{errno.errorcode[error]}-{number}"
        code = train(place, *SMALL, "--out", name, prepare=killing.fail_from, arguments=(number, error))
        assert code == 1
        last = output(place)[-1]
        assert re.fullmatch(rf"portanet: cannot write \S*{name}/\S+: {words}\.", last), last
        assert "Traceback" not in "".join(output(place))
        assert is_whole(place / name)
        goes_on(place, name, SMALL, "whole-small")


FULL = """
import inspect, os, subprocess, sys
from pathlib import Path
from portanet.storage import snapshot
from portanet import report
from portanet.cli import main
from portanet.training import checkpoints

def run(*words):
    try:
        main(["train", *sys.argv[1:], "--out", "disk/run", *words])
    except SystemExit as stop:
        return stop.code

inspect.unwrap(checkpoints.Checkpoints.__init__).__kwdefaults__["every"] = 0.0
checkpoints._COST = float("inf")
report.available = lambda: False  # it is larger than the disk
write, written = snapshot.write_snapshot, []

def counted(folder, tree):
    written.append(tree["steps"])
    if len(written) == 4:
        fill()
    write(folder, tree)

def mount(*words):
    subprocess.run(["mount", *words, "disk"], check=True)

def fill():
    with open("disk/other", "wb", buffering=0) as file:
        try:
            while file.write(bytes(512)):
                pass
        except OSError:
            pass

os.mkdir("disk")
mount("-t", "tmpfs", "-o", "size=1m", "tmpfs")
print("mounted", flush=True)
snapshot.write_snapshot = counted
assert run() == 1
tree, note = snapshot.read_snapshot(Path("disk/run"))
assert (tree["steps"], note) == (written[2], None), (tree["steps"], written, note)
os.unlink("disk/other")
mount("-o", "remount,ro")
assert run("--resume") == 1
mount("-o", "remount,rw")
assert run("--resume", "--quiet") == 0
for name in ("model.safetensors", "history.jsonl", "run.json"):
    Path(name).write_bytes(Path("disk/run", name).read_bytes())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has tmpfs and namespaces for it")
def test_a_disk_that_is_full_and_one_that_cannot_be_written(place: Path) -> None:
    """A real one of a megabyte, that nobody else sees."""
    folder = place / "full"
    folder.mkdir()
    (folder / "digits.csv").symlink_to(place / "digits.csv")
    (folder / "own.toml").symlink_to(place / "own.toml")
    environment = os.environ | {"PYTHONPATH": str(Path(portanet.__file__).parents[1])}
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", sys.executable, "-c", FULL, *words("own")],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "mounted" not in done.stdout:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip().splitlines()[-1:]}")
    assert done.returncode == 0, done.stderr
    full, sealed = done.stderr.splitlines()
    assert full == (
        "portanet: cannot write disk/run/checkpoint.safetensors: No space left on device; "
        "free some space, or write elsewhere."
    )
    assert sealed == "portanet: cannot write disk/run/.lock: Read-only file system; write elsewhere."
    assert outcome(folder) == outcome(place / "whole-own")
