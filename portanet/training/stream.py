"""Data that a device has no room for: they stay on the host, and each step's rows are sent when it comes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet._typing import Array, HostArray
from portanet.backends import Backend
from portanet.backends.base import Keys, Metrics, PerArray, Step, Steps
from portanet.errors import ConfigError
from portanet.rows import Rows, gather
from portanet.training import inputs
from portanet.training.state import Data, State

_SHARE = 0.5  # of the free memory that data may take: a step needs the rest


@dataclass(frozen=True, eq=False)
class Stream:
    """Rows `x` on the host in place of `Data`; labels and weights, which are small, are on the device.

    dtype  in which the rows are sent, by name; None where they go as they are
    """

    x: HostArray | Rows
    labels: Array
    weights: Array | None
    backend: Backend
    dtype: str | None

    def batch(self, rows: HostArray, there: Array) -> Data:
        """The rows that `rows` numbers on the host, and `there` on the device: one copy, which nothing waits for."""
        x = self.backend.send(gather(self.x, rows), self.dtype)
        return Data(x, gather(self.labels, there), None if self.weights is None else gather(self.weights, there))

    def compiled(self, step: Step, per_array: PerArray | None) -> Steps:
        """`backend.compile` for steps whose `rows` are on the host, and whose data are these."""
        one = self.backend.compile(step, per_array)

        def steps(state: State, _: Any, rows: Any, keys: Keys, rates: Sequence[float]) -> tuple[State, Metrics]:
            total: Metrics = {}
            there = self.backend.send(rows, "int32")
            for i, (key, rate) in enumerate(zip(keys, rates, strict=True)):
                state, metrics = one(state, self.batch(rows[i], there[i, ...]), None, [key], [rate])
                total = {name: total[name] + value for name, value in metrics.items()} if total else metrics
            return state, total

        return steps


def place(x: Any, labels: Array, weights: Array | None, backend: Backend, dtype: str, *, full: bool) -> Data | Stream:
    """Checked rows with their labels and weights on the backend, or as a Stream where it has no room for them.

    Raises ConfigError for a `full` batch of rows that do not fit.
    """
    need = math.prod(x.shape) * (1 if inputs.kept_dtype(x, dtype) is None else np.dtype(dtype).itemsize)
    if backend.on_host or not inputs.is_host(x) or need <= _SHARE * (free := backend.free_memory()):
        return Data(inputs.held(x, backend, dtype), labels, weights)
    if full:
        room = f"{need / 1e9:.2g} GB, and {backend.name} on {backend.device} has {free / 1e9:.2g} GB free"
        raise ConfigError(f"a full batch of these rows takes {room}.", remedy="give a size, such as batch_size=128")
    return Stream(x, labels, weights, backend, inputs.kept_dtype(x, dtype))
