"""The training rows behind one interface: on the device, in a memory map, or on the host and sent step by step.

`as_source` chooses the kind of source. The code after it does not depend on the kind:

    Resident  an array that the backend computes on
    Mapped    rows of a memory map, read when they are needed, for a backend that computes in host memory
    Streamed  rows that stay on the host; each step's rows are sent to the device when they are needed

`Examples` are these rows with their labels and weights.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portanet._typing import Array, HostArray, Shape
from portanet.backends import Backend
from portanet.backends.steps import Keys, Metrics
from portanet.data.blocks import Blocks, blocks
from portanet.data.fingerprint import fingerprint
from portanet.data.memmap.rows import as_rows
from portanet.errors import ConfigError
from portanet.nn.layer import Layer
from portanet.training.inputs.arrays import as_array, is_host, require_numbers, require_usable
from portanet.training.inputs.offsets import find_offsets, in_a_row, is_wide, name_of, subtract
from portanet.training.steps.state import Data, State, take
from portanet.training.steps.step import Step
from portanet.xp import namespace

FIT_ROWS = 4096  # rows in a block that preprocessing is fitted to; the bits of its sums depend on it
_SHARE = 0.5  # of the free memory, that rows may take; a step needs the rest

TakeSteps = Callable[[State, Any, Keys, Sequence[float]], tuple[State, Metrics]]
"""Takes a run of steps from a state: the rows of each step, its noise key and its learning rate."""


@dataclass(frozen=True, eq=False)
class Source(ABC):
    """Rows `given` by the caller, for a model on a backend; they are never written to.

    transfer  the dtype in which rows reach the backend, by name; None for bytes that stay bytes
    check     raises DataError for values that the model cannot take
    offsets   subtracted from each row, in float64 and in its shape, before the first layer; None: nothing
    """

    given: Any
    backend: Backend
    transfer: str | None
    check: Callable[[Any], None]
    offsets: HostArray | None

    @property
    def shape(self) -> Shape:
        """The shape of all rows."""
        return tuple(self.given.shape)

    @property
    def dtype(self) -> Any:
        """The dtype of the rows as they were given."""
        return self.given.dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def card_offsets(self) -> tuple[float, ...]:
        """The offsets in the form of a model's card."""
        return () if self.offsets is None else tuple(self.offsets.ravel().tolist())

    @functools.cached_property
    def host_rows(self) -> Any:
        """The rows as they were given, on the host."""
        return self.given if is_host(self.given) else self.backend.to_numpy(self.given)

    def on_host(self, rows: Any) -> HostArray:
        """Some rows on the host, in their original precision, with the offsets subtracted before any cast."""
        return self._changed(self.host_rows[rows])

    def _changed(self, block: HostArray) -> HostArray:
        return block if self.offsets is None else subtract(block, self.offsets)

    def host_blocks(self) -> Blocks:
        """All rows on the host, for `Layer.fit`: as floats, which do not overflow, without loss of precision."""
        return Blocks(lambda rows: _wide(self.on_host(rows), self.transfer), len(self), FIT_ROWS)

    def fingerprint(self) -> str:
        """SHA-256 over shape, dtype and bytes, independent of the kind of source."""
        return fingerprint(self.host_rows)

    def validate(self) -> None:
        """Raise DataError for values that the model cannot take."""
        for block in blocks(self.host_rows):
            self.check(block)

    @abstractmethod
    def require_full_batch(self) -> None:
        """Raise ConfigError if one step cannot take all rows."""

    @abstractmethod
    def blocks(self, size: int) -> Blocks:
        """All rows on the backend, checked, `size` at a time."""

    @abstractmethod
    def batch(self, rows: HostArray | None) -> Any:
        """The rows of one step on the backend, all rows for None; they may be read lazily, when they are sliced."""

    @abstractmethod
    def numbers(self, order: HostArray) -> Any:
        """Row indices in int32, in the memory in which a compiled run of steps takes them."""

    @abstractmethod
    def compile(self, step: Step, examples: Examples) -> TakeSteps:
        """`backend.compile` for steps on these rows and their labels."""


@dataclass(frozen=True, eq=False)
class Resident(Source):
    """Rows in an array `x` that the backend computes on."""

    x: Array

    def blocks(self, size: int) -> Blocks:
        return Blocks(lambda rows: self.x[rows, ...], len(self), size)

    def batch(self, rows: HostArray | None) -> Any:
        return self.x if rows is None else take(self.x, self.backend.put(rows, "int32"))

    def numbers(self, order: HostArray) -> Any:
        return self.backend.put_row_numbers(order)

    def compile(self, step: Step, examples: Examples) -> TakeSteps:
        steps, data = self.backend.compile(step, step.per_array()), examples.batch(None)
        return lambda state, rows, keys, rates: steps(state, data, rows, keys, rates)

    def require_full_batch(self) -> None:
        pass


