"""The finite guard: it reads state and sums at logging points and checkpoints only, so steps never wait for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._tree import tree_map
from portanet.backends import Backend
from portanet.training.loop.divergence import Search, is_finite
from portanet.training.steps.state import Position, State, Sums


class Guard:
    """Keeps a copy of the last finite state on the host.

    state  the copy
    step   the number of steps done before it
    """

    def __init__(self, search: Search, at: Position) -> None:
        self._search, self._backend = search, search.backend
        self.step, self.state = at.step, host_state(at.state, self._backend)

    def check(self, at: Position) -> None:
        """Read the state and the sums; raises DivergenceError with step and layer if they are not finite."""
        if at.step == self.step:
            return
        state = host_state(at.state, self._backend)
        at.sums = [read_sums(sums, self._backend) for sums in at.sums]
        if not is_finite((state, at.sums)):
            raise self._search.explain(tree_map(self.state, self._backend.put), self.step, at.step)
        self.step, self.state = at.step, state


def host_state(state: State, backend: Backend) -> State:
    """Return a copy of the state on the host; numbers that a library turned into arrays become numbers again."""

    def copied(array: Any) -> Any:
        return np.array(backend.to_numpy(array))

    def plain(array: Any) -> Any:
        return copied(array) if array.ndim else float(backend.to_numpy(array))

    buffers, averaged = tree_map(state.buffers, copied), tree_map(state.averaged, copied)
    return State(copied(state.flat), buffers, tree_map(state.optimizer, plain), averaged)


def read_sums(sums: Sums, backend: Backend) -> Sums:
    """Return the sums as numbers and lists on the host."""

    def plain(value: Any) -> Any:
        return value if isinstance(value, (float, list)) else backend.to_numpy(value).astype(float).tolist()

    return {name: plain(value) for name, value in sums.items()}
