"""NumPy on the CPU."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from portanet import _machine
from portanet._typing import Array, HostArray
from portanet.backends.base import Backend
from portanet.backends.numpy_calls import NumPyCalls
from portanet.errors import BackendError
from portanet.tracing import Library, RunPair


class NumPy(Backend):
    """NumPy on the CPU."""

    name = package = "numpy"
    modules = ("numpy",)

    def __init__(self, device: str | None = None) -> None:
        if device not in (None, "cpu"):
            raise BackendError(f"numpy runs on cpu only, got device {device!r}.", remedy=f"leave out device={device!r}")

    @classmethod
    def device_of(cls, x: Array) -> str | None:
        return None

    def put(self, array: Any, dtype: Any = None) -> Array:
        copy: Any = np.array(array, dtype=dtype, order="C")
        return copy

    def as_device_array(self, array: Any, dtype: Any = None) -> Array:
        same: Any = np.asarray(array, dtype=dtype, order="C")
        return same

    def computes_in_host_memory(self) -> bool:
        return True

    def to_numpy(self, x: Array) -> HostArray:
        return np.asarray(x)

    def threads(self, asked: int | None = None) -> int:
        return asked or _machine.threads()[0]

    def shard_rows(self, batch: int, shard: int) -> int:
        return shard

    def library(self, run_pair: RunPair | None = None) -> Library | None:
        return NumPyCalls(run_pair, fuse=self.fuse)

    @contextlib.contextmanager
    def session(self, dtype: str = "float32") -> Iterator[None]:
        # Sums in BLAS depend on its number of threads; with one thread, equal runs give equal bits.
        # Training detects non-finite numbers and explains them, so NumPy's warnings are not needed.
        _keep_freed_memory()
        with _machine.one_blas_thread(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield


def _keep_freed_memory() -> None:
    """Make the C library keep freed memory for the next step, instead of returning it and clearing new pages.

    glibc keeps up to twice the largest block freed so far (M_TRIM_THRESHOLD in mallopt(3)), considering blocks of up to
    32 MiB. The block here is never written to, so it takes no memory.
    """
    np.empty(2**25 - 2**16, np.uint8)
