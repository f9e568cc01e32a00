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
"""Takes a function of arrays, and keyword settings; returns a function with the same results."""


def untraced(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    """Return the function unchanged: the `Backend.tracer` of backends that do not trace."""
    return function


class Backend:
    """One library on one device.

    name     as in `choose`
    package  the name that the library is imported by
    modules  the top-level modules that define the library's arrays
    wheels   the distributions it may be installed as, the usual name last; by default that of `package`
    device   the device of its arrays, in the library's notation
    reason   the reason for choosing it, for messages
    remedy   the remedy if it is installed but cannot compute, for messages
    trace    whether functions are traced, if the library can write into existing arrays
    fuse     whether traced functions use kernels, if there are any for the library
    prefers_wide_rows  whether steps are faster on rows that have been cast beforehand, if memory allows
    shares_batches  whether processes can share the gradient of a batch; false if whole runs of steps are compiled
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
    shares_batches: bool = True

    @classmethod
    def device_of(cls, x: Array) -> str | None:
        """The device of an array, in the form that `choose` takes; None if there is only one.

        x  an array of the library
        """
        raise NotImplementedError

    def device_of_rank(self, number: int) -> str:
        """The default device of one of several processes that train together.

        number  the local rank of the process on its host, from 0
        """
        return self.device

    def device_name(self) -> str:
        """The vendor's name of the device, if the library knows it."""
        return self.device

    def put(self, array: Any, dtype: Any = None) -> Array:
        """Return a copy of a host array on the device.

        array  the host array
        dtype  the name of the copy's dtype; that of the array by default
        """
        raise NotImplementedError

    def as_device_array(self, array: Any, dtype: Any = None) -> Array:
        """A host array on the device, read-only: the array itself if possible, else a copy.

        array  the host array
        dtype  as for `put`
        """
        return self.put(array, dtype)

    def put_row_numbers(self, numbers: HostArray) -> Array | HostArray:
        """Return row indices as int32, to be sliced into the rows of each step.

        numbers  a host array
        """
        return self.put(numbers, "int32")

    def send(self, array: Any, dtype: Any = None) -> Array:
        """Return a copy as `put` does, without waiting for the device: for the rows of the next training step.

        array  the host array
        dtype  as for `put`
        """
        return self.put(array, dtype)

    def computes_in_host_memory(self) -> bool:
        """Whether the device computes in host memory; others have their own memory."""
        return False

    def free_memory(self) -> int:
        """How many bytes are free for new arrays on the device."""
        return _machine.available()

    def to_numpy(self, x: Array) -> HostArray:
        """The array on the host, after waiting for the device; it may share memory with `x`.

        x  an array of the library
        """
        raise NotImplementedError

    def synchronize(self) -> None:
        """Wait until the device has finished; does nothing on a CPU."""

    @contextlib.contextmanager
    def session(self, dtype: str = "float32") -> Iterator[None]:
        """Return a context with thread, warning and precision settings for computing, restored on exit.

        dtype  the name of the dtype of the computation
        """
        yield

    @contextlib.contextmanager
    def library_threads(self) -> Iterator[None]:
        """Return a context, within a session, in which whole batches are computed by the library's own threads."""
        yield

    def threads(self, asked: int | None = None) -> int:
        """How many threads of portanet share a batch; 1 on a device.

        asked  the requested number; by default one for each core
        """
        return 1

    def shard_rows(self, batch: int, shard: int) -> int:
        """How many rows are computed at once.

        batch  the number of rows in a batch
        shard  the number of rows in a shard, if batches are split into shards
        """
        return batch

    def out_of_memory(self, error: Exception) -> bool:
        """Whether an error means that the device is out of memory.

        error  any exception of the library
        """
        return isinstance(error, MemoryError)

    def library(self, run_pair: RunPair | None = None) -> Library | None:
        """The library's calls that write into existing arrays; None if it has none, so that nothing is traced.

        run_pair  calls two functions, concurrently if there is a second thread
        """
        return None

    def tracer(self, run_pair: RunPair | None = None) -> Transform:
        """Return a transform that speeds up functions by tracing: `Traced` with this library, or `untraced`.

        run_pair  as for `library`
        """
        library = self.library(run_pair) if self.trace else None
        return untraced if library is None else functools.partial(Traced, library=library)

    def compile(self, step: Step, per_array: PerArray | None = None) -> Steps:
        """Return a function that runs many steps and sums their metrics.

        step       called as `step(state, data, rows, key, rate)`
        per_array  the same step with one vector per array, for a compiler that is slow to concatenate; None if the step
                   has no such form
        """
        return run_of(step)

    def probe(self) -> None:
        """Compute something small on the device and read it back; raises BackendError if that fails."""
        try:
            with self.session():
                x = self.put(np.arange(3.0), "float32")
                worked = bool(self.to_numpy(x @ x + 1.0) == 6.0)  # a BLAS product and a separate kernel
        except Exception as error:  # a broken installation can raise anything
            why = f"cannot compute on it ({first_line(error)})"
            raise BackendError(f"{self.name} sees {self.device}, but {why}; {self.remedy}.", "kernel") from error
        if not worked:
            raise BackendError(f"{self.name} computes wrong results on {self.device}; {self.remedy}.", "kernel")

    def __repr__(self) -> str:
        return f"<{self.name} on {self.device}>"

    def __reduce__(self) -> Any:
        from portanet.backends import choose

        return functools.partial(choose, self.name, self.device, trace=self.trace, fuse=self.fuse), ()
