"""The presets over five seeds: accuracy on the held-out digits and, read once at each run's end, on the test digits.

`python scripts/presets.py mlp cnn` prints the table of portanet/training/presets.py; the runs stay in the folder
seeds/, and one that is there already is not trained again.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

SEEDS = range(5)


def result(preset: str, seed: int) -> dict[str, Any]:
    """What the run of this seed reached; trained first if it is not there, or goes on where it was interrupted."""
    folder = Path("seeds", f"{preset}-{seed}")
    if not (folder / "run.json").exists():
        words = ["train", "--preset", preset, "--seed", str(seed), "--test", "mnist:test", "--out", str(folder)]
        resume = ["--resume"] if folder.exists() else []
        subprocess.run([sys.executable, "-m", "portanet", *words, *resume], check=True, stdout=subprocess.DEVNULL)
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())["result"]
    return found


COLUMNS = ("mean", "lowest", "highest", "test digits: mean", "deviation", "lowest", "highest", "seconds")
print(f"| preset | held-out digits: {' | '.join(COLUMNS)} |")
print("|---" * (1 + len(COLUMNS)) + "|")
for preset in sys.argv[1:] or ["mlp", "cnn"]:
    runs = [result(preset, seed) for seed in SEEDS]
    valid, test = ([100 * run[f"{part}_accuracy"] for run in runs] for part in ("valid", "test"))
    figures = [f"{value:.2f} %" for value in (mean(valid), min(valid), max(valid), mean(test))]
    figures += [f"{stdev(test):.2f}", *(f"{value:.2f} %" for value in (min(test), max(test)))]
    print(f"| `{preset}` | {' | '.join(figures)} | {median(run['seconds'] for run in runs):.0f} |", flush=True)
