"""The same training steps on several backends, compared with NumPy in float64.

Every step starts from the reference's state: separate runs drift apart by rounding alone, which says nothing about
correctness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from portanet._tree import tree_map
from portanet._typing import Array, HostArray
from portanet.backends import Backend
from portanet.backends.numpy import NumPy
from portanet.data import Dataset
from portanet.nn import Layer, cross_entropy
from portanet.nn.layout import Layout
from portanet.optim import Optimizer, Schedule
from portanet.optim.optimizer import learning_rate
from portanet.rng import WEIGHTS, generator
from portanet.training.inputs.labels import put_labels
from portanet.training.loop.batches import Batches
from portanet.training.steps import shards
from portanet.training.steps.gradient import Gradient
from portanet.training.steps.source import Examples, Source, TakeSteps, as_source
from portanet.training.steps.state import State
from portanet.training.steps.step import Step
from portanet.xp import namespace

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True)
class Difference:
    """The largest differences of one backend from the reference over all steps, each (absolute, relative).

    Relative differences are divided by the largest absolute value of the reference's array in that step.
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
        """Whether every relative difference is within the tolerance; the parameters may differ ten times as much.

        Adam divides each gradient by its usual size, which amplifies the rounding of tiny gradients. NaN never passes.
        """
        small = self.loss[1] <= self.tolerance and self.gradient[1] <= self.tolerance
        return small and self.parameters[1] <= 10.0 * self.tolerance


def compare(
    backends: Sequence[Backend], model: Layer, data: Dataset, *, optimizer: Optimizer, schedule: Schedule,
    batch_size: int, steps: int = 10, seed: int = 0, dtype: str = "float32", tolerance: float | None = None,
) -> list[Difference]:  # fmt: skip
    """Return the differences of each backend, in `dtype`, over the first `steps` steps of a run."""
    source = as_source(data.x, model, NumPy(), dtype)
    host = model.fit(model.init(generator(seed, WEIGHTS), source.shape[1:]), source.host_blocks())
    layout = Layout.of(model, host)
    recorder = _GradientRecorder(optimizer)
    step = Step(Gradient(model, cross_entropy, layout, None, shards.workers(1)), recorder, measure=True)
    reference, *peers = (
        _Peer.of(backend, kind, data, step, source.card_offsets)
        for backend, kind in [(NumPy(), "float64"), *((backend, dtype) for backend in backends)]
    )
    flat = layout.pack(host)
    state = State(flat, layout.buffers(host), recorder.init(flat, decayed=layout.decayed))
    batches = Batches(len(data), batch_size, seed)
    largest = np.zeros((len(peers), 3, 2))
    for count in range(steps):
        rows, key = batches.step(count)
        rate = learning_rate(optimizer) * schedule(count, steps)
        after, expected = reference.step(state, rows, key, rate)
        for peer, worst in zip(peers, largest, strict=True):
            values = peer.step(state, rows, key, rate)[1]
            for i, (value, target) in enumerate(zip(values, expected, strict=True)):
                gap = float(np.max(np.abs(value - target)))
                worst[i] = np.maximum(worst[i], (gap, gap / max(float(np.max(np.abs(target))), 1e-30)))  # keeps NaN
        state = after
    limit = TOLERANCE[dtype] if tolerance is None else tolerance
    differences = []
    for peer, pairs in zip(peers, largest.tolist(), strict=True):
        loss, grads, parameters = ((absolute, relative) for absolute, relative in pairs)
        name, device = peer.backend.name, peer.backend.device
        differences.append(Difference(name, device, dtype, loss, grads, parameters, limit))
    return differences


class _RecordedState(NamedTuple):
    """An optimizer's state and its latest gradient."""

    optimizer: Any
    gradient: Array


@dataclass(frozen=True, eq=False)  # never equal, so that the compiled step of an earlier call is not reused
class _GradientRecorder:
    """An optimizer that keeps the gradient in its state, so that it can be read after an ordinary training step."""

    optimizer: Optimizer

    def init(self, flat: Array, *, decayed: int) -> Any:
        return _RecordedState(self.optimizer.init(flat, decayed=decayed), namespace(flat).zeros_like(flat))

    def update(self, flat: Array, grads: Array, state: Any, *, learning_rate: float) -> tuple[Array, Any]:
        gradient = namespace(grads).asarray(grads, copy=True)
        flat, inner = self.optimizer.update(flat, grads, state.optimizer, learning_rate=learning_rate)
        return flat, _RecordedState(inner, gradient)


@dataclass(frozen=True)
class _Peer:
    """A backend with its rows and its compiled step."""

    backend: Backend
    dtype: str
    source: Source
    take_steps: TakeSteps

    @classmethod
    def of(
        cls, backend: Backend, dtype: str, data: Dataset, step: Step, offsets: Sequence[float]
    ) -> _Peer:  # fmt: skip
        with backend.session(dtype):
            source = as_source(data.x, step.gradient.model, backend, dtype, offsets=offsets)
            labels = data.require_targets()
            examples = Examples(source, labels, put_labels(labels, backend, dtype), None)
            return cls(backend, dtype, source, examples.compile(step))

    def step(self, state: State, rows: HostArray | None, key: tuple[int, int], rate: float) -> tuple[State, list[Any]]:
        """The state after one step from `state`, and the loss, gradient and parameters in float64 on the host."""
        backend = self.backend
        with backend.session(self.dtype):
            start = State(*(tree_map(part, lambda array: backend.put(array, self.dtype)) for part in state))
            indices = None if rows is None else self.source.numbers(rows[None, :])
            after, metrics = self.take_steps(start, indices, [key], [rate])
            loss, gradient, flat = (
                np.array(backend.to_numpy(array), np.float64)
                for array in (metrics["loss"], after.optimizer.gradient, after.flat)
            )
            return after, [loss / len(self.source if rows is None else rows), gradient, flat]
