"""The training loop: runs of steps, then a row of the history and a checkpoint."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from portanet._tree import tree_map
from portanet.errors import DivergenceError
from portanet.mpi.ranks import Ranks
from portanet.nn.layout import Layout
from portanet.optim.optimizer import average_buffers, learning_rate, weights
from portanet.training.loop.batches import Batches
from portanet.training.loop.divergence import Search
from portanet.training.loop.guard import Guard
from portanet.training.loop.history import History
from portanet.training.loop.resume import Resume
from portanet.training.loop.watchers import Watchers
from portanet.training.model import TrainedModel
from portanet.training.spec import TrainingSpec
from portanet.training.steps.gradient import gradient_of
from portanet.training.steps.source import Examples
from portanet.training.steps.state import Data, Position, State, require_state
from portanet.training.steps.step import Step
from portanet.training.stopping import DIVERGED, EARLY, FINISHED, Stop
from portanet.training.trained.params import TrainedParams
from portanet.xp import copied


@dataclass(frozen=True)
class Plan:
    """The plan of a run: its spec, batches and callbacks."""

    spec: TrainingSpec
    batches: Batches
    watchers: Watchers
    ranks: Ranks | None = None

    @property
    def steps(self) -> int:
        """The number of steps of the whole run."""
        return self.spec.epochs * self.batches.steps

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        return learning_rate(self.spec.optimizer) * self.spec.schedule(step, self.steps) * self.watchers.rate_factor


def train(run: TrainedModel, examples: Examples, plan: Plan, history: History, resume: Resume, stop: Stop) -> None:
    """Train the run's model until the epochs are over or it is stopped; sets its params, history, steps and seconds."""
    layout = Layout.of(run.model, run.params)
    rows = plan.batches.size or plan.batches.rows
    gradient = gradient_of(run, layout, rows, plan.spec.accumulate, plan.ranks)
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
        began = time.perf_counter() - run.seconds  # for a resumed run, as if it had not been interrupted

        def log() -> bool:
            guard.check(at)
            show(at.state)
            row = history.append(at, batches, plan.rate(at.step - 1), time.perf_counter() - began)
            return watchers.log(row)

        def save(*, now: bool) -> None:
            resume.save_if_due(at, guard, steps, time.perf_counter() - began, now=now)

        with _last_finite_model(run, guard, show):
            reason = ""
            while not (at.stopped or reason or at.step == steps):
                epoch, first = divmod(at.step, batches.steps)
                logged = epoch % plan.spec.log_every == 0
                for numbers, keys in batches.runs(epoch, examples.source.numbers, first):
                    rates = [plan.rate(step) for step in range(at.step, at.step + len(keys))]
                    at.state, sums = takes_step[logged](at.state, numbers, keys, rates)
                    at.sums.append(sums)
                    run.steps = at.step = at.step + len(keys)
                    if watchers.wants_params(at.step):
                        show(at.state)
                    watchers.advance(at.step)
                    reason = stop.reason
                    if at.step % batches.steps:
                        save(now=bool(reason))  # before the row of a partial epoch, which a resumed run must not have
                    if reason:
                        break
                stopped = logged and log()
                if at.step % batches.steps == 0:
                    at.sums, at.stopped = [], stopped
                    save(now=bool(reason))

            run.backend.synchronize()
            guard.check(at)
        show(at.state)
        run.seconds = time.perf_counter() - began
        run.stopped = EARLY if at.stopped else FINISHED if at.step == steps else reason


@contextlib.contextmanager
def _last_finite_model(run: TrainedModel, guard: Guard, show: Callable[[State], None]) -> Iterator[None]:
    """Attach the last finite model to a DivergenceError."""
    try:
        yield
    except DivergenceError as error:
        show(tree_map(guard.state, run.backend.put))
        run.steps, run.stopped, error.model = guard.step, DIVERGED, run
        raise


def _start(run: TrainedModel, layout: Layout, plan: Plan) -> Position:
    """The position before the first step."""
    plan.rate(0)  # raises for a schedule that does not fit the run
    flat = layout.pack(run.params)
    optimizer, buffers = plan.spec.optimizer, tree_map(layout.buffers(run.params), copied)
    state = optimizer.init(flat, decayed=layout.decayed)
    require_state(optimizer, state, flat)
    return Position(State(flat, buffers, state, average_buffers(optimizer, buffers, buffers, state)))
