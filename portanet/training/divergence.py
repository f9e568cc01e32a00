"""Where numbers stop being finite: the step and the layer, found by taking the steps since the last good one again."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Params
from portanet.backend import Backend
from portanet.errors import DivergenceError
from portanet.namespace import namespace
from portanet.nn.layer import Layer
from portanet.nn.layout import walk
from portanet.nn.noise import Key
from portanet.nn.sequential import Sequential
from portanet.training.gradient import Gradient
from portanet.training.state import Data, State
from portanet.training.step import Step

Steps = Callable[[int], tuple[Any, tuple[int, int], float]]
"""The rows, the key and the learning rate of the step with this number."""


def is_finite(flat: Array, backend: Backend) -> bool:
    """Whether all parameters are finite; waits for the device. What is not never becomes so again."""
    xp = namespace(flat)
    return bool(backend.to_numpy(xp.all(xp.isfinite(flat))))


@dataclass(frozen=True)
class Search:
    """Takes steps again, one at a time, from a state in which all was well."""

    gradient: Gradient
    optimizer: Any
    data: Data
    backend: Backend
    steps: Steps

    def explain(self, state: State, first: int, end: int) -> DivergenceError:
        """The error that says what happened from step `first`, before which all was well in `state`, to `end`."""
        step, loss = Step(self.gradient, self.optimizer, measure=False), math.nan
        for number in range(first, end):
            rows, key, rate = self.steps(number)
            batch = self.gradient(state.flat, state.buffers, self.data, rows, Key(*key), measure=False)
            before, loss = loss, float(self.backend.to_numpy(batch.loss))
            if not (math.isfinite(loss) and is_finite(batch.grads, self.backend)):
                layer, what = self._origin(state, batch.grads, rows, key)
                return _error(number, layer, what, before, rate)
            state, _ = step(state, self.data, rows, key, rate)
            if not is_finite(state.flat, self.backend):
                return _error(number, "", "the update made the weights infinite or NaN", loss, rate)
        return DivergenceError(f"the weights became infinite or NaN between steps {first} and {end}; {_ADVICE}.", first)

    def _origin(self, state: State, grads: Array, rows: Any, key: tuple[int, int]) -> tuple[str, str]:
        """The layer where numbers stop being finite, and what is wrong there."""
        params = self.gradient.layout.unpack(state.flat, state.buffers)
        x = self.data.x if rows is None else namespace(self.data.x).take(self.data.x, rows, axis=0)
        for name, layer, y in _outputs(self.gradient.model, params, x, Key(*key)):
            if not is_finite(y, self.backend):
                return name, f"the output of layer {name}, {layer!r}, is infinite or NaN"
        arrays = walk(self.gradient.layout.unpack(grads, {}))
        bad = sorted(path for path, array in arrays if not is_finite(array, self.backend))
        if not bad:
            return "", "the loss is infinite or NaN"
        *layer, _ = bad[-1]  # the backward pass comes by the last layer first
        return ".".join(layer), f"the gradient of {'.'.join(bad[-1])} is infinite or NaN"


_ADVICE = "try a smaller learning rate, or scale the inputs"


def _error(step: int, layer: str, what: str, loss: float, rate: float) -> DivergenceError:
    before = f", loss {loss:.4g} before it" if math.isfinite(loss) else ""
    return DivergenceError(
        f"training diverged at step {step} (learning rate {rate:.4g}{before}): {what}; {_ADVICE}.", step, layer
    )


def _outputs(model: Layer, params: Params, x: Array, key: Key) -> Any:
    """Each child's name, the child, and its output in training; the model itself where it has none."""
    if not isinstance(model, Sequential):
        yield "0", model, model.forward(params, x, train=True, key=key)[0]
        return
    for index, (name, layer) in enumerate(model.children.items()):
        x, _ = layer.forward(params.get(name, {}), x, train=True, key=key.child(index))
        yield name, layer, x
