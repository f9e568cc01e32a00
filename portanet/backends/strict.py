"""array-api-strict: the standard and nothing else, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._typing import Array, HostArray
from portanet.backends.base import Record, RunPair, import_package, plain
from portanet.backends.numpy import NumPy
from portanet.errors import BackendError


class Strict(NumPy):
    """array-api-strict on a device that is not the CPU: the standard and nothing else, for tests."""

    name = "strict"
    package = "array_api_strict"
    shards = on_host = False

    def __init__(self, device: str | None = None) -> None:
        self._xp = import_package(self.package, "pip install array-api-strict")
        self.device = device or "device1"
        try:
            self._device = self._xp.Device(self.device)
        except ValueError:
            raise BackendError(f"strict has no device {device!r}; it has CPU_DEVICE, device1 and device2.") from None

    def recorder(self, both: RunPair | None) -> Record:
        return plain

    def put(self, array: Any, dtype: Any = None) -> Array:
        return self._xp.asarray(np.array(array, dtype=dtype), device=self._device)

    def as_device_array(self, array: Any, dtype: Any = None) -> Array:
        return self.put(array, dtype)

    def to_numpy(self, x: Any) -> HostArray:
        return np.asarray(x.to_device(self._xp.Device("CPU_DEVICE")))
