"""Where numbers stop being finite: the step and the layer, found by taking the steps since the last good one again."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet._typing import Array, Cache, Params
from portanet.backends import Backend
from portanet.errors import DivergenceError
from portanet.nn.layer import Layer
from portanet.nn.noise import Key
from portanet.nn.residual import Residual
from portanet.nn.sequential import Sequential
from portanet.rows import gather
from portanet.training.gradient import Gradient
from portanet.training.state import Data, State
from portanet.training.step import Step
from portanet.xp import namespace

Steps = Callable[[int], tuple[Data, Any, tuple[int, int], float]]
"""The data, their rows, the key and the learning rate of the step with this number."""


def is_finite(value: Any, backend: Backend | None = None) -> bool:
    """Whether all numbers are finite, in an array or in nested dicts and tuples; without a backend, on the host."""
    if isinstance(value, (dict, tuple, list)):
        entries = value.values() if isinstance(value, dict) else value
        return all(is_finite(entry, backend) for entry in entries)
    host = value if backend is None or isinstance(value, (int, float)) else backend.to_numpy(value)
    return bool(np.isfinite(host).all())


@dataclass(frozen=True)
class Search:
    """Takes steps again, one at a time, from a state in which all was well."""

    gradient: Gradient
    optimizer: Any
    backend: Backend
    steps: Steps

    def explain(self, state: State, first: int, end: int) -> DivergenceError:
        """The error that says what happened from step `first`, before which all was well in `state`, to `end`."""
        step, loss = Step(self.gradient, self.optimizer, measure=False), math.nan
        for number in range(first, end):
            data, rows, key, rate = self.steps(number)
            batch = self.gradient(state.flat, state.buffers, data, rows, Key(*key), measure=True)
            before, loss = loss, float(self.backend.to_numpy(batch.sums["loss"]))
            if not (math.isfinite(loss) and is_finite(batch.grads, self.backend)):
                return _error(number, *self._origin(state, _batch(data, rows), Key(*key)), before, rate)
            state, _ = step(state, data, rows, key, rate)
            if not is_finite(state, self.backend):
                return _error(
                    number, "", "the update made the weights, or what the optimizer keeps, infinite or NaN", loss, rate
                )
        return DivergenceError(f"the weights became infinite or NaN between steps {first} and {end}; {_ADVICE}.", first)

    def _origin(self, state: State, data: Data, key: Key) -> tuple[str, str]:
        """The layer where numbers stop being finite, forward or backward, and what is wrong there."""
        params = self.gradient.layout.unpack(state.flat, state.buffers)
        model = self.gradient.model
        for name, layer, y in _outputs("", model, params, data.x, key):
            if not is_finite(y, self.backend):
                return name, f"the output of layer {name}, {layer!r}, is infinite or NaN"
        logits, cache = model.forward(params, data.x, train=True, key=key)
        xp = namespace(logits)
        loss, dlogits = self.gradient.loss(logits, data.labels, xp.full_like(logits[:, 0], 1.0 / logits.shape[0]))
        if not is_finite((loss, dlogits), self.backend):
            return "", "the loss, or its gradient, is infinite or NaN"
        for name, layer, found in _gradients("", model, params, cache, dlogits):
            if not is_finite(found, self.backend):
                return name, f"the gradient from layer {name}, {layer!r}, is infinite or NaN"
        return "", "the gradient is infinite or NaN"


_ADVICE = "try a smaller learning rate, or scale the inputs"


def _error(step: int, layer: str, what: str, loss: float, rate: float) -> DivergenceError:
    before = f", loss {loss:.4g} before it" if math.isfinite(loss) else ""
    return DivergenceError(
        f"training diverged at step {step} (learning rate {rate:.4g}{before}): {what}; {_ADVICE}.", step, layer
    )


def _batch(data: Data, rows: Any) -> Data:
    """These rows, or all of them; their weights do not make numbers infinite."""
    if rows is None:
        return Data(data.x[:, ...], data.labels)
    return Data(gather(data.x, rows), gather(data.labels, rows))


def _outputs(
    above: str, layer: Layer, params: Params, x: Array, key: Key
) -> Generator[tuple[str, Layer, Array], None, Array]:
    """Each layer's name, the layer, and its output in training, in the order they are computed."""
    if _is_row(layer):
        y = x
        for index, (name, child) in enumerate(layer.children.items()):
            y = yield from _outputs(f"{above}{name}.", child, params.get(name, {}), y, key.child(index))
    y, _ = layer.forward(params, x, train=True, key=key)
    yield above[:-1] or "0", layer, y
    return y


def _gradients(
    above: str, layer: Layer, params: Params, cache: Cache, dy: Array
) -> Generator[tuple[str, Layer, Params], None, Array | None]:
    """Each layer's name, the layer, and what its backward pass gives, from the last layer down."""
    if _is_row(layer):
        below: Any = dy
        for (name, child), own in reversed(list(zip(layer.children.items(), cache, strict=True))):
            below = yield from _gradients(f"{above}{name}.", child, params.get(name, {}), own, below)
            if below is None:
                return None
    dx, grads = layer.backward(params, cache, dy)
    yield above[:-1] or "0", layer, grads if dx is None else {"": dx, **grads}
    return dx


def _is_row(layer: Layer) -> bool:
    """Whether the layer is children in a row, and perhaps its input added to what they give."""
    return type(layer) in (Sequential, Residual)
