"""Benchmarks: the time of a training step on several backends, and the batch size from which a GPU is faster."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from portanet.backends import Backend
from portanet.data import Dataset
from portanet.nn import Sequential
from portanet.storage.model_card import ModelCard
from portanet.training.callbacks import Callback, Row
from portanet.training.fit import fit_spec
from portanet.training.spec import TrainingSpec

SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)  # batch sizes, from where CPUs win to where GPUs do
_ROWS = 16_384  # a multiple of every size, and short enough for an epoch


@dataclass(frozen=True)
class Timing:
    """The time of one training step of `batch_size` rows.

    backend  its name, followed by " plain" if functions are not traced
    seconds  one time for each round
    """

    backend: str
    device: str
    batch_size: int
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median over the rounds."""
        return median(self.seconds)


def on_gpu(device: str) -> bool:
    """Whether a device is a GPU, by its name; CuPy's emulated devices count as GPUs."""
    return device.partition(":")[0] in ("cuda", "gpu", "xpu", "mps")


def bench(
    backends: Sequence[Backend], spec: TrainingSpec, data: Dataset, *, batch_size: int | None = None,
    rounds: int = 5, seconds: float = 0.2, say: Callable[[str], None] = lambda words: None,
) -> list[Timing]:  # fmt: skip
    """Time a step of the preset on each backend: after a warm-up, rounds of at least `seconds`, the backends in turn.

    batch_size  rows in a step; by default the preset's
    say         called with a line about the next measurement

    Mini-batches are drawn from at most 16,384 rows, in full batches only. The device is synchronised before the clock
    is read, so queued work counts.
    """
    requested = batch_size or spec.for_rows(len(data)).batch_size
    size = len(data) if requested == "full" else min(int(requested), len(data))
    rows = data.rows(slice(0, max(size, min(len(data), _ROWS) // size * size)))
    runs = [_Run(backend, spec, rows, size) for backend in backends]
    epochs = []
    for run in runs:
        say(f"{run.backend.name}, batches of {size}: warm-up")
        epochs.append(run.epochs(seconds))
    times: list[list[float]] = [[] for _ in runs]
    for index in range(rounds):
        say(f"batches of {size}: round {index + 1} of {rounds}")
        for run, count, run_times in zip(runs, epochs, times, strict=True):
            run_times.append(run.step_seconds(count))
    return [
        Timing(backend.name if backend.trace else f"{backend.name} plain", backend.device, size, tuple(seconds))
        for backend, seconds in zip(backends, times, strict=True)
    ]


def gains(timings: Sequence[Timing]) -> dict[str, float]:
    """The speed-up of traced over plain steps, for each backend that was timed with both.

    The median over rounds of the ratio within a round, where other work on the machine slows both down.
    """
    by_name = {timing.backend: timing.seconds for timing in timings}
    return {
        name: median(plain / traced for plain, traced in zip(by_name[f"{name} plain"], seconds, strict=True))
        for name, seconds in by_name.items()
        if f"{name} plain" in by_name
    }


def break_even_batch_size(cpu: Mapping[int, float], gpu: Mapping[int, float]) -> int | None:
    """The smallest batch size from which on the GPU is always faster; None if it is slower at the largest."""
    smallest = None
    for size in sorted(cpu, reverse=True):
        if gpu[size] >= cpu[size]:
            break
        smallest = size
    return smallest


@dataclass(frozen=True)
class _Run:
    """A preset on one backend, as `fit` trains it."""

    backend: Backend
    spec: TrainingSpec
    data: Dataset
    batch_size: int

    def epochs(self, seconds: float) -> int:
        """The number of epochs that take `seconds`, by the fastest of three after the first."""
        times = self._logged(epochs=4, log_every=1)
        fastest = min(after - before for before, after in itertools.pairwise(times))
        return max(1, round(seconds / fastest))

    def step_seconds(self, epochs: int) -> float:
        """The time of a step, averaged over `epochs` epochs after as many warm-up epochs, which may compile."""
        *_, before, after = self._logged(epochs=2 * epochs + 1, log_every=epochs)
        return (after - before) / (epochs * (len(self.data) // self.batch_size))

    def _logged(self, *, epochs: int, log_every: int) -> list[float]:
        """The time of each logging point."""
        clock, card = _Clock(self.backend), ModelCard(self.data.x.shape[1:], classes=self.data.classes)
        spec = replace(self.spec.for_data(card), epochs=epochs, batch_size=self.batch_size, log_every=log_every, seed=0)
        fit_spec(spec, Sequential(*spec.layers), self.data, backend=self.backend, watchers=[clock])
        return clock.times


class _Clock(Callback):
    """Reads the clock at every logging point, after the device has finished."""

    def __init__(self, backend: Backend) -> None:
        self.times: list[float] = []
        self._backend = backend

    def log(self, row: Row) -> None:
        self._backend.synchronize()
        self.times.append(time.perf_counter())


def as_dict(timing: Timing) -> dict[str, object]:
    """The timing with its median, for JSON."""
    return dataclasses.asdict(timing) | {"median": timing.median}
