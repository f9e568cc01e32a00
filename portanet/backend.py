"""The libraries that hold the arrays. This is the only file that names CuPy, PyTorch or JAX.

`choose("cupy")` gives a Backend, which moves arrays between the host and the device and runs training steps
there. What is computed in between is written against the array API and never asks which backend it is.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from portanet import memory
from portanet._typing import Array
from portanet.errors import BackendError
from portanet.recording import Recorded
from portanet.recording.cupy_calls import CuPyCalls
from portanet.recording.numpy_calls import Both, NumPyCalls
from portanet.recording.torch_calls import TorchCalls

HostArray = npt.NDArray[Any]
State = Any
Metrics = dict[str, Any]
Step = Callable[..., tuple[State, Metrics]]
Keys = Sequence[tuple[int, int]]
Steps = Callable[[State, Any, Any, Keys, Sequence[float]], tuple[State, Metrics]]

Record = Callable[..., Callable[..., Any]]

NAMES = ("numpy", "cupy", "torch", "jax", "strict")


def plain(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    """The function as it is: what `Backend.recorder` gives where there is nothing to gain."""
    return function


class Backend:
    """One library on one device.

    name    as in `choose`
    device  where its arrays live, in the library's own words
    reason  why it was chosen, for people
    remedy  what to do where it is installed but cannot compute
    shards  whether a batch is cut into shards for several threads; a device takes it whole
    on_host whether it computes on the host's own arrays; a device has memory of its own
    pieces  whether a compiled run of steps is faster where the state is in pieces, one for each array
    """

    name: str
    package: str
    device: str = "cpu"
    reason: str = "named"
    remedy: str = "reinstall it"
    shards: bool = False
    on_host: bool = False
    pieces: bool = False

    def put(self, array: Any, dtype: Any = None) -> Array:
        """A copy of a host array on the device, in this dtype (by name) if one is given."""
        raise NotImplementedError

    def share(self, array: Any, dtype: Any = None) -> Array:
        """A host array on the device, to be read and never changed: itself where that is possible, else a copy."""
        return self.put(array, dtype)

    def send(self, array: Any, dtype: Any = None) -> Array:
        """The same as `put`, for rows that a training step needs next: it does not wait for the device."""
        return self.put(array, dtype)

    def free_memory(self) -> int:
        """How many bytes new arrays may take on the device."""
        return memory.available()

    def to_numpy(self, x: Array) -> HostArray:
        """The array on the host; it may share memory with `x`. Waits for the device."""
        raise NotImplementedError

    def synchronize(self) -> None:
        """Waits until the device has finished; nothing to wait for on a CPU."""

    @contextlib.contextmanager
    def computing(self, dtype: str = "float32") -> Iterator[None]:
        """What must hold while the backend computes in this dtype; everything is as before afterwards."""
        yield

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """Within `computing`: while each batch is computed in one piece, by the library's own threads."""
        yield

    def out_of_memory(self, error: Exception) -> bool:
        """Whether this error says that the device has no memory left."""
        return isinstance(error, MemoryError)

    def recorder(self, both: Both | None) -> Record:
        """What makes functions of arrays faster, as in recording/; `both` calls two functions at the same time."""
        return plain

    def compile(self, step: Step) -> Steps:
        """`step(state, data, rows, key, rate)` made into a run of many steps, whose metrics add up.

        The result takes (state, data, rows, keys, rates): `rows` is a 2-D array with one step's row numbers in
        each row, or None where every step takes all the data.
        """

        def steps(state: State, data: Any, rows: Any, keys: Keys, rates: Sequence[float]) -> tuple[State, Metrics]:
            total: Metrics = {}
            for i, (key, rate) in enumerate(zip(keys, rates, strict=True)):
                state, metrics = step(state, data, None if rows is None else rows[i, ...], key, rate)
                total = {name: total[name] + value for name, value in metrics.items()} if total else metrics
            return state, total

        return steps

    def probe(self) -> None:
        """Computes something small on the device and reads it back; BackendError where that fails."""
        try:
            with self.computing():
                x = self.put(np.arange(3.0), "float32")
                worked = bool(self.to_numpy(x @ x + 1.0) == 6.0)  # a product of the BLAS and a kernel of its own
        except Exception as error:  # a broken installation can raise anything
            why = f"cannot compute on it ({_first_line(error)})"
            raise BackendError(f"{self.name} sees {self.device}, but {why}; {self.remedy}.", "kernel") from error
        if not worked:
            raise BackendError(f"{self.name} computes wrong results on {self.device}; {self.remedy}.", "kernel")

    def __repr__(self) -> str:
        return f"<{self.name} on {self.device}>"


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

    def share(self, array: Any, dtype: Any = None) -> Array:
        same: Any = np.asarray(array, dtype=dtype, order="C")
        return same

    def to_numpy(self, x: Array) -> HostArray:
        return np.asarray(x)

    def recorder(self, both: Both | None) -> Record:
        return functools.partial(Recorded, library=NumPyCalls(both))

    @contextlib.contextmanager
    def computing(self, dtype: str = "float32") -> Iterator[None]:
        # Sums inside BLAS depend on its number of threads; with one, equal runs give equal bits.
        # Numbers that are not finite are looked for, and explained, by the training: a warning would come before.
        _keep_freed_memory()
        with blas().limit(limits=1, user_api="blas"), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield


