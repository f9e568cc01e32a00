"""array-api-strict: the standard and nothing else, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._typing import Array, HostArray
from portanet.backends.base import Backend
from portanet.backends.numpy import NumPy
from portanet.backends.package import import_package
from portanet.errors import BackendError
from portanet.tracing import Library, RunPair


class Strict(NumPy):
    """array-api-strict on a device other than the CPU: it computes with NumPy, but is treated as a device."""

    name = "strict"
    package = "array_api_strict"
    modules = ("array_api_strict",)
    wheels = ("array-api-strict",)

    def __init__(self, device: str | None = None) -> None:
        self._xp = import_package(self.package, "pip install array-api-strict")
        self.device = device or "device1"
        try:
            self._device = self._xp.Device(self.device)
        except ValueError:
            raise BackendError(f"strict has no device {device!r}; it has CPU_DEVICE, device1 and device2.") from None

    @classmethod
    def device_of(cls, x: Any) -> str | None:
        return repr(x.device).split("'")[1]

    def put(self, array: Any, dtype: Any = None) -> Array:
        return self._xp.asarray(np.array(array, dtype=dtype), device=self._device)

    def computes_in_host_memory(self) -> bool:
        return False

    def to_numpy(self, x: Any) -> HostArray:
        return np.asarray(x.to_device(self._xp.Device("CPU_DEVICE")))

    # A device uses the defaults, not NumPy's overrides.

    as_device_array = Backend.as_device_array
    threads = Backend.threads
    shard_rows = Backend.shard_rows

    def library(self, run_pair: RunPair | None = None) -> Library | None:
        return None
