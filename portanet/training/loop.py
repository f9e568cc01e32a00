"""The training loop: gradient, update, gradient, update, and now and then a line of history and a checkpoint."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portanet._tree import from_plain, to_plain, tree_map
from portanet.errors import ConfigError
from portanet.nn.layout import Layout
from portanet.optim import Optimizer, Schedule
from portanet.optim.optimizer import learning_rate, weights
from portanet.training import shards
from portanet.training.batches import Batches
from portanet.training.callbacks import Callback
from portanet.training.divergence import Search, is_finite
from portanet.training.gradient import Gradient, shard_rows
from portanet.training.model import TrainedModel
from portanet.training.resume import Checkpoints
from portanet.training.source import Run, Source
from portanet.training.state import Data, State
from portanet.training.step import Step

Sums = dict[str, Any]


@dataclass
class Trainer:
    """Trains a run's model.

    source    the rows to learn from
    targets   their labels and weights on the device
    labels    the labels on the host, for the score
    valid     rows and labels to measure on at every logging point
    identity  what tells this training from another, for its checkpoints
    """

    run: TrainedModel
    source: Source
    targets: tuple[Any, Any]
    labels: Any
    valid: tuple[Source, Any] | None
    optimizer: Optimizer
    schedule: Schedule
    batches: Batches
    epochs: int
    log_every: int
    accumulate: int
    callbacks: Sequence[Callback]
    checkpoints: Checkpoints | None
    identity: dict[str, Any]
    _state: State = field(init=False)
    _sums: list[Sums] = field(init=False)  # of the metrics, over each run of steps of this epoch so far
    _good: tuple[int, State] = field(init=False)  # the last step before which all was finite, and that state
    _gradient: Gradient = field(init=False)
    _began: float = field(init=False)  # when the first step would have begun, without an interruption

    def train(self) -> None:
        """Changes the run's params and history, step by step, until the epochs are over or a callback stops."""
        layout = Layout.of(self.run.model, self.run.params)
        self._gradient = self._gradient_of(layout)
        in_one = self._gradient.shard_rows is None
        with self.run.backend.library_threads() if in_one else contextlib.nullcontext():
            self._train(layout)

    def _train(self, layout: Layout) -> None:
        run = self.run
        steps = [Step(self._gradient, self.optimizer, measure) for measure in (True, False)]
        measured, quiet = (self.source.compile(step, *self.targets) for step in steps)
        for callback in self.callbacks:
            callback.begin(run, self.epochs * self.batches.steps)
        try:
            stopped = self._begin(layout)
            self._began = time.perf_counter() - run.seconds
            while not stopped and run.steps < self.epochs * self.batches.steps:
                epoch = run.steps // self.batches.steps
                logged = epoch % self.log_every == 0
                self._epoch(epoch, measured if logged else quiet)
                if logged:
                    self._require_finite()
                    self._show(layout)
                    run.history.append(self._row(epoch))
                    stopped = bool([callback for callback in self.callbacks if callback.log(run.history[-1])])
                self._sums = []
                over = stopped or run.steps == self.epochs * self.batches.steps
                self._keep(stopped=stopped, now=over)
            run.backend.synchronize()
            self._require_finite()
            self._show(layout)
            run.seconds = self._seconds()
        finally:
            for callback in self.callbacks:
                callback.end()

    def _show(self, layout: Layout) -> None:
        """Makes the state the run's params: averaged weights in place of the weights where there are any."""
        flat, buffers, optimizer = self._state
        self.run.params = layout.unpack(weights(self.optimizer, flat, optimizer), buffers)

    def _seconds(self) -> float:
        return time.perf_counter() - self._began

    def _gradient_of(self, layout: Layout) -> Gradient:
        run, rows = self.run, self.batches.size or self.batches.rows
        cut = run.backend.shard_rows(rows, shard_rows(run.model, run.input_shape, rows))
        if self.accumulate > 1 and not run.model.rowwise:
            raise ConfigError(
                "a batch for BatchNorm cannot be computed in parts.", remedy="use accumulate=1, or LayerNorm"
            )
        cut = min(cut, -(-rows // self.accumulate))
        workers = shards.workers(run.workers)
        trace = run.backend.tracer(workers.run_pair if cut >= rows else None)  # shards keep the workers busy
        return Gradient(run.model, run.loss, layout, cut if cut < rows else None, workers, trace=trace)

    def _epoch(self, epoch: int, steps: Run) -> None:
        """Takes the rest of an epoch's steps, run by run; between the runs a checkpoint may be due."""
        run, first = self.run, epoch * self.batches.steps
        for rows in self.batches.epoch(epoch, self.source.numbers, run.steps - first):
            if run.steps > first:
                self._keep()
            count = 1 if rows is None else rows.shape[0]
            rates = [self._rate(step) for step in range(run.steps, run.steps + count)]
            keys = self.batches.keys(epoch, run.steps - first, count)
            self._state, metrics = steps(self._state, rows, keys, rates)
            self._sums.append(metrics)
            run.steps += count
            for callback in self.callbacks:
                callback.advance(run.steps)

    def _rate(self, step: int) -> float:
        factor = self.schedule(step, self.epochs * self.batches.steps)
        return learning_rate(self.optimizer) * factor * math.prod(each.rate_factor for each in self.callbacks)

    def _row(self, epoch: int) -> dict[str, Any]:
        """One line of the history, from sums that have been read."""
        run, rows, sums, seconds = self.run, self.batches.rows, self._sums, self._seconds()
        row = {
            "step": run.steps,
            "epoch": epoch + 1,
            "learning_rate": self._rate(run.steps - 1),
            "loss": sum(each["loss"] for each in sums) / rows,
            run.task.score: run.task.scored(sum(np.asarray(each["counted"]) for each in sums), self.labels),
        }
        if self.valid is not None:
            result = run.measure(*self.valid)
            row |= {f"valid_{name}": result[name] for name in ("loss", run.task.score)}
        return row | {"seconds": seconds}

    def _read(self) -> list[Sums]:
        """The sums as numbers and lists; those that are numbers already stay."""
        read = self.run.backend.to_numpy

        def plain(value: Any) -> Any:
            return value if isinstance(value, (float, list)) else read(value).astype(float).tolist()

        return [{name: plain(value) for name, value in each.items()} for each in self._sums]

    def _begin(self, layout: Layout) -> bool:
        """Puts the state before the first step, or where an interrupted training stood; whether that was over."""
        run, steps = self.run, self.epochs * self.batches.steps
        tree = self.checkpoints.restore(self.identity, self.schedule, steps) if self.checkpoints else None
        flat = layout.pack(run.params)
        self._state = State(flat, layout.buffers(run.params), self.optimizer.init(flat, decayed=layout.decayed))
        self._sums = []
        self._rate(0)  # refuses a schedule that does not fit the run
        if tree is not None:
            run.steps, run.seconds, run.history[:] = tree["steps"], tree["seconds"], tree["history"]
            self._state = tree_map(from_plain(self._state, tree), run.backend.put)
            self._sums = tree["sums"]
            for name, callback in self._named_callbacks().items():
                if name in tree["callbacks"]:
                    callback.restore(tree["callbacks"][name])
        self._good = run.steps, self._on_host()
        return tree is not None and tree["stopped"]

    def _keep(self, *, stopped: bool = False, now: bool = False) -> None:
        """Saves what `_begin` needs, if it is time to."""
        if self.checkpoints is None or not (now or self.checkpoints.due()):
            return
        self._require_finite()
        callbacks = {
            name: tree_map(own, self.run.backend.to_numpy)
            for name, callback in self._named_callbacks().items()
            if (own := callback.state())
        }
        self.checkpoints.save(
            to_plain(self._good[1])
            | {"steps": self.run.steps, "planned_steps": self.epochs * self.batches.steps}
            | {"seconds": self._seconds(), "history": self.run.history}
            | {"sums": self._sums, "stopped": stopped, "callbacks": callbacks}
        )

    def _named_callbacks(self) -> dict[str, Callback]:
        """The callbacks by names that hold when one without a state comes or goes."""
        names = [type(callback).__name__ for callback in self.callbacks]
        return {f"{name}-{names[:i].count(name)}": self.callbacks[i] for i, name in enumerate(names)}

    def _on_host(self) -> State:
        """A copy of the state; a number that a library made an array of is a number again."""

        def copied(array: Any) -> Any:
            return np.array(self.run.backend.to_numpy(array))

        def plain(array: Any) -> Any:
            return copied(array) if array.ndim else float(self.run.backend.to_numpy(array))

        flat, buffers, optimizer = self._state
        return State(copied(flat), tree_map(buffers, copied), tree_map(optimizer, plain))

    def _require_finite(self) -> None:
        """Remembers the state as good; DivergenceError names step and layer where it or the loss is not finite."""
        run, (first, good) = self.run, self._good
        if first == run.steps:  # no step since the last look
            return
        state = self._on_host()
        self._sums = self._read()
        if is_finite((state, self._sums)):
            self._good = run.steps, state
            return
        search = Search(self._gradient, self.optimizer, run.backend, self._step)
        raise search.explain(State(*(tree_map(part, run.backend.put) for part in good)), first, run.steps)

    def _step(self, number: int) -> tuple[Data, tuple[int, int], float]:
        """The data, the key and the learning rate of one step since the last good state."""
        epoch, place = divmod(number, self.batches.steps)
        [key], size = self.batches.keys(epoch, place, 1), self.batches.size
        rows = None if size is None else self.batches.order(epoch)[place * size : (place + 1) * size]
        return self.source.data(rows, *self.targets), key, self._rate(number)
