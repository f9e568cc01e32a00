"""`mpiexec -n 2 python ranked.py NAME FOLDER` calls a function on each rank; rank 0 prints all results as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import portanet
from portanet import Callback, Checkpoints, nn
from portanet.data.memmap.rows import Rows
from portanet.errors import PortanetError
from portanet.mpi import team
from portanet.mpi.ranks import Ranks
from portanet.training.loop import together, watchers

X = np.random.default_rng(0).normal(size=(210, 6)).astype(np.float32)
LABELS = (X[:, 0] + X[:, 1] ** 2 > 1).astype(np.int32)
MODEL = nn.Sequential(nn.Standardize(), nn.Dense(40), nn.ReLU(), nn.Dropout(0.2), nn.Dense(2))
SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 64, "accumulate": 7, "valid": 0.2, "backend": "numpy"}
FEW = {"epochs": 1, "valid": None}
TIMEOUT = 2.0


def train(communicator: Any = None, **settings: Any) -> portanet.TrainedModel:
    rows, labels = settings.pop("rows", X), settings.pop("labels", LABELS)
    return portanet.fit(settings.pop("model", MODEL), rows, labels, communicator=communicator, **SETTINGS | settings)


def digest(run: portanet.TrainedModel, folder: Path) -> list[Any]:
    """The SHA-256 of the model file, and the history without times."""
    path = run.save(folder / f"{os.getpid()}.safetensors")
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in run.history]
    return [hashlib.sha256(path.read_bytes()).hexdigest(), rows]


def mapped(folder: Path) -> Rows:
    """The rows as a memory map of a file of this process."""
    path = folder / f"rows-{os.getpid()}.npy"
    np.save(path, X)
    return Rows(np.load(path, mmap_mode="r"))


def full_batch(folder: Path, **settings: Any) -> portanet.TrainedModel:
    return train(rows=mapped(folder), batch_size="full", accumulate=20, **FEW, **settings)


def laws(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """Runs with different settings, each with the bits of one process."""
    plain = portanet.choose("numpy", trace=False)
    results = {
        "settings": digest(train(ranks), folder),
        "untraced": digest(train(ranks, backend=plain), folder),
        "threads": digest(train(ranks, workers=2), folder),
        "strict": digest(train(ranks, backend="strict", **FEW), folder),
        "one shard": digest(train(ranks, accumulate=1, **FEW), folder),
        "full batch": digest(full_batch(folder, communicator=ranks), folder),
        "fast": np.asarray(train(Ranks(ranks.communicator, reduce="fast"), **FEW).params["1"]["weight"]).tolist(),
    }
    team._LEAST, team._OUTBOX = 1, 0
    results["many exchanges"] = digest(full_batch(folder, communicator=ranks), folder)
    return results


def refusals(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """The error of each refused call, and the messages of rank 0."""
    said: list[str] = []
    team = Ranks(ranks.communicator, say=said.append)
    second = ranks.rank == 1
    train(team, accumulate=1, **FEW)
    return {
        "not rowwise": message(lambda: train(team, model=nn.Sequential(nn.Dense(4), nn.BatchNorm(), nn.Dense(2)))),
        "data": message(lambda: train(team, rows=X + np.float32(second))),
        "settings": message(lambda: train(team, seed=int(second))),
        "backend": message(lambda: train(team, backend="strict" if second else "numpy")),
        "reduce": message(lambda: train(Ranks(ranks.communicator, reduce="fast" if second else "exact"))),
        "version": message(lambda: other_version(team, second)),
        "all fail": message(lambda: train(team, labels=LABELS[:5], **FEW)),
        "diverges": message(lambda: diverging(team)),
        "weights": message(lambda: drifting(team, second)),
        "said": said,
    }


def message(call: Callable[[], Any]) -> str:
    try:
        call()
    except PortanetError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def diverging(communicator: Any = None) -> portanet.TrainedModel:
    return train(communicator, optimizer=portanet.optim.SGD(1e30))


def other_version(ranks: Ranks, second: bool) -> None:
    real = together.made_with
    together.made_with = lambda: real() | ({"numpy": "1.0"} if second else {})
    try:
        train(ranks)
    finally:
        together.made_with = real


def drifting(ranks: Ranks, second: bool) -> None:
    """The weights of one rank drift, as if its processor rounded differently."""

    class Changes(Callback):
        def begin(self, run: portanet.TrainedModel, steps: int) -> None:
            self.run = run

        def log(self, row: dict[str, Any]) -> None:
            if second:
                self.run.params["1"]["bias"] += 1e-7

    train(ranks, callbacks=[Changes()])


class AfterSteps(Callback):
    """Calls `action` after `steps` steps."""

    def __init__(self, steps: int, action: Callable[[], Any]) -> None:
        self.steps, self.action = steps, action

    def advance(self, step: int) -> None:
        if step == self.steps:
            self.action()


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """A run that one rank interrupts, and that saves itself."""
    callbacks = [AfterSteps(4, interrupt)] if ranks.rank == ranks.size - 1 else []
    run = train(ranks, checkpoints=Checkpoints(folder / "run", every=0.0), callbacks=callbacks)
    return {"stopped": run.stopped, "steps": run.steps}


def resumed(ranks: Ranks, folder: Path) -> dict[str, Any]:
    return {"run": digest(train(ranks, checkpoints=Checkpoints(folder / "run", every=0.0)), folder)}


def reading(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """The rows of a memory map that each rank reads in a step."""
    read: set[int] = set()
    real = Rows.__getitem__

    def recorded(self: Rows, key: Any) -> Any:
        indices = np.arange(len(self.array)) if self.index is None else self.index
        rows = key[0] if isinstance(key, tuple) else key
        read.update(indices[rows].tolist())
        return real(self, key)

    class Counts(Callback):
        def begin(self, run: portanet.TrainedModel, steps: int) -> None:
            read.clear()

        def log(self, row: dict[str, Any]) -> None:
            counts.append(sorted(read))

    counts: list[list[int]] = []
    Rows.__getitem__ = recorded  # type: ignore[method-assign]
    full_batch(folder, communicator=ranks, callbacks=[Counts()])
    train(ranks, rows=mapped(folder), callbacks=[Counts()], **FEW)
    return {"rows": ranks.gather(counts)}


def fails(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """An error on the last rank alone."""

    def fail() -> None:
        raise PortanetError("only here")

    train(ranks, callbacks=[AfterSteps(3, fail)] if ranks.rank == ranks.size - 1 else [])
    return {}


def hangs(ranks: Ranks, folder: Path) -> dict[str, Any]:
    """The last rank stops answering."""
    print(json.dumps({"began": time.time()}), flush=True)
    stop = [AfterSteps(3, lambda: os.kill(os.getpid(), signal.SIGSTOP))] if ranks.rank == ranks.size - 1 else []
    train(Ranks(ranks.communicator, timeout=TIMEOUT), callbacks=stop)
    return {}


def terminated(arguments: list[str]) -> None:
    """`portanet` with these arguments; the last rank gets SIGTERM after three steps, as from a scheduler."""
    rank, size = int(os.environ["PMI_RANK"]), int(os.environ["PMI_SIZE"])
    real = watchers.Watchers.advance

    def advance(self: watchers.Watchers, step: int) -> None:
        if rank == size - 1 and step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        real(self, step)

    watchers.Watchers.advance = advance  # type: ignore[method-assign]
    from portanet.cli import main

    main(arguments)


def main() -> None:
    name, *rest = sys.argv[1:]
    if name == "terminated":
        terminated(rest)
    from mpi4py import MPI

    ranks, folder = Ranks(MPI.COMM_WORLD, timeout=120.0), Path(rest[0])
    results = ranks.gather(globals()[name](ranks, folder))
    if ranks.leads:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
