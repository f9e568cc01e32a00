"""The contract of every backend: one array library on one device."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from portanet import _machine
from portanet._typing import Array, HostArray
from portanet.errors import BackendError

State = Any
Metrics = dict[str, Any]
Step = Callable[..., tuple[State, Metrics]]
Keys = Sequence[tuple[int, int]]
Steps = Callable[[State, Any, Any, Keys, Sequence[float]], tuple[State, Metrics]]

Record = Callable[..., Callable[..., Any]]


RunPair = Callable[[Callable[[], Any], Callable[[], Any]], None]
"""Calls two functions, at the same time if a second thread is there."""


def plain(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    """The function as it is: what `Backend.recorder` gives where there is nothing to gain."""
    return function


class Backend:
    """One library on one device.

    name    as in `choose`
    device  where its arrays live, in the library's own words
    reason  why it was chosen, for people
    remedy  what to do where it is installed but cannot compute
    shards  whether a batch is cut into shards for several threads; a device takes it whole
    on_host whether it computes on the host's own arrays; a device has memory of its own
    pieces  whether a compiled run of steps is faster where the state is in pieces, one for each array
    """

    name: str
    package: str
    device: str = "cpu"
    reason: str = "named"
    remedy: str = "reinstall it"
    shards: bool = False
    on_host: bool = False
    pieces: bool = False

    def put(self, array: Any, dtype: Any = None) -> Array:
        """A copy of a host array on the device, in this dtype (by name) if one is given."""
        raise NotImplementedError

    def as_device_array(self, array: Any, dtype: Any = None) -> Array:
        """A host array on the device, to be read and never changed: itself where that is possible, else a copy."""
        return self.put(array, dtype)

    def send(self, array: Any, dtype: Any = None) -> Array:
        """The same as `put`, for rows that a training step needs next: it does not wait for the device."""
        return self.put(array, dtype)

    def free_memory(self) -> int:
        """How many bytes new arrays may take on the device."""
        return _machine.available()

    def to_numpy(self, x: Array) -> HostArray:
        """The array on the host; it may share memory with `x`. Waits for the device."""
        raise NotImplementedError

    def synchronize(self) -> None:
        """Waits until the device has finished; nothing to wait for on a CPU."""

    @contextlib.contextmanager
    def session(self, dtype: str = "float32") -> Iterator[None]:
        """What must hold while the backend computes in this dtype; everything is as before afterwards."""
        yield

    @contextlib.contextmanager
    def library_threads(self) -> Iterator[None]:
        """Within `computing`: while each batch is computed in one piece, by the library's own threads."""
        yield

    def out_of_memory(self, error: Exception) -> bool:
        """Whether this error says that the device has no memory left."""
        return isinstance(error, MemoryError)

    def recorder(self, both: RunPair | None) -> Record:
        """What makes functions of arrays faster, as in recording/; `both` calls two functions at the same time."""
        return plain

    def compile(self, step: Step) -> Steps:
        """`step(state, data, rows, key, rate)` made into a run of many steps, whose metrics add up.

        The result takes (state, data, rows, keys, rates): `rows` is a 2-D array with one step's row numbers in
        each row, or None where every step takes all the data.
        """

        def steps(state: State, data: Any, rows: Any, keys: Keys, rates: Sequence[float]) -> tuple[State, Metrics]:
            total: Metrics = {}
            for i, (key, rate) in enumerate(zip(keys, rates, strict=True)):
                state, metrics = step(state, data, None if rows is None else rows[i, ...], key, rate)
                total = {name: total[name] + value for name, value in metrics.items()} if total else metrics
            return state, total

        return steps

    def probe(self) -> None:
        """Computes something small on the device and reads it back; BackendError where that fails."""
        try:
            with self.session():
                x = self.put(np.arange(3.0), "float32")
                worked = bool(self.to_numpy(x @ x + 1.0) == 6.0)  # a product of the BLAS and a kernel of its own
        except Exception as error:  # a broken installation can raise anything
            why = f"cannot compute on it ({first_line(error)})"
            raise BackendError(f"{self.name} sees {self.device}, but {why}; {self.remedy}.", "kernel") from error
        if not worked:
            raise BackendError(f"{self.name} computes wrong results on {self.device}; {self.remedy}.", "kernel")

    def __repr__(self) -> str:
        return f"<{self.name} on {self.device}>"


def import_package(package: str, remedy: str) -> Any:
    """Return the module; BackendError with the remedy where it is missing or broken."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:  # a leftover folder of that name has no origin
        raise BackendError(f"{package} is not installed; {remedy}.", "installed")
    try:
        return importlib.import_module(package)
    except Exception as error:  # a broken installation can raise anything
        why = f"does not import ({first_line(error)})"
        raise BackendError(f"{package} is installed, but {why}; {remedy}.", "imports") from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type's name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
