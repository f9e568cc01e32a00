"""Arrays from the caller, checked once on the host: a device would use a wrong label without a word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from portanet import backends
from portanet._typing import Array, HostArray
from portanet.backends import Backend
from portanet.errors import DataError
from portanet.nn.layer import Layer
from portanet.rows import Rows, blocks
from portanet.training.tasks import Task
from portanet.xp import namespace


def is_host(x: Any) -> bool:
    """Whether `x` is for NumPy to read: a NumPy array, a list, a pandas object."""
    return isinstance(x, np.ndarray) or (not hasattr(x, "__array_namespace__") and not hasattr(x, "device"))


def array(x: Any, backend: Backend | None = None) -> Any:
    """`x` itself if it is an array; what NumPy makes of a list, or of an array that is not the backend's.

    A memory map becomes Rows, of which no more is read at once than is needed. Raises DataError for a list that is
    no array of one shape.
    """
    if isinstance(x, (np.memmap, Rows)):
        return Rows(x) if isinstance(x, np.memmap) and x.ndim and len(x) else x
    if not is_host(x):
        own = backend is None or backends.name_of(x) == backend.name
        return x if own else backends.of(x).to_numpy(x)
    try:
        return np.asarray(x)
    except ValueError as error:
        raise DataError(f"x is not one array: {error}.") from error


def backend_for(backend: Backend | str | None, x: Any) -> Backend:
    """The backend asked for; without one, that of the arrays given."""
    if isinstance(backend, Backend):
        return backend
    if backend is not None:
        return backends.choose(backend)
    return backends.choose("numpy") if is_host(x) else backends.of(x)


def rows(x: Any, backend: Backend, dtype: str) -> Any:
    """The input rows, checked, where the backend can read them: uint8 stays, every other kind becomes `dtype`.

    Where the backend computes on the host they are the caller's own, if they have that dtype, and Rows stay Rows.
    """
    return held(checked(x, backend, dtype), backend, dtype)


def held(x: Any, backend: Backend, dtype: str) -> Any:
    """The same for rows that `checked` has seen."""
    wanted = kept_dtype(x, dtype)
    if isinstance(x, Rows):
        if backend.on_host:
            return x.through(lambda some: backend.as_device_array(some, wanted))
        parts = [backend.put(block, wanted) for block in blocks(x)]
        return namespace(parts[0]).concat(parts, axis=0)
    if is_host(x):
        return backend.as_device_array(x, wanted)
    return x if wanted is None else namespace(x).astype(x, getattr(namespace(x), wanted), copy=False)


def kept_dtype(x: Any, dtype: str) -> str | None:
    """The dtype in which rows go to the backend, by name; None for uint8, which stays."""
    return None if x.dtype == namespace(x[:1, ...]).uint8 else dtype


def widened(x: Any, model: Layer, dtype: str) -> Any:
    """Pixels in `dtype` where the model's layers would compute in bytes; every other array as it is."""
    xp = np if is_host(x) else namespace(x)
    if x.dtype != xp.uint8 or model.accepts_uint8:
        return x
    if isinstance(x, Rows):
        return x.through(lambda some: some.astype(dtype))
    return xp.astype(x, getattr(xp, dtype))


def checked(x: Any, backend: Backend, dtype: str) -> Any:
    """`x` as an array that `rows` can take.

    Raises DataError for what is not an array of finite numbers with at least one row.
    """
    x = array(x, backend)
    if is_host(x) and x.dtype.kind not in "buif":
        raise DataError(f"x must hold numbers, got dtype {x.dtype}.")
    if x.ndim < 2 or 0 in x.shape:
        raise DataError(f"x must have at least one row and one column, got shape {tuple(x.shape)}.")
    xp = namespace(x[:1, ...])
    if xp.isdtype(x.dtype, "real floating"):
        for part in blocks(x) if is_host(x) else [x]:  # a device is asked once, as it is waited for
            _require_finite(part, dtype)
    return x


def _require_finite(x: Array, dtype: str) -> None:
    xp = namespace(x)
    if not bool(xp.all(xp.isfinite(x))):
        raise DataError("x holds NaN or infinity; drop or fill those rows first.")
    wide = float(xp.finfo(x.dtype).max) > _LARGEST
    if wide and dtype == "float32" and bool(xp.any(xp.abs(x) > _LARGEST)):
        raise DataError("x holds numbers too large for float32; scale its columns, or train with dtype='float64'.")


_LARGEST = float(np.finfo(np.float32).max)


def labels(given: Any, count: int, outputs: int, task: Task) -> HostArray:
    """The labels on the host, as the loss takes them; DataError for labels that the task cannot mean."""
    return task.labels(on_host(given), count, outputs)


def put_labels(host: HostArray, backend: Backend, dtype: str) -> Array:
    """The labels on the backend: class numbers stay int32, other numbers take the model's dtype."""
    return backend.as_device_array(host, "int32" if host.dtype.kind == "i" else dtype)


def weights(given: Any, count: int, class_weight: Sequence[float], labels: HostArray) -> HostArray | None:
    """The weight of each row on the host, that of its class multiplied in; None where every row counts the same.

    Raises DataError unless sample weights are `count` numbers of at least 0, not all 0.
    """
    if given is None and not class_weight:
        return None
    host = np.ones(count) if given is None else on_host(given)
    right = host.shape == (count,) and host.dtype.kind in "buif"
    if not right or not np.isfinite(host).all() or (host < 0).any() or host.sum() == 0:
        raise DataError(f"sample_weight must be {count} numbers of at least 0, and not all 0.")
    return host * np.asarray(class_weight)[labels] if class_weight and labels.ndim == 1 else host


def on_host(given: Any) -> HostArray:
    """An array, a list or a pandas object as a NumPy array."""
    return np.asarray(given) if is_host(given) else backends.of(given).to_numpy(given)


def fingerprint(*data: Any) -> str:
    """SHA-256 over the shape, dtype and bytes of arrays, in nested tuples and dicts."""
    digest = hashlib.sha256()
    for array in _arrays(data):
        host = array if isinstance(array, Rows) else on_host(array)
        digest.update(f"{host.shape}{host.dtype.str}".encode())
        for block in blocks(host) if host.ndim else [host]:
            digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def _arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _arrays(entry)
    elif value is not None:
        yield value
