"""The presets on several backends side by side: seconds of training and accuracy, as a table.

`python scripts/side_by_side.py numpy cupy` prints the median of three runs each, taken in turn.
"""

import json
import subprocess
import sys
import tempfile
from statistics import median
from typing import Any

PRESETS = {"classic": ["--epochs", "100"], "mlp": ["--epochs", "3"]}
ROUNDS = 3


def train(preset: str, backend: str) -> dict[str, Any]:
    """The result of one training run in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["train", "--preset", preset, "--backend", backend, *PRESETS[preset]]
        command = [sys.executable, "-m", "portanet", *words, "--out", f"{folder}/run", "--json", "--quiet"]
        found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


backends = sys.argv[1:] or ["numpy"]
print("| preset | backend | device | steps | seconds | steps a second | training accuracy |")
print("|---|---|---|---|---|---|---|")
for preset in PRESETS:
    runs = [(backend, train(preset, backend)) for _ in range(ROUNDS) for backend in backends]
    for backend in backends:
        own = [run for name, run in runs if name == backend]
        seconds, last = median(run["seconds"] for run in own), own[-1]
        figures = (
            f"{last['steps']} | {seconds:.2f} | {last['steps'] / seconds:.0f} | {last['final_train_accuracy']:.4f}"
        )
        print(f"| {preset} | {backend} | {last['device']} | {figures} |")
