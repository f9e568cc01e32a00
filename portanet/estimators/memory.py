"""Small trainings give their arrays to the next one of the same shapes, so that a search traces its steps once.

A traced step is for the arrays that it was traced with (portanet/tracing), and tracing takes as long as some hundred
steps of a small network. So what a fit has used is kept, and the next fit of an equal network on as many rows copies
its values there. Each is used by one fit at a time.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from portanet._settings import is_frozen
from portanet._tree import flatten, is_array, tree_map
from portanet.estimators.training import Rows, Training
from portanet.training.state import State

_MOST = 8  # trainings that are kept, the latest ones
_BYTES = 2**22  # of each, at most


class Memory:
    """Trainings that have ended, by what an equal one would be."""

    def __init__(self) -> None:
        self._kept: dict[Any, list[tuple[Training, Rows]]] = {}
        self._lock = threading.Lock()

    def begin(self, training: Training, rows: Rows) -> tuple[Training, Rows]:
        """Return an equal training with the same values, in arrays that may have been used before."""
        key = _key(training, rows)
        if key is None:
            return training, rows
        with self._lock:
            kept = self._kept.pop(key, [])
            earlier = kept.pop() if kept else None
            if kept:
                self._kept[key] = kept
        if earlier is None:
            return training, Rows(*tree_map((rows.x, rows.targets, rows.weights), np.copy))
        _fill(earlier, training, rows)
        return earlier

    def end(self, training: Training, rows: Rows) -> None:
        """Keep a compiled training for the next fit."""
        key = _key(training, rows)
        if key is None:
            return
        with self._lock:
            self._kept.setdefault(key, []).append((training, rows))
            while sum(map(len, self._kept.values())) > _MOST:
                oldest = next(iter(self._kept))
                self._kept[oldest].pop(0)
                if not self._kept[oldest]:
                    del self._kept[oldest]


memory = Memory()
"""The one of this process."""


def _key(training: Training, rows: Rows) -> Any:
    """What equal trainings have in common; None for one that is not to be kept."""
    problem, arrays = training.problem, (rows.x, rows.targets, rows.weights)
    leaves = [leaf for leaf in flatten([training.state.flat, training.state.optimizer, arrays], []) if is_array(leaf)]
    if not all(type(leaf) is np.ndarray for leaf in leaves) or sum(leaf.nbytes for leaf in leaves) > _BYTES:
        return None
    if not (is_frozen(problem.model) and is_frozen(problem.loss) and is_frozen(problem.solver)):
        return None
    shapes = tuple((leaf.shape, leaf.dtype.str) for leaf in leaves)
    backend = (problem.backend.trace, problem.backend.fuse)
    return (problem.model, problem.loss, problem.solver, problem.told, backend, rows.weights is None, shapes)


def _fill(earlier: tuple[Training, Rows], training: Training, rows: Rows) -> None:
    """Give an earlier training the values of a new one, in the arrays that it has."""
    own, own_rows = earlier
    _copied((own_rows.x, own_rows.targets, own_rows.weights), (rows.x, rows.targets, rows.weights))
    state = training.state
    flat, solved = _copied((own.state.flat, own.state.optimizer), (state.flat, state.optimizer))
    own.problem, own.epochs, own.state = training.problem, training.epochs, State(flat, state.buffers, solved)


def _copied(kept: Any, new: Any) -> Any:
    """The new values: arrays are written into those that are kept."""
    if isinstance(new, tuple):
        entries = [_copied(*pair) for pair in zip(kept, new, strict=True)]
        return type(new)(*entries) if hasattr(new, "_fields") else tuple(entries)
    if is_array(new):
        np.copyto(kept, new)
        return kept
    return new
