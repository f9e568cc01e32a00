"""Training steps for backends: a pure function, and runs of many steps."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol

State = Any
Metrics = dict[str, Any]
Keys = Sequence[tuple[int, int]]

Step = Callable[..., tuple[State, Metrics]]
"""Takes (state, data, rows, key, rate), where `rows` are row indices, or None for all rows."""

Steps = Callable[[State, Any, Any, Keys, Sequence[float]], tuple[State, Metrics]]
"""Takes (state, data, rows, keys, rates), where `rows` is a 2-D array with the row indices of each step, or None if
every step takes all the data. The metrics of all steps are summed."""


class PerArray(Hashable, Protocol):
    """A step whose state has one vector per array instead of a single vector."""

    def __call__(self, state: State, data: Any, rows: Any, key: Any, rate: Any) -> tuple[State, Metrics]:
        """Run the step."""

    def split(self, state: State) -> State:
        """The state with one vector per array."""

    def join(self, state: State) -> State:
        """The state with a single vector again."""


def run_of(step: Step) -> Steps:
    """A run that calls the step once for each key and learning rate."""

    def steps(state: State, data: Any, rows: Any, keys: Keys, rates: Sequence[float]) -> tuple[State, Metrics]:
        total: Metrics = {}
        for i, (key, rate) in enumerate(zip(keys, rates, strict=True)):
            state, metrics = step(state, data, None if rows is None else rows[i, ...], key, rate)
            total = {name: total[name] + value for name, value in metrics.items()} if total else metrics
        return state, total

    return steps
