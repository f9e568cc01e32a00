"""portanet train in processes that are killed, fail or get signals; forked from one that has imported everything."""

from __future__ import annotations

import inspect
import json
import math
import multiprocessing
import os
import signal
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from portanet.storage import snapshot

DIED = 77
CALLS = ("open", "write", "fsync", "replace", "link", "unlink", "ftruncate", "mkdir")  # those that change the disk

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    ["__main__", "portanet.cli.training", "portanet.cli.train", "pandas", "safetensors.numpy", "threadpoolctl"]
)

Prepare = Callable[..., None]


def _train(folder: Path, words: list[str], prepare: Prepare | None, arguments: tuple[Any, ...]) -> None:
    os.chdir(folder)
    with open("output.txt", "w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    from portanet import report
    from portanet.cli import main
    from portanet.training import checkpoints

    inspect.unwrap(checkpoints.Checkpoints.__init__).__kwdefaults__["every"] = 0.0
    checkpoints._COST = math.inf
    if prepare is None or prepare is not keep_report:
        report.available = lambda: False  # it takes longer than the training
    if prepare is not None:
        prepare(*arguments)
    main(["train", *words])


def start(folder: Path, *words: str, prepare: Prepare | None = None, arguments: tuple[Any, ...] = ()) -> Any:
    """A training that saves as often as it can, in `folder`; it prints to output.txt there."""
    (folder / "output.txt").write_text("")
    process = processes.Process(target=_train, args=(folder, list(words), prepare, arguments))
    process.start()
    return process


def ended(process: Any, seconds: float = 120.0) -> int:
    """How the process ended: its exit code, or -N for a signal."""
    process.join(seconds)
    code = process.exitcode
    process.kill()
    assert code is not None, "it does not end"
    return int(code)


def train(folder: Path, *words: str, prepare: Prepare | None = None, arguments: tuple[Any, ...] = ()) -> int:
    return ended(start(folder, *words, prepare=prepare, arguments=arguments))


def output(folder: Path) -> list[str]:
    return (folder / "output.txt").read_text().splitlines()


def outcome(run: Path) -> tuple[bytes, list[dict[str, Any]], dict[str, Any]]:
    """What a training has come to: the model, and the history and the result without times and places."""
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    result = json.loads((run / "run.json").read_text())["result"]
    different = {"seconds", "run", "model"}
    plain = [{name: value for name, value in each.items() if name not in different} for each in (*rows, result)]
    return (run / "model.safetensors").read_bytes(), plain[:-1], plain[-1]


def is_whole(run: Path) -> bool:
    """Whether what a training left can be gone on with, and nothing in it is damaged."""
    return not snapshot.has_snapshot(run) or snapshot.read_snapshot(run)[1] is None


def resuming(run: Path) -> list[str]:
    """--resume, if the training has made its folder."""
    return ["--resume"] if run.is_dir() else []


def write_digits(path: Path, size: int = 8) -> None:
    """A CSV of 120 small pictures of four kinds."""
    rng, kind = np.random.default_rng(0), np.arange(120) % 4
    pixels = rng.integers(0, 150, (120, size * size))
    for place in range(size * size // 6):
        pixels[np.arange(120), size * size // 4 * kind + place] += 60
    rows = [",".join(map(str, row)) for row in np.column_stack([kind, pixels]).tolist()]
    path.write_text("\n".join([",".join(["label", *(f"pixel{i}" for i in range(size * size))]), *rows, ""]))


def keep_report() -> None:
    """Nothing else is changed."""


def kill_in(place: str, number: int) -> None:
    """SIGKILL in place of the call with this number, from 1, of a function, `portanet.storage.atomic:write`."""
    module, _, path = place.partition(":")
    *above, name = path.split(".")
    owner: Any = import_module(module)
    for part in above:
        owner = getattr(owner, part)
    real, calls = getattr(owner, name), [0]

    def call(*arguments: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    setattr(owner, name, call)


def kill_report(place: str, number: int) -> None:
    """SIGKILL where the report would be written."""
    from portanet import report

    report.available = lambda: True
    kill_in(place, number)


def die_at(number: int) -> None:
    """The process ends in place of the call with this number, from 0, that changes the disk; a write gets half way."""

    def die(name: str, real: Any, arguments: Any) -> None:
        if name == "write":
            real(arguments[0], arguments[1][: len(arguments[1]) // 2])
        os._exit(DIED)

    _at_call(lambda count: count == number, die)


def fail_from(number: int, error: int) -> None:
    """From the call with this number on, every call that needs room or a disk fails."""

    def fail(name: str, real: Any, arguments: Any) -> None:
        if name not in ("unlink", "ftruncate"):
            raise OSError(error, os.strerror(error))

    _at_call(lambda count: count >= number, fail)


def _at_call(is_now: Callable[[int], bool], happens: Callable[[str, Any, Any], None]) -> None:
    count = iter(range(10**9))

    def wrapped(name: str, real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            writes = name != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT)
            if writes and is_now(next(count)):
                happens(name, real, arguments)
            return real(*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, wrapped(name, getattr(os, name)))


def signal_itself(number: int, at: int) -> None:
    """The training gets a signal when it asks for the `at`-th time whether a checkpoint is due."""
    from portanet.training.checkpoints import Checkpoints

    real, calls = Checkpoints.due, [0]

    def due(self: Any) -> bool:
        calls[0] += 1
        if calls[0] == at:
            os.kill(os.getpid(), number)
        return real(self)

    Checkpoints.due = due  # type: ignore[method-assign]


def never_save() -> None:
    """Neither save nor look whether to stop."""
    from portanet.training.checkpoints import Checkpoints
    from portanet.training.stopping import Stop

    Checkpoints.due = lambda self: False  # type: ignore[method-assign]
    Stop.reason = property(lambda self: "")  # type: ignore[assignment, method-assign]
