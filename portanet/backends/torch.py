"""PyTorch tensors, on the CPU or on any device that PyTorch knows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from portanet import _machine
from portanet._typing import Array, HostArray
from portanet.backends.base import Backend
from portanet.backends.package import first_line, import_package
from portanet.backends.torch_calls import TorchCalls
from portanet.errors import BackendError
from portanet.tracing import Library, RunPair


class Torch(Backend):
    """PyTorch tensors, without its automatic differentiation."""

    name = package = "torch"
    modules = ("torch",)

    def __init__(self, device: str | None = None) -> None:
        self._torch = import_package("torch", "pip install 'portanet[torch]'")
        try:
            self._device = self._torch.empty(0, device=device or "cpu").device
        except (RuntimeError, AssertionError) as error:
            raise BackendError(f"torch cannot use device {device!r}: {first_line(error)}; try cpu.") from error
        self._threads = self._torch.get_num_threads()
        self.device = str(self._device)
        self.probe()

    @classmethod
    def device_of(cls, x: Any) -> str | None:
        return str(x.device)

    def device_of_rank(self, number: int) -> str:
        is_cuda = self._device.type == "cuda"
        return f"cuda:{number % self._torch.cuda.device_count()}" if is_cuda else self.device

    def device_name(self) -> str:
        is_cuda = self._device.type == "cuda"
        return str(self._torch.cuda.get_device_name(self._device)) if is_cuda else self.device

    def library(self, run_pair: RunPair | None = None) -> Library | None:
        return TorchCalls(self._torch)

    def threads(self, asked: int | None = None) -> int:
        return asked or _machine.threads()[0] if self._device.type == "cpu" else 1

    def shard_rows(self, batch: int, shard: int) -> int:
        return shard if self._device.type == "cpu" else batch

    def put(self, array: Any, dtype: Any = None) -> Array:
        # tensor() copies; asarray would share the memory of the host array.
        return self._torch.tensor(np.asarray(array, dtype=dtype), device=self._device)

    def as_device_array(self, array: Any, dtype: Any = None) -> Array:
        host = np.asarray(array, dtype=dtype, order="C")
        if not (self.computes_in_host_memory() and host.flags.writeable):  # PyTorch warns about read-only arrays
            return self.put(host)
        return self._torch.from_numpy(host)

    def send(self, array: Any, dtype: Any = None) -> Array:
        if self._device.type != "cuda":
            return self.put(array, dtype)
        host = self._torch.from_numpy(np.array(array, dtype=dtype, order="C"))
        return host.pin_memory().to(self._device, non_blocking=True)  # from unpinned memory, copies block

    def computes_in_host_memory(self) -> bool:
        return bool(self._device.type == "cpu")

    def free_memory(self) -> int:
        if self._device.type != "cuda":
            return super().free_memory()
        cuda = self._torch.cuda
        held = cuda.memory_reserved(self._device) - cuda.memory_allocated(self._device)
        return int(cuda.mem_get_info(self._device)[0] + held)

    def to_numpy(self, x: Any) -> HostArray:
        host = x.detach().cpu()
        return (host.float() if host.dtype == self._torch.bfloat16 else host).numpy()  # NumPy has no bfloat16

    def synchronize(self) -> None:
        if self._device.type != "cpu":
            self._torch.accelerator.synchronize(self._device)

    def out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, (MemoryError, self._torch.OutOfMemoryError)) or "can't allocate memory" in str(error)

    @contextlib.contextmanager
    def session(self, dtype: str = "float32") -> Iterator[None]:
        if self._device.type != "cpu":
            with self._torch.no_grad():
                yield
            return
        with self._torch.no_grad(), self._on_threads(1):  # shards run on our own threads
            yield

    @contextlib.contextmanager
    def library_threads(self) -> Iterator[None]:
        with self._on_threads(self._threads):
            yield

    @contextlib.contextmanager
    def _on_threads(self, count: int) -> Iterator[None]:
        before = self._torch.get_num_threads()
        self._torch.set_num_threads(count)
        try:
            yield
        finally:
            self._torch.set_num_threads(before)
