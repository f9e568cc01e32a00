"""What is measured: the same training steps, or the same predictions, for every peer that can do them."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TRAINS = (
    "portanet",
    "portanet-traced",
    "portanet-plain",
    "portanet-jax",
    "portanet-torch",
    "numpy",
    "products",
    "sklearn",
    "torch",
    "torch-compile",
    "jax",
)


@dataclass(frozen=True)
class Job:
    """One network and its training: `batch` rows in a step, or all of them; Adam for batches, SGD for all rows.

    required   (peer, figure, least, goal): the least ratio peer / portanet of seconds or memory
    """

    name: str
    title: str
    rows: int
    units: tuple[int, ...]
    batch: int | None
    unit: str
    peers: tuple[str, ...]
    required: tuple[tuple[str, str, float, float], ...] = ()
    filters: tuple[int, ...] = ()

    @property
    def optimizer(self) -> str:
        return "adam" if self.batch else "sgd"

    @property
    def rate(self) -> float:
        return 0.001 if self.batch else 0.2

    @property
    def steps(self) -> int:
        """Steps in an epoch, the last short one counted."""
        return -(-self.rows // self.batch) if self.batch else 1

    def batches(self, epoch: int) -> list[Array]:
        """The row numbers of each step of an epoch, the same for all peers: those that portanet's seed 0 draws."""
        order = self.order(epoch)
        return [order[start : start + (self.batch or 0)] for start in range(0, self.rows, self.batch or 1)]

    def order(self, epoch: int) -> Array:
        from portanet.rng import SHUFFLE, generator

        return generator(0, SHUFFLE, epoch).permutation(self.rows).astype(np.int32)


JOBS = {
    job.name: job
    for job in (
        Job(
            "full", "all 42,000 images in every step, 784-16-10, SGD", 42_000, (16, 10), None, "ms a step",
            (*TRAINS, "article"),
            (("torch", "seconds", 1.9, 2.3), ("jax", "seconds", 1.25, 1.4), ("torch", "memory", 3.0, 4.0),
             ("numpy", "seconds", 1 / 1.1, 1.0), ("portanet-jax/jax", "seconds", 1 / 1.15, 1.0),
             ("portanet-plain", "seconds", 1.0, 1.1), ("portanet-traced", "seconds", 1.0, 1.1)),
        ),
        Job(
            "mini", "batches of 128, 784-128-10, Adam", 42_000, (128, 10), 128, "µs a step", (*TRAINS, "torch-hand"),
            (("torch", "seconds", 1.5, 2.0), ("sklearn", "seconds", 1.7, 2.5), ("jax", "seconds", 1 / 1.3, 1.0),
             ("numpy", "seconds", 1 / 1.1, 1.0), ("portanet-jax/jax", "seconds", 1 / 1.1, 1.0),
             ("portanet-torch/torch-hand", "seconds", 1 / 1.1, 1.0), ("portanet-plain", "seconds", 1.0, 1.2),
             ("portanet-traced", "seconds", 1.0, 1.2)),
        ),
        Job(
            "small", "batches of 32, 784-32-10, Adam", 42_000, (32, 10), 32, "µs a step", (*TRAINS, "torch-hand"),
            (("torch", "seconds", 3.0, 4.0), ("jax", "seconds", 1 / 1.1, 1 / 0.9), ("numpy", "seconds", 1 / 1.1, 1.0),
             ("portanet-plain", "seconds", 1.3, 1.5), ("portanet-traced", "seconds", 1.0, 1.5)),
        ),
        Job(
            "cnn", "batches of 128, two convolutions of 5 x 5 (16 and 32 filters) with pooling, Adam", 3_840, (10,),
            128, "ms a step", tuple(name for name in TRAINS if name not in ("numpy", "products", "sklearn")),
            (("torch", "seconds", 1.5, 2.0), ("portanet-plain", "seconds", 1.0, 1.0),
             ("portanet-traced", "seconds", 1.0, 1.0)), filters=(16, 32),
        ),
        Job(
            "predict", "70,000 images, 784-256-128-10", 70_000, (256, 128, 10), None, "rows a second",
            ("portanet", "products", "sklearn", "torch"),
            (("torch", "seconds", 1.1, 1.5), ("sklearn", "seconds", 1.2, 1.5)),
        ),
        *[
            Job(
                name, f"Adam alone, {count:,} weights", 1, (count,), None, "µs a step", ("portanet", "portanet-traced"),
                (("portanet-traced", "seconds", 3.0, 4.0),),
            )
            for name, count in (("adam-100k", 100_000), ("adam-1m", 1_000_000))
        ],
    )
}  # fmt: skip


@dataclass(frozen=True)
class Data:
    """Raw pixels (N, 784) uint8, labels (N,) int32, and the weights and biases that every peer starts from."""

    x: Array
    labels: Array
    weights: list[Array]
    biases: list[Array]


def write(job: Job, folder: Path) -> None:
    """Puts a job's rows and first weights where the peers find them."""
    from bench_peers.portanet_fit import model

    from portanet import read
    from portanet.rng import WEIGHTS, generator

    (folder / "job.json").write_text(json.dumps({"name": job.name, "rows": job.rows}))
    if job.name.startswith("adam"):
        return
    parts = ["mnist:article"] if job.name == "full" else ["mnist", "mnist:test"]
    sets = [read(part) for part in parts]
    x = np.concatenate([part.x.reshape(-1, 784) for part in sets])[: job.rows]
    labels = np.concatenate([part.labels for part in sets])[: job.rows].astype(np.int32)
    np.save(folder / "x.npy", x)
    np.save(folder / "labels.npy", labels)
    layers = [own for own in model(job).init(generator(0, WEIGHTS), (1, 28, 28)).values() if "weight" in own]
    arrays = {f"{kind}{i}": own[kind].astype(np.float32) for i, own in enumerate(layers) for kind in ("weight", "bias")}
    np.savez(folder / "start.npz", **arrays)


def read_back(folder: Path) -> tuple[Job, Data]:
    """The job and its data as `write` left them."""
    kept = json.loads((folder / "job.json").read_text())
    job = dataclasses.replace(JOBS[kept["name"]], rows=kept["rows"])
    if job.name.startswith("adam"):
        return job, Data(np.empty(0), np.empty(0), [], [])
    start = np.load(folder / "start.npz")
    weights, biases = ([start[f"{kind}{i}"] for i in range(len(start.files) // 2)] for kind in ("weight", "bias"))
    return job, Data(np.load(folder / "x.npy"), np.load(folder / "labels.npy"), weights, biases)
