"""CuPy on an NVIDIA GPU, and its calls with `out=`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from portanet._typing import Array, HostArray
from portanet.backends import cupy_kernels
from portanet.backends.base import Backend
from portanet.backends.expressions import cuda_expression, form_of, gathers
from portanet.backends.package import import_package
from portanet.errors import BackendError
from portanet.tracing import Form, Kernel, Library, Op, RunPair, Statement, real


class CuPy(Backend):
    """CuPy on an NVIDIA GPU."""

    name = package = "cupy"
    modules = ("cupy",)
    wheels = ("cupy-cuda13x", "cupy-cuda12x", "cupy")
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

    @classmethod
    def device_of(cls, x: Any) -> str | None:
        return f"cuda:{x.device.id}"

    def _count_devices(self) -> int:
        runtime = self._cupy.cuda.runtime
        try:
            count = int(runtime.getDeviceCount())
        except runtime.CUDARuntimeError as error:
            if error.status == 100:  # cudaErrorNoDevice
                count = 0
            else:
                raise BackendError(
                    f"CuPy is installed, but found no usable NVIDIA driver ({error}); "
                    "install or update the driver, then see what nvidia-smi prints."
                ) from error
        if count == 0:
            raise BackendError(
                "CuPy and a driver are installed, but no GPU is visible; "
                "see what nvidia-smi prints, and whether CUDA_VISIBLE_DEVICES hides it."
            )
        return count

    def device_of_rank(self, number: int) -> str:
        return f"cuda:{number % self._count_devices()}"

    def device_name(self) -> str:
        return str(self._cupy.cuda.runtime.getDeviceProperties(self._number)["name"].decode())

    def library(self, run_pair: RunPair | None = None) -> Library | None:
        return CuPyCalls(self._cupy, fuse=self.fuse)

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


class CuPyCalls(Library):
    """CuPy, passed as a module, as a library for tracing."""

    launches = True

    def __init__(self, module: Any, *, fuse: bool = True) -> None:
        self._module, self._fuse = module, fuse
        self.elementwise = frozenset(
            name for name, function in vars(module).items() if isinstance(function, module.ufunc) and name != "pow"
        )

    def is_native(self, array: Any) -> bool:
        return type(array) is self._module.ndarray

    def memory(self, array: Any) -> Any:
        return array.data.mem.ptr or id(array)

    def like(self, array: Any) -> Any:
        return self._module.empty_like(array)

    def layout(self, array: Any) -> Any:
        return array.shape, array.strides, array.dtype, array.device.id

    def copy(self, array: Any) -> Any:
        return array.copy()

    def write_elementwise(self, name: str, args: tuple[Any, ...], out: Any) -> list[Statement]:
        return [Statement(getattr(self._module, name), args, {"out": out})]

    def write_matmul(self, out: Any, a: Any, b: Any) -> list[Statement]:
        return [Statement(self._module.matmul, (a, b), {"out": out})]

    write_product = write_matmul  # the operator @

    def write_sum(self, out: Any, x: Any, *, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
        return [Statement(self._module.sum, (x, axis, dtype, out, keepdims), {})]

    def write_max(self, out: Any, x: Any, *, axis: Any = None, keepdims: Any = False) -> list[Statement]:
        return [Statement(self._module.amax, (x, axis, out, keepdims), {})]

    def write_take(self, out: Any, x: Any, indices: Any, *, axis: int | None = None) -> list[Statement]:
        return [Statement(self._module.take, (x, indices, axis, out), {})]

    def write_astype(self, out: Any, x: Any, dtype: Any, *, copy: bool = True) -> list[Statement]:
        return [Statement(self._module.copyto, (out, x, "unsafe"), {})]

    def write_reshape(self, out: Any, x: Any, shape: Any, *, copy: bool | None = None) -> list[Statement]:
        """A reshape that copies."""
        return [Statement(self._module.copyto, (out.reshape(real(x).shape), x), {})]

    def form(self, op: Op) -> Form | None:
        """A ufunc, `where`, a cast or a copy, of arrays and Python numbers."""
        if op.name not in self.elementwise | {"where", "astype", "reshape"} or (op.kwargs and op.name != "astype"):
            return None
        return form_of(op, getattr(np, op.name, None), cuda_expression, truncates=True)

    def gathers(self, op: Op) -> bool:
        return gathers(op)

    def pays(self, kernel: Kernel) -> bool:
        """Whether it replaces at least two launches."""
        return sum(not op.is_view for op in kernel.ops) > 1

    def address(self, array: Any) -> tuple[int, tuple[int, ...]] | None:
        return (array.data.ptr, array.strides) if isinstance(array, self._module.ndarray) else None

    def prepare(self, kernels: list[Kernel]) -> Callable[[], bool] | None:
        return (lambda: True) if self._fuse else None

    def write_kernel(self, kernel: Kernel, value: Callable[[Any], Any]) -> list[Statement]:
        return cupy_kernels.statements(self._module, kernel, value)
