"""A cache of small fits, whose arrays are reused by the next fit of the same shapes, so that a search traces once.

A traced step is bound to the arrays that it was traced with (portanet/tracing), and tracing takes as long as a few
hundred steps of a small network. So the arrays of a fit are cached, and the next fit of an equal network with the same
number of rows copies its values into them. Only one fit at a time uses a cached entry.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from portanet._settings import is_frozen
from portanet._tree import flatten, is_array, tree_map
from portanet.estimators.training import Rows, Training
from portanet.training.steps.state import State

_MOST = 8  # fits in the cache, the latest ones
_BYTES = 2**22  # per fit, at most


class Memory:
    """A cache of finished fits by network, settings and shapes."""

    def __init__(self) -> None:
        self._entries: dict[Any, list[tuple[Training, Rows]]] = {}
        self._lock = threading.Lock()

    def begin(self, training: Training, rows: Rows) -> tuple[Training, Rows]:
        """Return an equal training with the same values, in cached arrays if there are any."""
        key = _key(training, rows)
        if key is None:
            return training, rows
        with self._lock:
            entries = self._entries.pop(key, [])
            earlier = entries.pop() if entries else None
            if entries:
                self._entries[key] = entries
        if earlier is None:
            return training, Rows(*tree_map((rows.x, rows.targets, rows.weights), np.copy))
        _fill(earlier, training, rows)
        return earlier

    def end(self, training: Training, rows: Rows) -> None:
        """Cache a compiled training for the next fit."""
        key = _key(training, rows)
        if key is None:
            return
        with self._lock:
            self._entries.setdefault(key, []).append((training, rows))
            while sum(map(len, self._entries.values())) > _MOST:
                oldest = next(iter(self._entries))
                self._entries[oldest].pop(0)
                if not self._entries[oldest]:
                    del self._entries[oldest]


memory = Memory()
"""The cache of this process."""


def _key(training: Training, rows: Rows) -> Any:
    """The key of a training, shared by equal ones; None if it is not cached."""
    problem, arrays = training.problem, (rows.x, rows.targets, rows.weights)
    leaves = [leaf for leaf in flatten([training.state.flat, training.state.optimizer, arrays], []) if is_array(leaf)]
    if not all(type(leaf) is np.ndarray for leaf in leaves) or sum(leaf.nbytes for leaf in leaves) > _BYTES:
        return None
    if not (is_frozen(problem.model) and is_frozen(problem.loss) and is_frozen(problem.solver)):
        return None
    shapes = tuple((leaf.shape, leaf.dtype.str) for leaf in leaves)
    backend = (problem.backend.trace, problem.backend.fuse)
    return (problem.model, problem.loss, problem.solver, problem.loss_scale, backend, rows.weights is None, shapes)


def _fill(earlier: tuple[Training, Rows], training: Training, rows: Rows) -> None:
    """Copy the values of a new training into the arrays of an earlier one."""
    reused, reused_rows = earlier
    _copied((reused_rows.x, reused_rows.targets, reused_rows.weights), (rows.x, rows.targets, rows.weights))
    state = training.state
    flat, solved = _copied((reused.state.flat, reused.state.optimizer), (state.flat, state.optimizer))
    reused.problem, reused.epochs, reused.state = training.problem, training.epochs, State(flat, state.buffers, solved)


def _copied(old: Any, new: Any) -> Any:
    """The new values, with arrays copied into the old ones."""
    if isinstance(new, tuple):
        entries = [_copied(*pair) for pair in zip(old, new, strict=True)]
        return type(new)(*entries) if hasattr(new, "_fields") else tuple(entries)
    if is_array(new):
        np.copyto(old, new)
        return old
    return new
