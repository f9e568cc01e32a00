"""Divergence: finds the step and layer with the first non-finite number by repeating steps from a finite state."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet.backends import Backend
from portanet.errors import DivergenceError
from portanet.nn.layer import Layer
from portanet.nn.noise import Key
from portanet.training.loop.probe import probed
from portanet.training.steps.gradient import Gradient
from portanet.training.steps.state import Data, State
from portanet.training.steps.step import Step
from portanet.xp import namespace

Steps = Callable[[int], tuple[Data, tuple[int, int], float]]
"""The data, the key and the learning rate of the step with this number."""


def is_finite(value: Any, backend: Backend | None = None) -> bool:
    """Whether all numbers of an array or of nested dicts and tuples are finite; on the host without a backend."""
    if isinstance(value, (dict, tuple, list)):
        entries = value.values() if isinstance(value, dict) else value
        return all(is_finite(entry, backend) for entry in entries)
    if value is None:
        return True
    host = value if backend is None or isinstance(value, (int, float)) else backend.to_numpy(value)
    return bool(np.isfinite(host).all())


@dataclass(frozen=True)
class Search:
    """Repeats steps one at a time from the last finite state."""

    gradient: Gradient
    optimizer: Any
    backend: Backend
    steps: Steps

    def explain(self, state: State, first: int, end: int) -> DivergenceError:
        """The error for a divergence in steps `first` to `end`; `state` is the finite state before `first`."""
        step, loss = Step(self.gradient, self.optimizer, measure=False), math.nan
        for number in range(first, end):
            data, key, rate = self.steps(number)
            batch = self.gradient(state.flat, state.buffers, data, None, Key(*key), measure=True)
            before, loss = loss, float(self.backend.to_numpy(batch.sums["loss"]))
            if not (math.isfinite(loss) and is_finite(batch.grads, self.backend)):
                return _error(number, *self._origin(state, data, Key(*key)), before, rate)
            state, _ = step(state, data, None, key, rate)
            if not is_finite(state, self.backend):
                return _error(
                    number, "", "the update made the weights, or what the optimizer keeps, infinite or NaN", loss, rate
                )
        return DivergenceError(f"the weights became infinite or NaN between steps {first} and {end}; {_ADVICE}.", first)

    def _origin(self, state: State, data: Data, key: Key) -> tuple[str, str]:
        """The first layer, in forward or backward, with numbers that are not finite, and a description of them."""
        params = self.gradient.layout.unpack(state.flat, state.buffers)
        model = probed(self.gradient.model, self._require_finite)
        try:
            logits, cache = model.forward(params, data.x[:, ...], train=True, key=key)
            xp = namespace(logits)
            loss, dlogits = self.gradient.loss(logits, data.labels, xp.full_like(logits[:, 0], 1.0 / logits.shape[0]))
            if not is_finite((loss, dlogits), self.backend):
                return "", "the loss, or its gradient, is infinite or NaN"
            model.backward(params, cache, dlogits)
        except _NotFiniteError as error:
            return error.name, error.what
        return "", "the gradient is infinite or NaN"

    def _require_finite(self, name: str, layer: Layer, what: str, values: Any) -> None:
        if not is_finite(values, self.backend):
            link = "of" if what == "output" else "from"
            raise _NotFiniteError(name, f"the {what} {link} layer {name}, {layer!r}, is infinite or NaN")


class _NotFiniteError(Exception):
    """Ends the search at the layer with the first non-finite number."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(name, what)
        self.name, self.what = name, what


_ADVICE = "try a smaller learning rate, or scale the inputs"


def _error(step: int, layer: str, what: str, loss: float, rate: float) -> DivergenceError:
    before = f", loss {loss:.4g} before it" if math.isfinite(loss) else ""
    return DivergenceError(
        f"training diverged at step {step} (learning rate {rate:.4g}{before}): {what}; {_ADVICE}.", step, layer
    )
