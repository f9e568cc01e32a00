"""One training step as a pure function, which a backend may compile: gradient, then update."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from portanet._tree import tree_map
from portanet._typing import Array
from portanet.backends.base import Metrics
from portanet.nn.noise import Key
from portanet.optim import Optimizer
from portanet.training.gradient import Gradient
from portanet.training.state import Data, State
from portanet.xp import namespace


@dataclass(frozen=True)
class Step:
    """Equal steps are equal values, so a backend that compiles them need not do it twice.

    measure  whether the metrics hold the loss and what adds up to the score, each summed over the batch's rows
    """

    gradient: Gradient
    optimizer: Optimizer
    measure: bool

    def __call__(self, state: State, data: Data, rows: Array | None, key: Any, rate: float) -> tuple[State, Metrics]:
        """The state after one step at this learning rate, and its metrics."""
        batch = self.gradient(state.flat, state.buffers, data, rows, Key(key[0], key[1]), measure=self.measure)
        flat, optimizer = self._update(state.flat, batch.grads, state.optimizer, rate)
        count = (data.x if rows is None else rows).shape[0]
        metrics = batch.sums | {"loss": batch.sums["loss"] * count} if self.measure else {}
        return State(flat, batch.buffers, optimizer), metrics

    def _update(self, flat: Any, grads: Any, state: Any, rate: float) -> tuple[Any, Any]:
        return self._recorded_update(flat, grads, state, rate)

    @cached_property
    def _recorded_update(self) -> Callable[..., tuple[Any, Any]]:
        update = self.optimizer.update
        return self.gradient.record(lambda flat, grads, state, rate: update(flat, grads, state, learning_rate=rate))


@dataclass(frozen=True)
class StepInPieces(Step):
    """The same step on a state that `begin` cuts into one piece for each array, and `end` puts together again.

    For a compiler that is slow to put vectors together; only for an optimizer that treats each number by itself.
    """

    @classmethod
    def of(cls, step: Step) -> StepInPieces:
        """The step with another gradient."""
        return cls(replace(step.gradient, whole=False), step.optimizer, step.measure)

    def begin(self, state: State) -> State:
        """The state in pieces."""
        layout = self.gradient.layout
        pieces = layout.cut(state.flat)

        def own(i: int) -> Any:
            def cut(array: Any) -> Any:
                return layout.cut(array)[i] if array.shape == state.flat.shape else array

            return tree_map(state.optimizer, cut)

        return State(pieces, state.buffers, tuple(map(own, range(len(pieces)))))

    def end(self, state: State) -> State:
        """The state whole again."""
        return State(_joined(state.flat), state.buffers, _joined(state.optimizer))

    def _update(self, flat: Any, grads: Any, state: Any, rate: float) -> tuple[Any, Any]:
        pairs = [super(StepInPieces, self)._update(*piece, rate) for piece in zip(flat, grads, state, strict=True)]
        new, states = zip(*pairs, strict=True)
        return new, states


def _joined(pieces: Sequence[Any]) -> Any:
    """Vectors put together, in dicts too; of numbers, which are the same for every piece, the first."""
    first = pieces[0]
    if isinstance(first, dict):
        return {name: _joined([piece[name] for piece in pieces]) for name in first}
    return namespace(first).concat(list(pieces)) if getattr(first, "ndim", 0) else first
