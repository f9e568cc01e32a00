"""The training loop: gradient, update, gradient, update, and now and then a line of history."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet import parallel
from portanet._typing import Array
from portanet.backend import Metrics, Steps
from portanet.nn.layout import Layout
from portanet.nn.noise import Key
from portanet.optim import Optimizer, Schedule
from portanet.training.batches import Batches
from portanet.training.callbacks import Callback, Row
from portanet.training.gradient import Gradient, shard_rows
from portanet.training.run import Run
from portanet.training.state import Data, State


@dataclass(frozen=True)
class Trainer:
    """Trains a run's model on data that is on the run's backend."""

    optimizer: Optimizer
    schedule: Schedule
    batches: Batches
    epochs: int
    log_every: int
    callbacks: Sequence[Callback]

    def train(self, run: Run, data: Data, valid: tuple[Any, Any] | None) -> None:
        """Changes `run.params` and `run.history`, step by step, until the epochs are over or a callback stops."""
        layout = Layout.of(run.model, run.params)
        flat = layout.pack(run.params)
        state = State(flat, layout.buffers(run.params), self.optimizer.init(flat, decayed=layout.decayed))
        measured, quiet = (self._steps(run, layout, measure) for measure in (True, False))
        done, start = 0, time.perf_counter()
        for callback in self.callbacks:
            callback.begin(self.epochs * self.batches.steps)
        try:
            for epoch in range(self.epochs):
                logged = epoch % self.log_every == 0
                totals: list[Metrics] = []
                for rows in self.batches.epoch(epoch, run.backend):
                    count = 1 if rows is None else rows.shape[0]
                    rates = [self.schedule(step) for step in range(done, done + count)]
                    keys = self.batches.keys(epoch, done - epoch * self.batches.steps, count)
                    state, metrics = (measured if logged else quiet)(state, data, rows, keys, rates)
                    totals.append(metrics)
                    done += count
                    for callback in self.callbacks:
                        callback.advance(done)
                if logged:
                    run.params = layout.unpack(state.flat, state.buffers)
                    step = done if self.batches.size else epoch
                    row: Row = {"step": step, "epoch": epoch + 1, "learning_rate": rates[-1]}
                    row |= _read(run, totals, self.batches.rows)
                    row |= {f"valid_{name}": value for name, value in _measure(run, valid).items()}
                    row["seconds"] = time.perf_counter() - start
                    run.history.append(row)
                    if [callback for callback in self.callbacks if callback.log(row)]:
                        break
            run.backend.synchronize()
        finally:
            run.params = layout.unpack(state.flat, state.buffers)
            run.steps, run.seconds = done, time.perf_counter() - start
            for callback in self.callbacks:
                callback.end()

    def _steps(self, run: Run, layout: Layout, measure: bool) -> Steps:
        """The training step, made into runs of steps by the backend; `measure` also counts the right answers."""
        rows = self.batches.size or self.batches.rows
        cut = shard_rows(run.model, run.input_shape, rows) if run.backend.shards else rows
        gradient = Gradient(run.model, run.loss, layout, cut, parallel.workers(run.workers))

        def step(state: State, data: Data, rows: Array | None, key: Any, rate: float) -> tuple[State, Metrics]:
            batch = gradient(state.flat, state.buffers, data, rows, Key(key[0], key[1]), measure=measure)
            flat, optimizer = self.optimizer.update(state.flat, batch.grads, state.optimizer, learning_rate=rate)
            count = (data.x if rows is None else rows).shape[0]
            metrics = {"loss": batch.loss * count, "correct": batch.correct[0]} if measure else {}
            return State(flat, batch.buffers, optimizer), metrics

        return run.backend.compile(step)


def _read(run: Run, totals: list[Metrics], rows: int) -> dict[str, float]:
    """The mean loss and the accuracy over an epoch's steps; here the host waits for the device."""
    sums = {name: sum(float(run.backend.to_numpy(metrics[name])) for metrics in totals) for name in totals[0]}
    return {"loss": sums["loss"] / rows, "accuracy": sums["correct"] / rows}


def _measure(run: Run, valid: tuple[Any, Any] | None) -> dict[str, float]:
    if valid is None:
        return {}
    result = run.evaluate(*valid)
    return {"loss": result["loss"], "accuracy": result["accuracy"]}
