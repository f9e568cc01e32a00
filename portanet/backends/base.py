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
    """Return the function unchanged: the `Backend.tracer` where functions are not traced."""
    return function


class Backend:
    """One library on one device.

    name     as in `choose`
    package  the name that the library is imported by
    modules  the top-level modules that define the library's arrays
    wheels   the distributions it may be installed as, the usual name last; by default that of `package`
    device   where its arrays live, in the library's own words
    reason   why it was chosen, for messages
    remedy   what to do where it is installed but cannot compute
    trace    whether functions are traced, if the library can write into existing arrays
    fuse     whether traced functions use kernels, if there are any for the library
    prefers_wide_rows  whether steps are faster on rows that have been cast beforehand, if memory allows
    shares_batches  whether processes may share the gradient of a batch: not where whole runs of steps are compiled
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
        """The device that an array lives on, as `choose` takes it; None where there is only one.

        x  an array of the library
        """
        raise NotImplementedError

    def device_of_rank(self, number: int) -> str:
        """The device of one of several processes that train together, where the user names none.

        number  of the process on its host, from 0
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
        """A host array on the device, to be read and never changed: itself where that is possible, else a copy.

        array  the host array
        dtype  as for `put`
        """
        return self.put(array, dtype)

    def put_row_numbers(self, numbers: HostArray) -> Array | HostArray:
        """Return row numbers in int32, from which the rows of the steps are cut.

        numbers  a host array
        """
        return self.put(numbers, "int32")

    def send(self, array: Any, dtype: Any = None) -> Array:
        """The same as `put`, without waiting for the device: for rows that the next training step needs.

        array  the host array
        dtype  as for `put`
        """
        return self.put(array, dtype)

    def computes_in_host_memory(self) -> bool:
        """Whether it computes on host arrays directly; a device has its own memory."""
        return False

    def free_memory(self) -> int:
        """How many bytes new arrays may take on the device."""
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
        """Return a context: thread, warning and precision settings while computing, restored on exit.

        dtype  the name of the dtype that is computed in
        """
        yield

    @contextlib.contextmanager
    def library_threads(self) -> Iterator[None]:
        """Return a context, within a session, for computing each batch in one piece with the library's own threads."""
        yield

    def threads(self, asked: int | None = None) -> int:
        """How many threads of portanet share a batch; 1 on a device.

        asked  the number asked for; by default one for each core
        """
        return 1

    def shard_rows(self, batch: int, shard: int) -> int:
        """How many rows are computed at once.

        batch  rows in a batch
        shard  rows in a shard, where a batch may be cut into shards
        """
        return batch

    def out_of_memory(self, error: Exception) -> bool:
        """Whether an error says that the device has no memory left.

        error  any exception of the library
        """
        return isinstance(error, MemoryError)

    def library(self, run_pair: RunPair | None = None) -> Library | None:
        """The library's calls that write into arrays; None where it has none, so that nothing is traced.

        run_pair  calls two functions, concurrently if there is a second thread
        """
        return None

    def tracer(self, run_pair: RunPair | None = None) -> Transform:
        """Return what makes functions of arrays faster by tracing them: `Traced` with this library, or `untraced`.

        run_pair  as for `library`
        """
        library = self.library(run_pair) if self.trace else None
        return untraced if library is None else functools.partial(Traced, library=library)

    def compile(self, step: Step, per_array: PerArray | None = None) -> Steps:
        """Return a run of many steps, whose metrics add up.

        step       called as `step(state, data, rows, key, rate)`
        per_array  the same step, one vector per array, for a compiler that is slow to concatenate; None if it has no
                   such form
        """
        return run_of(step)

    def probe(self) -> None:
        """Compute something small on the device and read it back; raises BackendError where that fails."""
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

    def __reduce__(self) -> Any:
        from portanet.backends import choose

        return functools.partial(choose, self.name, self.device, trace=self.trace, fuse=self.fuse), ()
