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
        start = time.perf_counter()
        for callback in self.callbacks:
            callback.begin(self.epochs * self.batches.steps)
        try:
            for epoch in range(self.epochs):
                logged = epoch % self.log_every == 0
                state, totals = self._epoch(epoch, state, data, measured if logged else quiet, run)
                if logged:
                    run.params = layout.unpack(state.flat, state.buffers)
                    run.history.append(self._row(epoch, totals, run, valid, time.perf_counter() - start))
                    if [callback for callback in self.callbacks if callback.log(run.history[-1])]:
                        break
            run.backend.synchronize()
            run.params, run.seconds = layout.unpack(state.flat, state.buffers), time.perf_counter() - start
        finally:
            for callback in self.callbacks:
                callback.end()

    def _epoch(self, epoch: int, state: State, data: Data, steps: Steps, run: Run) -> tuple[State, list[Metrics]]:
        """The state after all of an epoch's steps, and the sums of their metrics, still on the device."""
        totals = []
        for rows in self.batches.epoch(epoch, run.backend):
            count = 1 if rows is None else rows.shape[0]
            rates = [self.schedule(step) for step in range(run.steps, run.steps + count)]
            keys = self.batches.keys(epoch, run.steps - epoch * self.batches.steps, count)
            state, metrics = steps(state, data, rows, keys, rates)
            totals.append(metrics)
            run.steps += count
            for callback in self.callbacks:
                callback.advance(run.steps)
        return state, totals

    def _row(self, epoch: int, totals: list[Metrics], run: Run, valid: tuple[Any, Any] | None, seconds: float) -> Row:
        """One line of the history; here the host waits for the device."""
        sums = {name: sum(float(run.backend.to_numpy(each[name])) for each in totals) for name in totals[0]}
        row = {
            "step": run.steps if self.batches.size else epoch,
            "epoch": epoch + 1,
            "learning_rate": self.schedule(run.steps - 1),
            "loss": sums["loss"] / self.batches.rows,
            "accuracy": sums["correct"] / self.batches.rows,
        }
        if valid is not None:
            result = run.evaluate(*valid)
            row |= {"valid_loss": result["loss"], "valid_accuracy": result["accuracy"]}
        return row | {"seconds": seconds}

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
