"""Kills trainings at random moments, again and again, and compares what they come to with the same left alone.

`python scripts/torture.py --minutes 5` (or `nox -s torture -- --minutes 5`) draws settings, trains once without
disturbance, then once under SIGKILL, going on each time with `--resume`, where the history may be gone, cut or linked
by then; the models must have the same bytes and the histories the same rows. Then two trainings begin in one folder, at
a random distance: one must win, and come to the same. What differs is left in the folder that it names.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import math
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

KILLS = 30  # of one training, after which it may end
LONGEST = 120.0  # seconds that an uninterrupted run may take

processes = multiprocessing.get_context("forkserver")  # starting Python from nothing would take most of the time


def train(folder: Path, words: list[str]) -> None:
    """A run of the command line in a separate process, which saves as often as it can."""
    os.chdir(folder)
    with open("output.txt", "a") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    from portanet.cli import main
    from portanet.training import checkpoints

    inspect.unwrap(checkpoints.Checkpoints.__init__).__kwdefaults__["every"] = 0.0
    checkpoints._COST = math.inf
    main(["train", *words])


def settings(rng: random.Random) -> dict[str, Any]:
    """A configuration of a run of the command line, small and of any kind."""
    from portanet.training.inputs.named import OPTIMIZERS

    preset = rng.choice(["classic", "mlp", "cnn", "own layers"])
    chosen: dict[str, Any] = {
        "data": "digits.csv", "image": [1, 16, 16], "backend": "numpy",
        "preset": "mlp" if preset == "own layers" else preset,
        "optimizer": rng.choice(OPTIMIZERS), "epochs": rng.randint(4, 12), "seed": rng.randrange(2**31),
        "batch_size": rng.choice([8, 17, 32, 64, "full"]), "accumulate": rng.choice([1, 1, 2, 3]),
        "dtype": rng.choice(["float32", "float32", "float64"]), "log_every": rng.choice([1, 1, 2]),
        "valid": rng.choice([0.1, 0.2]), "workers": rng.choice([1, 2]),
    }  # fmt: skip
    if chosen["batch_size"] == "full":
        chosen["epochs"] *= 5
    if preset == "own layers":
        norm = rng.choice([[], [{"type": "LayerNorm"}], [{"type": "BatchNorm"}] if chosen["accumulate"] == 1 else []])
        chosen["layers"] = [
            *([{"type": "RandomAffine", "shift": 1.0}] if rng.random() < 0.7 else []),
            {"type": "Standardize", "axis": "all"}, {"type": "Flatten"}, {"type": "Dense", "units": 24}, *norm,
            {"type": "ReLU"}, {"type": "Dropout", "rate": rng.choice([0.1, 0.3])}, {"type": "Dense", "units": 4},
        ]  # fmt: skip
    stopping = {"type": "EarlyStopping", "patience": rng.randint(1, 3)}
    plateau = {"type": "ReduceOnPlateau", "patience": 0, "factor": 0.5}
    chosen["callbacks"] = [each for each in (stopping, plateau) if rng.random() < 0.5]
    return chosen


def digits(path: Path) -> None:
    """A CSV of 150 small pictures of four kinds."""
    import numpy as np

    rng, kind = np.random.default_rng(0), np.arange(150) % 4
    pixels = rng.integers(0, 150, (150, 256))
    for place in range(40):
        pixels[np.arange(150), 64 * kind + place] += 60
    lines = [",".join(map(str, row)) for row in np.column_stack([kind, pixels]).tolist()]
    path.write_text("\n".join([",".join(["label", *(f"pixel{i}" for i in range(256))]), *lines, ""]))


def result(run: Path) -> tuple[bytes, list[dict[str, Any]], dict[str, Any]]:
    """The outcome of a run: the model, and all but times of the history and of run.json's result."""
    rows = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    outcome = json.loads((run / "run.json").read_text())["result"]
    plain = [{key: value for key, value in row.items() if key != "seconds"} for row in [*rows, outcome]]
    return (run / "model.safetensors").read_bytes(), plain[:-1], plain[-1] | {"run": "", "model": ""}