class Strict(NumPy):
    """array-api-strict on a device that is not the CPU: the standard and nothing else, for tests."""

    name = "strict"
    package = "array_api_strict"
    shards = on_host = False

    def __init__(self, device: str | None = None) -> None:
        self._xp = _import(self.package, "pip install array-api-strict")
        self.device = device or "device1"
        try:
            self._device = self._xp.Device(self.device)
        except ValueError:
            raise BackendError(f"strict has no device {device!r}; it has CPU_DEVICE, device1 and device2.") from None

    def recorder(self, both: Both | None) -> Record:
        return plain

    def put(self, array: Any, dtype: Any = None) -> Array:
        return self._xp.asarray(np.array(array, dtype=dtype), device=self._device)

    def share(self, array: Any, dtype: Any = None) -> Array:
        return self.put(array, dtype)

    def to_numpy(self, x: Any) -> HostArray:
        return np.asarray(x.to_device(self._xp.Device("CPU_DEVICE")))


class CuPy(Backend):
    """CuPy on an NVIDIA GPU."""

    name = package = "cupy"
    remedy = "install it with the CUDA libraries: pip install 'portanet[cuda13]' (or portanet[cuda12])"

    def __init__(self, device: str | None = None) -> None:
        self._cupy = _import(
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

    def recorder(self, both: Both | None) -> Record:
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
    def computing(self, dtype: str = "float32") -> Iterator[None]:
        with self._cupy.cuda.Device(self._number):
            yield


class Torch(Backend):
    """PyTorch tensors, without its automatic differentiation."""

    name = package = "torch"

    def __init__(self, device: str | None = None) -> None:
        self._torch = _import("torch", "pip install 'portanet[torch]'")
        try:
            self._device = self._torch.empty(0, device=device or "cpu").device
        except (RuntimeError, AssertionError) as error:
            raise BackendError(f"torch cannot use device {device!r}: {_first_line(error)}; try cpu.") from error
        self._threads = self._torch.get_num_threads()
        self.device = str(self._device)
        self.shards = self.on_host = self._device.type == "cpu"
        self.probe()

    def recorder(self, both: Both | None) -> Record:
        return functools.partial(Recorded, library=TorchCalls(self._torch))

    def put(self, array: Any, dtype: Any = None) -> Array:
        # tensor() copies, where asarray would share the memory of the host array.
        return self._torch.tensor(np.asarray(array, dtype=dtype), device=self._device)

    def share(self, array: Any, dtype: Any = None) -> Array:
        host = np.asarray(array, dtype=dtype, order="C")
        if not (self.on_host and host.flags.writeable):  # PyTorch has no arrays that are only read, and warns
            return self.put(host)
        return self._torch.from_numpy(host)

    def send(self, array: Any, dtype: Any = None) -> Array:
        if self._device.type != "cuda":
            return self.put(array, dtype)
        host = self._torch.from_numpy(np.array(array, dtype=dtype, order="C"))
        return host.pin_memory().to(self._device, non_blocking=True)  # from other memory a copy waits

    def free_memory(self) -> int:
        if self._device.type != "cuda":
            return super().free_memory()
        cuda = self._torch.cuda
        held = cuda.memory_reserved(self._device) - cuda.memory_allocated(self._device)
        return int(cuda.mem_get_info(self._device)[0] + held)

    def to_numpy(self, x: Any) -> HostArray:
        return x.detach().cpu().numpy()

    def synchronize(self) -> None:
        if self._device.type != "cpu":
            self._torch.accelerator.synchronize(self._device)

    def out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, (MemoryError, self._torch.OutOfMemoryError)) or "can't allocate memory" in str(error)

    @contextlib.contextmanager
    def computing(self, dtype: str = "float32") -> Iterator[None]:
        if self._device.type != "cpu":
            with self._torch.no_grad():
                yield
            return
        with self._torch.no_grad(), self._on_threads(1):  # the shards have threads of ours
            yield

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
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


