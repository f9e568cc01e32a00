"""NumPy on the CPU."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from portanet import _machine
from portanet._typing import Array, HostArray
from portanet.backends.base import Backend, Record, RunPair
from portanet.backends.numpy_calls import NumPyCalls
from portanet.errors import BackendError
from portanet.tracing import Recorded


class NumPy(Backend):
    """NumPy on the CPU."""

    name = package = "numpy"
    shards = on_host = True

    def __init__(self, device: str | None = None) -> None:
        if device not in (None, "cpu"):
            raise BackendError(f"numpy runs on cpu only, got device {device!r}; leave --device out.")

    def put(self, array: Any, dtype: Any = None) -> Array:
        copy: Any = np.array(array, dtype=dtype, order="C")
        return copy

    def as_device_array(self, array: Any, dtype: Any = None) -> Array:
        same: Any = np.asarray(array, dtype=dtype, order="C")
        return same

    def to_numpy(self, x: Array) -> HostArray:
        return np.asarray(x)

    def recorder(self, both: RunPair | None) -> Record:
        return functools.partial(Recorded, library=NumPyCalls(both))

    @contextlib.contextmanager
    def session(self, dtype: str = "float32") -> Iterator[None]:
        # Sums inside BLAS depend on its number of threads; with one, equal runs give equal bits.
        # Numbers that are not finite are looked for, and explained, by the training: a warning would come before.
        _keep_freed_memory()
        with (
            _machine.blas().limit(limits=1, user_api="blas"),
            np.errstate(over="ignore", invalid="ignore", divide="ignore"),
        ):
            yield


def _keep_freed_memory() -> None:
    """Lets the C library keep what is freed, for the next step to use, and not give it back and clear new pages.

    glibc keeps up to twice the largest block that it has seen freed (M_TRIM_THRESHOLD in mallopt(3)), and it looks at
    blocks of up to 32 MiB. The block is never written to, so it takes no memory.
    """
    np.empty(2**25 - 2**16, np.uint8)
