"""CuPy on an NVIDIA GPU."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from portanet._typing import Array, HostArray
from portanet.backends.base import Backend, Record, RunPair, import_package
from portanet.backends.cupy_calls import CuPyCalls
from portanet.errors import BackendError
from portanet.tracing import Recorded


class CuPy(Backend):
    """CuPy on an NVIDIA GPU."""

    name = package = "cupy"
    remedy = "install it with the CUDA libraries: pip install 'portanet[cuda13]' (or portanet[cuda12])"

    def __init__(self, device: str | None = None) -> None:
        self._cupy = import_package(
            "cupy", "pip install 'portanet[cuda13]' (or portanet[cuda12]) on a machine with an NVIDIA GPU"
        )
        count = self._count_devices()
        number = (device or "cuda:0").removeprefix("cuda:").replace("cuda", "0")
        if not number.isdigit() or int(number) >= count:
            raise BackendError(f"cupy has no device {device!r}; it sees {count}, from cuda:0 to cuda:{count - 1}.")
        self._number = int(number)
        self.device = f"cuda:{number}"
        self.probe()

    def _count_devices(self) -> int:
        runtime = self._cupy.cuda.runtime
        try:
            count = int(runtime.getDeviceCount())
        except runtime.CUDARuntimeError as error:
            if error.status == 100:  # cudaErrorNoDevice
                count = 0
            else:
                raise BackendError(
                    f"CuPy is installed, but there is no usable NVIDIA driver ({error}); "
                    "install or update the driver, then see what nvidia-smi prints."
                ) from error
        if count == 0:
            raise BackendError(
                "CuPy and a driver are installed, but no GPU is visible; "
                "see what nvidia-smi prints, and whether CUDA_VISIBLE_DEVICES hides it."
            )
        return count

    def recorder(self, both: RunPair | None) -> Record:
        return functools.partial(Recorded, library=CuPyCalls(self._cupy))

    def put(self, array: Any, dtype: Any = None) -> Array:
        with self._cupy.cuda.Device(self._number):
            return self._cupy.array(array, dtype=dtype, order="C")

    def free_memory(self) -> int:
        with self._cupy.cuda.Device(self._number) as device:
            return int(device.mem_info[0]) + self._cupy.get_default_memory_pool().free_bytes()

    def to_numpy(self, x: Array) -> HostArray:
        return self._cupy.asnumpy(x)

    def synchronize(self) -> None:
        self._cupy.cuda.Device(self._number).synchronize()

    def out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, (MemoryError, self._cupy.cuda.memory.OutOfMemoryError))

    @contextlib.contextmanager
    def session(self, dtype: str = "float32") -> Iterator[None]:
        with self._cupy.cuda.Device(self._number):
            yield
