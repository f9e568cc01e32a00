"""One training step as a pure function, which a backend may compile: gradient, then update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from portanet._settings import is_frozen
from portanet._tree import tree_map
from portanet._typing import Array, Shape
from portanet.backends.steps import Metrics
from portanet.nn.noise import Key
from portanet.optim import Optimizer
from portanet.optim.optimizer import average_buffers
from portanet.training.steps.gradient import Gradient
from portanet.training.steps.state import Data, State, require_form
from portanet.xp import namespace


@dataclass(frozen=True)
class Step:
    """One training step. Equal steps compare equal, so that a backend compiles them only once.

    measure  whether to return the weighted sum of the loss over the batch's rows, and the partial sums of the metric
    """

    gradient: Gradient
    optimizer: Optimizer
    measure: bool

    def __call__(self, state: State, data: Data, rows: Array | None, key: Any, rate: float) -> tuple[State, Metrics]:
        """The state after one step at this learning rate, and its metrics."""
        batch = self.gradient(state.flat, state.buffers, data, rows, Key(key[0], key[1]), measure=self.measure)
        averaged = average_buffers(self.optimizer, state.averaged, batch.buffers, self._of_all(state.optimizer))
        flat, optimizer = self._update(state.flat, batch.grads, state.optimizer, rate)
        metrics = batch.sums | {"loss": batch.sums["loss"] * batch.weight} if self.measure else {}
        return State(flat, batch.buffers, optimizer, averaged), metrics

    def _of_all(self, state: Any) -> Any:
        """The optimizer's state, of which only the numbers are used."""
        return state

    def per_array(self) -> PerArrayStep | None:
        """The same step with one vector per array; None with shards, or if the optimizer needs the whole gradient."""
        if self.gradient.shard_rows is not None or not getattr(self.optimizer, "elementwise", False):
            return None
        return PerArrayStep(replace(self.gradient, flat=False), self.optimizer, self.measure)

    def _update(self, flat: Any, grads: Any, state: Any, rate: float) -> tuple[Any, Any]:
        return self._traced_update(flat, grads, state, rate)

    @cached_property
    def _traced_update(self) -> Callable[..., tuple[Any, Any]]:
        optimizer, known = self.optimizer, is_frozen(self.optimizer)

        def update(flat: Any, grads: Any, state: Any, rate: float) -> tuple[Any, Any]:
            flat, after = optimizer.update(flat, grads, state, learning_rate=rate)
            if not known:
                require_form(optimizer, after, state)
            return flat, after

        return self.gradient.trace(update, pure=known)


@dataclass(frozen=True)
class PerArrayStep(Step):
    """The step on a state with one vector per array: `split` makes it from a flat state, and `join` reverses that."""

    def split(self, state: State) -> State:
        """The state with tuples of vectors in place of the flat vector and the optimizer's state."""
        layout = self.gradient.layout
        vectors = layout.split(state.flat)

        def part(i: int) -> Any:
            return tree_map(state.optimizer, lambda x: layout.split(x)[i] if x.shape == state.flat.shape else x)

        return State(vectors, state.buffers, tuple(map(part, range(len(vectors)))), state.averaged)

    def join(self, state: State) -> State:
        """The state with flat vectors again."""
        shapes = [vector.shape for vector in state.flat]
        return State(_join(state.flat, shapes), state.buffers, _join(state.optimizer, shapes), state.averaged)

    def _of_all(self, state: Any) -> Any:
        return state[0]  # numbers are equal in every part

    def _update(self, flat: Any, grads: Any, state: Any, rate: float) -> tuple[Any, Any]:
        pairs = [super(PerArrayStep, self)._update(*part, rate) for part in zip(flat, grads, state, strict=True)]
        new, states = zip(*pairs, strict=True)
        return new, states


def _join(parts: Sequence[Any], shapes: list[Shape]) -> Any:
    """Vectors of these shapes concatenated, in dicts, tuples and lists too; other entries are equal in each part."""
    first = parts[0]
    if isinstance(first, dict):
        return {name: _join([part[name] for part in parts], shapes) for name in first}
    if isinstance(first, (tuple, list)):
        fields = [_join(values, shapes) for values in zip(*parts, strict=True)]
        return type(first)(*fields) if hasattr(first, "_fields") else type(first)(fields)
    are_parts = [getattr(part, "shape", None) for part in parts] == shapes
    return namespace(first).concat(list(parts)) if are_parts else first
