"""The training loop: runs of steps, then a row of the history and a checkpoint."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from portanet._tree import tree_map
from portanet.nn.layout import Layout
from portanet.optim.optimizer import average_buffers, learning_rate, weights
from portanet.training.batches import Batches
from portanet.training.divergence import Search
from portanet.training.examples import Examples
from portanet.training.gradient import gradient_of
from portanet.training.guard import Guard
from portanet.training.history import History
from portanet.training.model import TrainedModel, TrainedParams
from portanet.training.resume import Resume
from portanet.training.spec import TrainingSpec
from portanet.training.state import Data, Position, State
from portanet.training.step import Step
from portanet.training.watchers import Watchers
from portanet.xp import copied


@dataclass(frozen=True)
class Plan:
    """What the loop is to do, for data of this size."""

    spec: TrainingSpec
    batches: Batches
    watchers: Watchers

    @property
    def steps(self) -> int:
        """How many steps the whole run has."""
        return self.spec.epochs * self.batches.steps

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return learning_rate(self.spec.optimizer) * self.spec.schedule(step, self.steps) * self.watchers.rate_factor


def train(run: TrainedModel, examples: Examples, plan: Plan, history: History, resume: Resume) -> None:
    """Train the run's model until the epochs are over or a callback stops: its params, history, steps and seconds."""
    layout = Layout.of(run.model, run.params)
    rows = plan.batches.size or plan.batches.rows
    gradient = gradient_of(run, layout, rows, plan.spec.accumulate, history.task)
    takes_step = {measure: examples.compile(Step(gradient, plan.spec.optimizer, measure)) for measure in (True, False)}
    batches, watchers, steps = plan.batches, plan.watchers, plan.steps

    def step_inputs(number: int) -> tuple[Data, tuple[int, int], float]:
        numbers, key = batches.step(number)
        return examples.batch(numbers), key, plan.rate(number)

    def show(state: State) -> None:
        own = weights(plan.spec.optimizer, state.flat, state.optimizer)
        params = layout.unpack(own, state.averaged or state.buffers)
        run.params = TrainedParams(tree_map(params, copied), run.card)  # a step writes into the originals

    in_one = gradient.shard_rows is None
    with run.backend.library_threads() if in_one else contextlib.nullcontext(), watchers.watching(run, steps):
        at = _start(run, layout, plan)
        resume.restore(at, plan.spec.schedule, steps)
        guard = Guard(Search(gradient, plan.spec.optimizer, run.backend, step_inputs), at)
        began = time.perf_counter() - run.seconds  # or when it would have begun without an interruption

        while not at.stopped and at.step < steps:
            epoch, first = divmod(at.step, batches.steps)
            logged = epoch % plan.spec.log_every == 0
            for numbers, keys in batches.runs(epoch, examples.source.numbers, first):
                if at.step % batches.steps:
                    resume.save_if_due(at, guard, steps, time.perf_counter() - began)
                rates = [plan.rate(step) for step in range(at.step, at.step + len(keys))]
                at.state, sums = takes_step[logged](at.state, numbers, keys, rates)
                at.sums.append(sums)
                run.steps = at.step = at.step + len(keys)
                watchers.advance(at.step)
            if logged:
                guard.check(at)
                show(at.state)
                row = history.append(at, epoch + 1, plan.rate(at.step - 1), time.perf_counter() - began)
                at.stopped = watchers.log(row)
            at.sums = []
            resume.save_if_due(at, guard, steps, time.perf_counter() - began)

        run.backend.synchronize()
        guard.check(at)
        show(at.state)
        run.seconds = time.perf_counter() - began


def _start(run: TrainedModel, layout: Layout, plan: Plan) -> Position:
    """The position before the first step."""
    plan.rate(0)  # refuses a schedule that does not fit the run
    flat = layout.pack(run.params)
    optimizer, buffers = plan.spec.optimizer, tree_map(layout.buffers(run.params), copied)
    state = optimizer.init(flat, decayed=layout.decayed)
    return Position(State(flat, buffers, state, average_buffers(optimizer, buffers, buffers, state)))
