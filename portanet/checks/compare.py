"""The same training steps on several backends, side by side with NumPy in float64.

Every step starts again from the reference's state: runs left to themselves drift apart by rounding alone, and
how far says nothing about who is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet._tree import tree_map
from portanet._typing import Array
from portanet.backends import Backend
from portanet.backends.base import Keys, Metrics, Steps
from portanet.backends.numpy import NumPy
from portanet.data import Dataset
from portanet.nn import Layer, cross_entropy
from portanet.nn.layout import Layout
from portanet.nn.noise import Key
from portanet.optim import Optimizer, Schedule
from portanet.rng import WEIGHTS, generator
from portanet.training import inputs, shards
from portanet.training.batches import Batches
from portanet.training.gradient import Gradient
from portanet.training.state import Data, State
from portanet.xp import namespace

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True)
class Difference:
    """The largest differences of one backend from the reference over all steps, absolute and relative.

    Relative ones are divided by the largest absolute value of the reference's array in that step.
    """

    backend: str
    device: str
    dtype: str
    loss: tuple[float, float]
    gradient: tuple[float, float]
    parameters: tuple[float, float]
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether every relative difference is within the tolerance, that of the parameters within ten of it.

        Adam divides each gradient by its usual size, so the rounding of tiny ones is seen there. NaN never passes.
        """
        small = self.loss[1] <= self.tolerance and self.gradient[1] <= self.tolerance
        return small and self.parameters[1] <= 10.0 * self.tolerance


def compare(
    backends: Sequence[Backend], model: Layer, data: Dataset, *, optimizer: Optimizer, schedule: Schedule,
    batch_size: int, steps: int = 10, seed: int = 0, dtype: str = "float32", tolerance: float | None = None,
) -> list[Difference]:  # fmt: skip
    """The differences of each backend, in `dtype`, over the first `steps` steps of a training."""
    x: Any = inputs.widened(data.x, model, "float64")
    host = model.fit(model.init(generator(seed, WEIGHTS), x.shape[1:]), x)
    layout = Layout.of(model, host)
    gradient = Gradient(model, cross_entropy, layout, None, shards.workers(1))
    reference, *sides = (
        _Side.of(backend, kind, data, gradient, optimizer)
        for backend, kind in [(NumPy(), "float64"), *((backend, dtype) for backend in backends)]
    )
    flat = layout.pack(host)
    state = State(flat, layout.buffers(host), optimizer.init(flat, decayed=layout.decayed))
    batches = Batches(len(data), batch_size, seed)
    largest = np.zeros((len(sides), 3, 2))
    for step in range(steps):
        epoch, number = divmod(step, batches.steps)
        rows = batches.order(epoch)[None, number * batch_size : (number + 1) * batch_size]
        keys, rates = batches.keys(epoch, number, 1), [schedule(step)]
        after, expected = reference.step(state, rows, keys, rates)
        for side, worst in zip(sides, largest, strict=True):
            found = side.step(state, rows, keys, rates)[1]
            for i, (one, other) in enumerate(zip(found, expected, strict=True)):
                gap = float(np.max(np.abs(one - other)))
                worst[i] = np.maximum(worst[i], (gap, gap / max(float(np.max(np.abs(other))), 1e-30)))  # keeps NaN
        state = after
    limit = TOLERANCE[dtype] if tolerance is None else tolerance
    found = []
    for side, pairs in zip(sides, largest.tolist(), strict=True):
        loss, grads, parameters = ((absolute, relative) for absolute, relative in pairs)
        name, device = side.backend.name, side.backend.device
        found.append(Difference(name, device, dtype, loss, grads, parameters, limit))
    return found


@dataclass(frozen=True)
class _Side:
    """One backend with its data and its compiled step."""

    backend: Backend
    dtype: str
    data: Data
    steps: Steps

    @classmethod
    def of(cls, backend: Backend, dtype: str, data: Dataset, gradient: Gradient, optimizer: Optimizer) -> _Side:
        def step(state: State, data: Data, rows: Array, key: Any, rate: float) -> tuple[State, Metrics]:
            batch = gradient(state.flat, state.buffers, data, rows, Key(key[0], key[1]), measure=True)
            found = {"loss": batch.sums["loss"], "gradient": namespace(batch.grads).asarray(batch.grads, copy=True)}
            flat, after = optimizer.update(state.flat, batch.grads, state.optimizer, learning_rate=rate)
            return State(flat, batch.buffers, after), found

        with backend.session(dtype):
            x = inputs.rows(inputs.widened(data.x, gradient.model, dtype), backend, dtype)
            rows = Data(x, backend.put(data.require_labels(), "int32"))
            return cls(backend, dtype, rows, backend.compile(step))

    def step(self, state: State, rows: Any, keys: Keys, rates: list[float]) -> tuple[State, list[Any]]:
        """The state after one step from the host's `state`; and loss, gradient and parameters on the host."""
        backend = self.backend
        with backend.session(self.dtype):
            own = State(*(tree_map(part, lambda array: backend.put(array, self.dtype)) for part in state))
            after, metrics = self.steps(own, self.data, backend.put(rows, "int32"), keys, rates)
            found = [metrics["loss"], metrics["gradient"], after.flat]
            return after, [np.array(backend.to_numpy(array), np.float64) for array in found]
