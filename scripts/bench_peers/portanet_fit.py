"""portanet through its front door: the clock runs from one logging point of `fit` to the next."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from bench_peers.child import Pace, Way
from bench_peers.jobs import Data, Job

from portanet import Backend, Callback, TrainedModel, choose, fit
from portanet.nn import Conv2D, Dense, Flatten, Layer, MaxPool2D, ReLU, Rescale, Sequential, he_uniform, uniform
from portanet.optim import SGD, Adam
from portanet.training.steps import shards
from portanet.training.steps.gradient import tracer_for

FOREVER = 10**9


def model(job: Job) -> Sequential:
    """The job's network."""
    start = uniform(-0.5, 0.5) if job.name == "full" else he_uniform
    layers: list[Layer] = [Rescale(1 / 255)]
    for filters in job.filters:
        layers += [Conv2D(filters, 5), ReLU(), MaxPool2D(2)]
    layers.append(Flatten())
    for units in job.units:
        layers += [Dense(units, initializer=start), ReLU()]
    return Sequential(*layers[:-1])


def run(job: Job, data: Data, pace: Pace, told: str) -> None:
    name, _, kind = told.partition(" ")
    backend = choose(name, trace=kind != "plain", fuse=kind != "traced")
    if job.name.startswith("adam"):
        pace.drive({"": optimizer_alone(job, backend)})
        return
    if job.name == "predict":
        predict(job, data, pace, backend)
        return
    first = _First()
    train(job, data, backend, epochs=9 if job.batch is None else 4, log_every=1, callback=first)
    count = pace.epochs(first.fastest)
    train(job, data, backend, epochs=FOREVER, log_every=count, callback=_Rounds(pace, count))


def optimizer_alone(job: Job, backend: Backend) -> Way:
    """Updates of a flat vector by gradients that stay the same."""
    rng = np.random.default_rng(0)
    flat, grads = (backend.put(rng.normal(size=job.units[0]), "float32") for _ in range(2))
    optimizer = Adam()
    trace = tracer_for(backend, shards.workers(backend.threads()), cut=False)  # as in `fit`
    update = trace(lambda *given: optimizer.update(*given[:3], learning_rate=given[3]), pure=True)
    now = flat, optimizer.init(flat, decayed=0)

    def updates(count: int) -> None:
        nonlocal now
        for _ in range(count):
            grads[...] = 0.01  # Adam squares them in place
            now = update(now[0], grads, now[1], 0.001)

    updates(100)
    time.sleep(2)  # a kernel is compiled in the background
    return Way(updates)


def predict(job: Job, data: Data, pace: Pace, backend: Backend) -> None:
    x = data.x.reshape(-1, 1, 28, 28)
    trained = fit(model(job), x[:256], data.labels[:256], epochs=1, backend=backend)

    def passes(count: int) -> None:
        for _ in range(count):
            trained.probabilities(x)

    pace.drive({"": Way(passes)})


def train(job: Job, data: Data, backend: Backend, *, epochs: int, log_every: int, callback: Callback) -> TrainedModel:
    return fit(
        model(job), data.x.reshape(-1, 1, 28, 28), data.labels,
        optimizer=(Adam if job.optimizer == "adam" else SGD)(job.rate), epochs=epochs,
        batch_size=job.batch or "full", backend=backend, log_every=log_every, callbacks=[callback],
    )  # fmt: skip


class _First(Callback):
    """The seconds of the fastest epoch but the first."""

    def __init__(self) -> None:
        self.fastest, self._last = float("inf"), 0.0

    def log(self, row: dict[str, Any]) -> None:
        now = time.perf_counter()
        if self._last:
            self.fastest = min(self.fastest, now - self._last)
        self._last = now


class _Rounds(Callback):
    """From the second logging point on, each `count` epochs are a round; what comes before is warm-up."""

    def __init__(self, pace: Pace, count: int) -> None:
        self._pace, self._count, self._logged, self._start = pace, count, 0, 0.0

    def log(self, row: dict[str, Any]) -> bool:
        seconds = time.perf_counter() - self._start
        self._logged += 1
        if self._logged == 1:
            return False
        if self._logged == 2:
            self._pace.ready()
        else:
            self._pace.done(seconds, self._count)
        stop = not self._pace.wait()
        self._start = time.perf_counter()
        return stop