@dataclass(frozen=True, eq=False)
class Streamed(Source):
    """Rows on the host: each step's rows are sent to the device in one asynchronous copy."""

    def blocks(self, size: int) -> Blocks:
        return Blocks(self.checked, len(self), size)

    def checked(self, rows: slice) -> Array:
        """Consecutive rows on the backend."""
        block = self.host_rows[rows]
        self.check(block)
        return self.backend.as_device_array(self._changed(block), self.transfer)

    def batch(self, rows: HostArray | None) -> Any:
        return self.backend.send(self.on_host(slice(None) if rows is None else rows), self.transfer)

    def numbers(self, order: HostArray) -> Any:
        return order.astype(np.int32)

    def compile(self, step: Step, examples: Examples) -> TakeSteps:
        take_step = self.backend.compile(step, step.per_array())

        def run(state: State, rows: Any, keys: Keys, rates: Sequence[float]) -> tuple[State, Metrics]:
            if rows is None:
                return take_step(state, examples.batch(None), None, keys, rates)
            total: Metrics = {}
            numbers = self.backend.send(rows, "int32")
            for i, (key, rate) in enumerate(zip(keys, rates, strict=True)):
                # The batch is not bound to a name, so its memory is free for the next one.
                state, metrics = take_step(state, examples.batch(rows[i], numbers[i, ...]), None, [key], [rate])
                total = {name: total[name] + value for name, value in metrics.items()} if total else metrics
            return state, total

        return run

    def require_full_batch(self) -> None:
        free = f"{self.backend.name} on {self.backend.device} has {self.backend.free_memory() / 1e9:.2g} GB free"
        room = f"{_nbytes(self) / 1e9:.2g} GB, and {free}"
        raise ConfigError(f"a full batch of these rows takes {room}.", remedy="give a size, such as batch_size=128")


@dataclass(frozen=True, eq=False)
class Mapped(Streamed):
    """Rows of a memory map, for a backend that computes in host memory: a batch is read shard by shard."""

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __getitem__(self, key: tuple[slice, Any]) -> Array:
        return self.backend.as_device_array(self.on_host(key[0]), self.transfer)

    def batch(self, rows: HostArray | None) -> Any:
        return self if rows is None else replace(self, given=_selected(self.given, rows))

    def require_full_batch(self) -> None:
        pass


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of a source with `targets`, their labels on the device; without weights every row counts the same."""

    source: Source
    labels: HostArray
    targets: Array
    weights: Array | None

    def compile(self, step: Step) -> TakeSteps:
        """Return a function that takes runs of steps on these rows."""
        return self.source.compile(step, self)

    def batch(self, rows: HostArray | None, numbers: Array | None = None) -> Data:
        """The data of one step: these rows, or all for None; `numbers` are their indices, if already on the device."""
        data = Data(self.source.batch(rows), self.targets, self.weights)
        if rows is None:
            return data
        return data.with_labels(self.source.backend.put(rows, "int32") if numbers is None else numbers)


def as_source(
    x: Any, model: Layer, backend: Backend, dtype: str, *, offsets: Sequence[float] | None = None, place: bool = True
) -> Source:
    """The rows `x` ready for a model: checked, and placed on the device if there is room.

    offsets  those of the model's card, from its training; None: those that `find_offsets` finds in these rows
    place    if False, host rows stay on the host and are checked block by block as they are read, for a single pass

    uint8 rows stay uint8 if the model's first layer casts them, unless the backend prefers to cast once. All others
    become `dtype`, after the offsets are subtracted. Raises DataError unless `x` is an array of finite numbers with at
    least one row, and for values that the model cannot take.
    """
    x = as_array(x, backend)
    require_numbers(x)
    check = functools.partial(require_usable, model=model, dtype=dtype)
    if not is_host(x):
        check(x)  # all at once: each check waits for the device
    source = Streamed(x, backend, dtype, check, None)
    if offsets is not None:
        source = replace(source, offsets=in_a_row(offsets, source.shape[1:]))
    elif dtype == "float32" and is_wide(x.dtype):
        source = replace(source, offsets=find_offsets(source.host_rows))
    narrow = source.offsets is None and name_of(x.dtype) == "uint8" and model.accepts_uint8
    wide = place and is_host(x) and backend.prefers_wide_rows and 2 * _nbytes(source) < _SHARE * backend.free_memory()
    if narrow and not wide:
        source = replace(source, transfer=None)
    return _placed(source) if place or not is_host(x) else source


def _placed(source: Streamed) -> Source:
    fields = (source.given, source.backend, source.transfer, source.check, source.offsets)
    backend, is_map = source.backend, as_rows(source.given) is not None
    if not is_host(source.given) and source.offsets is None:
        x, xp = source.given, namespace(source.given)
        transfer = source.transfer
        return Resident(*fields, x if transfer is None else xp.astype(x, getattr(xp, transfer), copy=False))
    in_host_memory = backend.computes_in_host_memory()
    if not in_host_memory and _nbytes(source) > _SHARE * backend.free_memory():
        source.validate()
        return source
    if is_map and in_host_memory:
        source.validate()
        return Mapped(*fields)
    if is_map:
        parts = list(blocks(source.given, source.checked))
        return Resident(*fields, namespace(parts[0]).concat(parts, axis=0))
    source.validate()
    return Resident(*fields, backend.as_device_array(source.on_host(slice(None)), source.transfer))


def _selected(rows: Any, numbers: HostArray) -> Any:
    """Some rows of a memory map, read lazily when they are sliced."""
    mapped = as_rows(rows)
    assert mapped is not None
    return mapped.select(numbers)


def _wide(block: HostArray, transfer: str | None) -> HostArray:
    """Rows for `Layer.fit`: floats, and bytes that the layer casts, unchanged; uint8 as float32, others as float64."""
    if transfer is None or block.dtype in (np.float32, np.float64):
        return block
    return block.astype(np.float32 if block.dtype == np.uint8 else np.float64)


def _nbytes(source: Source) -> int:
    """The number of bytes that the rows take on the device."""
    return math.prod(source.shape) * np.dtype(source.transfer or np.uint8).itemsize
