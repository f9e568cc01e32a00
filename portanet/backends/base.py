"""The contract of every backend: one array library on one device."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from portanet import _machine
from portanet._typing import Array, HostArray
from portanet.backends.package import first_line
from portanet.backends.steps import PerArray, Step, Steps, run_of
from portanet.errors import BackendError
from portanet.tracing import Library, RunPair, Traced

Transform = Callable[..., Callable[..., Any]]
"""Takes a function of arrays, and settings by name; returns a function that gives the same."""


def untraced(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    """Return the function unchanged: what `Backend.tracer` gives where functions are not traced."""
    return function


class Backend:
    """One library on one device.

    name     as in `choose`
    modules  the top-level modules that define the library's arrays
    wheels   the distributions it may be installed as, the usual name last; by default that of `package`
    device   where its arrays live, in the library's own words
    reason   why it was chosen, for people
    remedy   what to do where it is installed but cannot compute
    trace    whether functions are traced, where the library can write into arrays that are there
    prefers_wide_rows  whether steps are faster on rows that have been cast, if there is the memory
    fuse     whether traced functions have kernels, where there are any for the library
    """

    name: str
    package: str
    modules: tuple[str, ...]
    wheels: tuple[str, ...] = ()
    device: str = "cpu"
    reason: str = "named"
    remedy: str = "reinstall it"
    trace: bool = True
    fuse: bool = True
    prefers_wide_rows: bool = False

    @classmethod
    def device_of(cls, x: Array) -> str | None:
        """The device that one of the library's arrays lives on, as `choose` takes it; None where there is only one."""
        raise NotImplementedError

    def device_name(self) -> str:
        """The device in the words of its maker, if the library knows them."""
        return self.device

    def put(self, array: Any, dtype: Any = None) -> Array:
        """Copy a host array to the device, in this dtype (by name) if one is given."""
        raise NotImplementedError

    def as_device_array(self, array: Any, dtype: Any = None) -> Array:
        """A host array on the device, to be read and never changed: itself where that is possible, else a copy."""
        return self.put(array, dtype)

    def send(self, array: Any, dtype: Any = None) -> Array:
        """The same as `put`, without waiting for the device: for rows that a training step needs next."""
        return self.put(array, dtype)

    def computes_in_host_memory(self) -> bool:
        """Whether it computes on host arrays where they are; a device has its own memory."""
        return False

    def free_memory(self) -> int:
        """How many bytes new arrays may take on the device."""
        return _machine.available()

    def to_numpy(self, x: Array) -> HostArray:
        """The array on the host; it may share memory with `x`. Waits for the device."""
        raise NotImplementedError

    def synchronize(self) -> None:
        """Wait until the device has finished; nothing to wait for on a CPU."""

    @contextlib.contextmanager
    def session(self, dtype: str = "float32") -> Iterator[None]:
        """Thread, warning and precision settings while computing in this dtype; restored on exit."""
        yield

    @contextlib.contextmanager
    def library_threads(self) -> Iterator[None]:
        """Within a session: the library's own threads, while each batch is computed in one piece."""
        yield

    def threads(self, asked: int | None = None) -> int:
        """How many threads of ours share a batch; a device takes it whole."""
        return 1

    def shard_rows(self, batch: int, shard: int) -> int:
        """How many rows are computed at once, of a batch that may be cut into shards of `shard` rows."""
        return batch

    def out_of_memory(self, error: Exception) -> bool:
        """Whether this error says that the device has no memory left."""
        return isinstance(error, MemoryError)

    def library(self, run_pair: RunPair | None = None) -> Library | None:
        """The library's calls that write into arrays; None where it has none, so that nothing is traced.

        run_pair  calls two functions, at the same time if a second thread is there
        """
        return None

    def tracer(self, run_pair: RunPair | None = None) -> Transform:
        """What makes functions of arrays faster by tracing them: `Traced` with this library, or `untraced`."""
        library = self.library(run_pair) if self.trace else None
        return untraced if library is None else functools.partial(Traced, library=library)

    def compile(self, step: Step, per_array: PerArray | None = None) -> Steps:
        """Make `step(state, data, rows, key, rate)` a run of many steps, whose metrics add up.

        `per_array` is the same step for a compiler that is slow to put vectors together, if the step has such a form.
        """
        return run_of(step)

    def probe(self) -> None:
        """Compute something small on the device and read it back; BackendError where that fails."""
        try:
            with self.session():
                x = self.put(np.arange(3.0), "float32")
                worked = bool(self.to_numpy(x @ x + 1.0) == 6.0)  # a product of the BLAS and a separate kernel
        except Exception as error:  # a broken installation can raise anything
            why = f"cannot compute on it ({first_line(error)})"
            raise BackendError(f"{self.name} sees {self.device}, but {why}; {self.remedy}.", "kernel") from error
        if not worked:
            raise BackendError(f"{self.name} computes wrong results on {self.device}; {self.remedy}.", "kernel")

    def __repr__(self) -> str:
        return f"<{self.name} on {self.device}>"
