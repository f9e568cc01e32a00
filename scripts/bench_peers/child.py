"""One peer in a separate process: `python -m bench_peers.child PEER FOLDER SECONDS`.

It prints one line of JSON when it is warm, and one after each line that it reads. `bench.py` is at the other end.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_peers.jobs import Array, Job, read_back

# The module of each peer, and what it is told beside the job.
MODULES = {
    "portanet": ("portanet_fit", "numpy"),
    "portanet-traced": ("portanet_fit", "numpy traced"),
    "portanet-plain": ("portanet_fit", "numpy plain"),
    "portanet-jax": ("portanet_fit", "jax"),
    "portanet-torch": ("portanet_fit", "torch"),
    "numpy": ("numpy_by_hand", None),
    "article": ("article", None),
    "products": ("products", None),
    "sklearn": ("scikit_learn", None),
    "torch": ("pytorch", "eager"),
    "torch-compile": ("pytorch", "compiled"),
    "torch-hand": ("pytorch_by_hand", None),
    "jax": ("jax_scan", None),
}


@dataclass(frozen=True)
class Way:
    """One way of a peer to train: takes n more epochs; and the resulting weights and biases."""

    epochs: Callable[[int], None]
    weights: Callable[[], list[Array]] = list


class Pace:
    """When to start and when to stop the clock: rounds of at least `seconds`, each started by the other end."""

    def __init__(self, job: Job, seconds: float, ask: Callable[[], bool], tell: Callable[[dict[str, Any]], None]):
        self.job, self.seconds, self.wait, self._tell = job, seconds, ask, tell

    def drive(self, ways: dict[str, Way]) -> None:
        """Measures the fastest of several ways."""
        each = {name: self._each_epoch(way) for name, way in ways.items()}
        name = min(each, key=lambda name: each[name])
        count = self.epochs(each[name])
        ways[name].epochs(count)  # compiled for this number, where something compiles
        self.ready(name)
        while self.wait():
            start = time.perf_counter()
            ways[name].epochs(count)
            self.done(time.perf_counter() - start, count)

    def _each_epoch(self, way: Way) -> float:
        """The seconds of an epoch after the first: one that is long, or the fastest of three spells of short ones."""
        way.epochs(1)
        count = 1
        while (seconds := self._timed(way, count)) < self.seconds / 3:
            count *= 2
        spells = [seconds] if seconds > self.seconds else [seconds, self._timed(way, count), self._timed(way, count)]
        return min(spells) / count

    def _timed(self, way: Way, count: int) -> float:
        start = time.perf_counter()
        way.epochs(count)
        return time.perf_counter() - start

    def epochs(self, seconds: float) -> int:
        """How many epochs of this length make a round."""
        return max(1, round(self.seconds / seconds))

    def ready(self, how: str = "") -> None:
        """Says that the peer is warm, and which way it goes."""
        self._tell({"how": how})

    def done(self, seconds: float, epochs: int) -> None:
        """Reports a round."""
        self._tell({"seconds": seconds / (epochs * self.job.steps), "memory": peak_memory()})


def on_threads(way: Way, threads: int) -> Way:
    """The same way with so many threads for NumPy's BLAS."""
    import threadpoolctl

    blas = threadpoolctl.ThreadpoolController()

    def epochs(count: int) -> None:
        with blas.limit(limits=threads):
            way.epochs(count)

    return Way(epochs, way.weights)


def peak_memory() -> float:
    """The most memory that this process has held so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts the process that started this one too
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def main() -> None:
    peer, folder, seconds = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not an answer
    module, told = MODULES[peer]

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")

    try:
        job, data = read_back(Path(folder))
        pace = Pace(job, float(seconds), lambda: bool(sys.stdin.readline()), tell)
        importlib.import_module(f"bench_peers.{module}").run(job, data, pace, told)
    except Exception as error:  # a peer that is missing or broken must not end the others
        tell({"skipped": f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"})


if __name__ == "__main__":
    main()
