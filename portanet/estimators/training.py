"""Training by epochs, and the arrays that it changes."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from portanet._tree import tree_map
from portanet._typing import Array, HostArray, Params, Shape
from portanet.backends import Backend
from portanet.estimators.step import PenalizedStep, Solved
from portanet.nn import Layer
from portanet.nn.layout import Layout
from portanet.nn.losses.loss import LossFunction
from portanet.rng import NOISE, generator
from portanet.training.steps import shards
from portanet.training.steps.gradient import Gradient, shard_rows, tracer_for
from portanet.training.steps.state import Data, State
from portanet.training.trained.params import on_backend
from portanet.xp import copied, namespace

_WARMUP = 5  # plain calls before a step is traced; a fit has a few hundred steps, and later fits reuse its programs


@dataclass(frozen=True)
class Rows:
    """Rows to train on, with their targets and weights.

    x        an array on the backend, or a sparse matrix on the host
    targets  on the backend
    weights  (N,) on the backend; None if all are equal
    """

    x: Any
    targets: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return int(self.x.shape[0])

    @property
    def is_sparse(self) -> bool:
        """Whether the rows are a sparse matrix, made dense batch by batch."""
        return hasattr(self.x, "tocsr")

    def data(self) -> Data:
        """Return the rows as steps take them."""
        return Data(self.x, self.targets, self.weights)


@dataclass(frozen=True)
class Problem:
    """The model, loss, solver and backend of a fit.

    alpha       the strength of the L2 penalty
    loss_scale  see `PenalizedStep`
    seed        of the noise of layers such as Dropout
    """

    model: Layer
    loss: LossFunction
    solver: Any
    alpha: float
    backend: Backend
    dtype: str
    input_shape: Shape
    loss_scale: float = 1.0
    seed: int = 0

    def gradient(self, layout: Layout, batch: int) -> Gradient:
        """Return the gradient for batches of this many rows."""
        size = self.backend.shard_rows(batch, shard_rows(self.model, self.input_shape, batch))
        workers = shards.workers(self.backend.threads())
        trace = functools.partial(tracer_for(self.backend, workers, cut=size < batch), warmup=_WARMUP)
        return Gradient(
            self.model, self.loss, layout, size if size < batch else None, workers, trace=trace, counts=False
        )


@dataclass
class Training:
    """A network in training, within a session of the backend.

    state   the arrays that change at each step
    epochs  the number of epochs so far, for the noise of layers
    """

    problem: Problem
    layout: Layout
    state: State
    epochs: int = 0
    _compiled: dict[int, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def begin(cls, problem: Problem, params: Params, solver_state: Any = None, epochs: int = 0) -> Training:
        """Return the training before its first step; with `solver_state` the solver continues from it."""
        layout = Layout.of(problem.model, params)
        flat = layout.pack(params)
        flat = copied(flat)
        xp = namespace(flat)
        is_weight = np.arange(layout.size) < layout.decayed
        decay = problem.backend.put(is_weight * problem.alpha, problem.dtype)
        solver = problem.solver.init(xp.asarray(flat), decayed=layout.decayed)
        if solver_state is not None:
            solver = tree_map(solver_state, copied)
        buffers = tree_map(layout.buffers(params), copied)
        return cls(problem, layout, State(flat, buffers, Solved(solver, decay)), epochs)

    def params(self) -> Params:
        """Return copies of the network's arrays."""
        return tree_map(self.layout.unpack(self.state.flat, self.state.buffers), copied)

    def solver_state(self) -> Any:
        """Return a copy of the solver's state."""
        return tree_map(self.state.optimizer.solver, copied)

    def epoch(self, rows: Rows, order: HostArray, batch_size: int, rate: float) -> float:
        """Take a step for each batch of rows in this order, a last short one included; return the mean loss."""
        self.epochs += 1
        noise = 0
        if self._is_random:
            noise = int(generator(self.problem.seed, NOISE, self.epochs).integers(-(2**31), 2**31))
        total, full = 0.0, len(order) // batch_size * batch_size
        parts = [order[:full].reshape(-1, batch_size), order[full:][None]]
        for first, part in zip((0, full), parts, strict=True):
            if part.size:
                keys = [(noise, first + i * batch_size) for i in range(len(part))]
                total += self._run(rows, part, keys, [rate] * len(part))
        return total / len(order)

    @functools.cached_property
    def _is_random(self) -> bool:
        return self.problem.model.is_random

    def _run(self, rows: Rows, batches: HostArray, keys: list[tuple[int, int]], rates: list[float]) -> float:
        backend, dtype = self.problem.backend, self.problem.dtype
        steps = self._steps(batches.shape[1])
        if not rows.is_sparse:
            self.state, sums = steps(self.state, rows.data(), backend.put(batches, "int32"), keys, rates)
            return float(sums["loss"])
        total = 0.0
        for batch, key, rate in zip(batches, keys, rates, strict=True):
            index = backend.put(batch, "int32")
            data = Data(backend.put(rows.x[batch].toarray(), dtype), *rows.data().with_labels(index)[1:])
            self.state, sums = steps(self.state, data, None, [key], [rate])
            total += float(sums["loss"])
        return total

    def _steps(self, batch: int) -> Any:
        if batch not in self._compiled:
            problem = self.problem
            step = PenalizedStep(problem.gradient(self.layout, batch), problem.solver, problem.loss_scale)
            self._compiled[batch] = problem.backend.compile(step)
        return self._compiled[batch]


def put_params(params: Params, backend: Backend, dtype: str) -> Params:
    """Return host arrays on the backend."""
    return on_backend(params, backend, dtype)