class Jax(Backend):
    """JAX, with whole runs of steps compiled into one program."""

    name = package = "jax"
    pieces = True

    def __init__(self, device: str | None = None) -> None:
        self._jax = _import("jax", "pip install 'portanet[jax]'")
        kind, _, number = (device or "").partition(":")
        try:
            self._device = self._jax.devices(kind or None)[int(number or 0)]
        except (RuntimeError, IndexError, ValueError) as error:
            raise BackendError(f"jax has no device {device!r}: {_first_line(error)}; try cpu.") from error
        self.device = f"{self._device.platform}:{self._device.id}"
        self.probe()

    def put(self, array: Any, dtype: Any = None) -> Array:
        return self._jax.device_put(np.array(array, dtype=dtype), self._device)

    def free_memory(self) -> int:
        known = self._device.memory_stats()  # None on a CPU
        return int(known["bytes_limit"] - known["bytes_in_use"]) if known else super().free_memory()

    def to_numpy(self, x: Any) -> HostArray:
        return np.asarray(x)

    def synchronize(self) -> None:
        self._jax.block_until_ready(self._jax.live_arrays())  # effects_barrier does not wait for pure computations

    def out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)

    @contextlib.contextmanager
    def computing(self, dtype: str = "float32") -> Iterator[None]:
        with self._jax.enable_x64(dtype == "float64"), self._jax.default_device(self._device):
            yield

    def compile(self, step: Step) -> Steps:
        jax = self._jax
        try:
            scan = _scanned(step, jax)
        except TypeError:  # the step holds a setting that cannot be a key, so it cannot be found again
            scan = _scanned.__wrapped__(step, jax)

        def steps(state: State, data: Any, rows: Any, keys: Keys, rates: Sequence[float]) -> tuple[State, Metrics]:
            dtype = jax.tree_util.tree_leaves(state)[0].dtype
            return scan(state, data, rows, np.asarray(keys, np.int32), np.asarray(rates, dtype))

        return steps


@functools.lru_cache(maxsize=32)
def _scanned(step: Step, jax: Any) -> Callable[..., tuple[State, Metrics]]:
    """A run of steps as one compiled program; kept, so that an equal training is not compiled again."""

    @functools.partial(jax.jit, donate_argnums=0)
    def scan(state: State, data: Any, rows: Any, keys: Any, rates: Any) -> tuple[State, Metrics]:
        def body(state: State, inputs: tuple[Any, Any, Any]) -> tuple[State, Metrics]:
            return step(state, data, *inputs)

        begin, end = (getattr(step, name, lambda state: state) for name in ("begin", "end"))
        state, metrics = jax.lax.scan(body, begin(state), (rows, keys, rates))
        return end(state), {name: values.sum(axis=0, dtype=values.dtype) for name, values in metrics.items()}

    return scan


_CLASSES: dict[str, type[Backend]] = {
    "numpy": NumPy,
    "cupy": CuPy,
    "torch": Torch,
    "jax": Jax,
    "strict": Strict,
}


def choose(name: str = "auto", device: str | None = None) -> Backend:
    """The backend of this name, checked to work; "auto" takes CuPy where a kernel runs, and NumPy elsewhere.

    Raises BackendError, with the remedy, where the named one cannot run: it never falls back to another.
    """
    if name == "auto":
        return _choose_automatically(device)
    if name not in _CLASSES:
        raise BackendError(f"there is no backend {name!r}; choose from auto, {', '.join(NAMES)}.")
    return _CLASSES[name](device)  # type: ignore[call-arg]


def _choose_automatically(device: str | None) -> Backend:
    if device is not None and device != "cpu":
        return choose("cupy", device)
    chosen: Backend
    if device == "cpu":
        chosen, chosen_reason = NumPy(), "the device is cpu"
    else:
        try:
            chosen, chosen_reason = CuPy(), "CuPy runs a kernel here"
        except BackendError as error:
            chosen, chosen_reason = NumPy(), str(error)
    chosen.reason = chosen_reason
    return chosen


def of(x: Array) -> Backend:
    """The backend that an array belongs to, on the array's own device."""
    name = name_of(x)
    return choose(name, _device_name(name, x))


def name_of(x: Array) -> str:
    """The name of the backend that an array belongs to; asking costs nothing, where `of` probes the device."""
    library = type(x).__module__.partition(".")[0]
    name = {"array_api_strict": "strict", "jaxlib": "jax"}.get(library, library)
    if name not in _CLASSES:
        raise BackendError(f"arrays of {library} are not supported; give arrays of {', '.join(NAMES)}.")
    return name


def _device_name(name: str, x: Any) -> str | None:
    match name:
        case "cupy":
            return f"cuda:{x.device.id}"
        case "torch":
            return str(x.device)
        case "jax":
            (device,) = x.devices()
            return f"{device.platform}:{device.id}"
        case "strict":
            return repr(x.device).split("'")[1]
    return None


def _keep_freed_memory() -> None:
    """Lets the C library keep what is freed, for the next step to use, and not give it back and clear new pages.

    glibc keeps up to twice the largest block that it has seen freed (M_TRIM_THRESHOLD in mallopt(3)), and it looks at
    blocks of up to 32 MiB. The block is never written to, so it takes no memory.
    """
    np.empty(2**25 - 2**16, np.uint8)


@functools.cache
def blas() -> Any:
    """What threadpoolctl knows of the BLAS libraries in this process; looking takes milliseconds, so once."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def _import(package: str, remedy: str) -> Any:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:  # a leftover folder of that name has no origin
        raise BackendError(f"{package} is not installed; {remedy}.", "installed")
    try:
        return importlib.import_module(package)
    except Exception as error:  # a broken installation can raise anything
        why = f"does not import ({_first_line(error)})"
        raise BackendError(f"{package} is installed, but {why}; {remedy}.", "imports") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