def started(folder: Path, *words: str) -> Any:
    process = processes.Process(target=train, args=(folder, ["--config", "settings.toml", "--quiet", *words]))
    process.start()
    return process


def ended(process: Any) -> None:
    """Wait for an uninterrupted run; any exit status but 0 is a failure."""
    process.join(LONGEST)
    if process.exitcode is None:
        process.kill()
    if process.exitcode != 0:
        raise AssertionError(f"a training ended with {process.exitcode}: see output.txt")


def lose_history(path: Path, rng: random.Random) -> None:
    """Now and then somebody deletes, empties, cuts or links the history before the run is resumed."""
    if not path.exists() or rng.random() < 0.5:
        return
    size, kind = path.stat().st_size, rng.randrange(4)
    if kind == 0:
        path.unlink()
    elif kind == 3:
        path.with_name(".linked").unlink(missing_ok=True)
        os.link(path, path.with_name(".linked"))
    else:
        os.truncate(path, 0 if kind == 1 else rng.randrange(size + 1))


def tortured(folder: Path, rng: random.Random) -> int:
    """Trains once left alone and once killed; the number of kills. AssertionError where something was lost."""
    from portanet.cli.config import text
    from portanet.storage.snapshot import has_snapshot, read_snapshot

    (folder / "settings.toml").write_text(text(settings(rng)))
    digits(folder / "digits.csv")
    start = time.monotonic()
    ended(started(folder, "--out", "whole"))
    whole, kills = time.monotonic() - start, 0
    while True:
        process = started(folder, "--out", "killed", *resuming(folder / "killed"))
        process.join(whole * rng.random() ** 3 if kills < KILLS else 0)
        if kills < KILLS and process.exitcode is None:
            process.kill()
            process.join()
            kills += 1
            if has_snapshot(folder / "killed"):
                assert read_snapshot(folder / "killed")[1] is None, "a kill has damaged a checkpoint"
            lose_history(folder / "killed" / "history.jsonl", rng)
            continue
        ended(process)
        break
    assert result(folder / "killed") == result(folder / "whole"), "the results differ"
    contested(folder, rng, whole)
    return kills


def contested(folder: Path, rng: random.Random, seconds: float) -> None:
    """Two trainings for one folder, the second up to somewhat later than the first takes: one of them has it."""
    pair = [started(folder, "--out", "shared")]
    time.sleep(1.2 * seconds * rng.random() ** 3)
    pair.append(started(folder, "--out", "shared"))
    for process in pair:
        process.join(LONGEST)
        process.kill()
    codes = sorted(process.exitcode for process in pair)
    assert codes == [0, 1], f"two trainings in one folder ended with {codes}: see output.txt"
    assert result(folder / "shared") == result(folder / "whole"), "a second training for the folder has changed it"


def resuming(run: Path) -> list[str]:
    """--resume, if there is something to resume; a run that was killed before that starts from scratch."""
    with contextlib.suppress(FileNotFoundError):
        if any(not path.name.startswith(".") for path in run.iterdir()):
            return ["--resume"]
        shutil.rmtree(run)
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="begin no new comparison after these")
    parser.add_argument("--seed", type=int, default=0, help="of the settings and of the moments")
    given = parser.parse_args()
    processes.set_forkserver_preload(
        ["__main__", "portanet.cli.training", "portanet.cli.train", "pandas", "safetensors.numpy", "jinja2"]
    )
    start, kills, runs = time.monotonic(), 0, 0
    while runs == 0 or time.monotonic() - start < 60 * given.minutes:
        folder = Path(tempfile.mkdtemp(prefix="portanet-torture-"))
        try:
            kills += tortured(folder, random.Random(given.seed * 1_000_000 + runs))
        except AssertionError as error:
            sys.exit(f"after {kills} kills and {runs} comparisons: {error}; all of it is in {folder}")
        shutil.rmtree(folder)
        runs += 1
        if sys.stderr.isatty():
            print(f"\r{kills} kills, {runs} runs", end="", file=sys.stderr)
    minutes = (time.monotonic() - start) / 60
    words = f"{kills} kills survived, {runs} runs compared, {runs} folders wanted twice"
    print(f"{words}, in {minutes:.1f} minutes: nothing lost")


if __name__ == "__main__":
    main()
