"""JAX arrays, with whole runs of steps compiled into one program."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from portanet._settings import is_frozen
from portanet._typing import Array, HostArray
from portanet.backends.base import Backend
from portanet.backends.package import first_line, import_package
from portanet.backends.steps import Keys, Metrics, PerArray, State, Step, Steps
from portanet.errors import BackendError


class Jax(Backend):
    """JAX, with whole runs of steps compiled into one program."""

    name = package = "jax"
    modules = ("jax", "jaxlib")
    shares_batches = False
    prefers_wide_rows = True  # XLA writes the cast of a batch to memory in every step

    def __init__(self, device: str | None = None) -> None:
        self._jax = import_package("jax", "pip install 'portanet[jax]'")
        kind, _, number = (device or "").partition(":")
        try:
            self._device = self._jax.devices(kind or None)[int(number or 0)]
        except (RuntimeError, IndexError, ValueError) as error:
            raise BackendError(f"jax has no device {device!r}: {first_line(error)}; try cpu.") from error
        self.device = f"{self._device.platform}:{self._device.id}"
        self.probe()

    @classmethod
    def device_of(cls, x: Any) -> str | None:
        (device,) = x.devices()
        return f"{device.platform}:{device.id}"

    def put(self, array: Any, dtype: Any = None) -> Array:
        return self._jax.device_put(np.array(array, dtype=dtype), self._device)

    def put_row_numbers(self, numbers: HostArray) -> Any:
        return numbers.astype(np.int32)  # programs accept host arrays; slicing on the device takes 0.2 ms

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
    def session(self, dtype: str = "float32") -> Iterator[None]:
        with self._jax.enable_x64(dtype == "float64"), self._jax.default_device(self._device):
            yield

    def compile(self, step: Step, per_array: PerArray | None = None) -> Steps:
        jax = self._jax
        compiled = _compiled if is_frozen(step) else _compiled.__wrapped__  # mutable steps may differ in the next run
        scan = compiled(step, per_array, jax)

        def steps(state: State, data: Any, rows: Any, keys: Keys, rates: Sequence[float]) -> tuple[State, Metrics]:
            dtype = jax.tree_util.tree_leaves(state)[0].dtype
            return scan(state, data, rows, np.asarray(keys, np.int32), np.asarray(rates, dtype))

        return steps


@functools.lru_cache(maxsize=32)
def _compiled(step: Step, per_array: PerArray | None, jax: Any) -> Callable[..., tuple[State, Metrics]]:
    """A run of steps as one compiled program; cached, so that an equal step is not compiled again.

    Within the program the state has one vector per array, since XLA is slow to concatenate.
    """

    @functools.partial(jax.jit, donate_argnums=0)
    def scan(state: State, data: Any, rows: Any, keys: Any, rates: Any) -> tuple[State, Metrics]:
        def body(state: State, inputs: tuple[Any, Any, Any]) -> tuple[State, Metrics]:
            return (per_array or step)(state, data, *inputs)

        state, metrics = jax.lax.scan(body, per_array.split(state) if per_array else state, (rows, keys, rates))
        sums = {name: values.sum(axis=0, dtype=values.dtype) for name, values in metrics.items()}
        return per_array.join(state) if per_array else state, sums

    return scan
