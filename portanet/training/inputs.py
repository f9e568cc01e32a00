"""Arrays from the caller, checked once on the host: a device would use a wrong label without a word."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from portanet import backend as backends
from portanet._typing import Array
from portanet.backend import Backend
from portanet.errors import DataError
from portanet.namespace import namespace
from portanet.nn.layer import Layer
from portanet.nn.pixels import takes_pixels
from portanet.training.task import Task

HostArray = npt.NDArray[Any]


def is_host(x: Any) -> bool:
    """Whether `x` is for NumPy to read: a NumPy array, a list, a pandas object."""
    return isinstance(x, np.ndarray) or (not hasattr(x, "__array_namespace__") and not hasattr(x, "device"))


def array(x: Any, backend: Backend | None = None) -> Any:
    """`x` itself if it is an array; what NumPy makes of a list, or of an array that is not the backend's.

    Raises DataError for a list that is no array of one shape.
    """
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


def rows(x: Any, backend: Backend, dtype: str) -> Array:
    """The input rows, checked, on the backend: uint8 stays, every other kind of number becomes `dtype`."""
    x = checked(x, backend, dtype)
    xp = namespace(x)
    if x.dtype == xp.uint8:
        return backend.put(x) if is_host(x) else x
    return backend.put(x, dtype) if is_host(x) else xp.astype(x, getattr(xp, dtype), copy=False)


def widened(x: Any, model: Layer, dtype: str) -> Any:
    """Pixels in `dtype` where the model's layers would compute in bytes; every other array as it is."""
    xp = np if is_host(x) else namespace(x)
    if x.dtype != xp.uint8 or takes_pixels(model):
        return x
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
    xp = namespace(x)
    if xp.isdtype(x.dtype, "real floating"):
        if not bool(xp.all(xp.isfinite(x))):
            raise DataError("x holds NaN or infinity; drop or fill those rows first.")
        if dtype == "float32" and bool(xp.any(xp.abs(x) > _LARGEST)):
            raise DataError("x holds numbers too large for float32; scale its columns, or train with dtype='float64'.")
    return x


_LARGEST = float(np.finfo(np.float32).max)


def labels(given: Any, count: int, outputs: int, task: Task) -> HostArray:
    """The labels on the host, as the loss takes them; DataError for labels that the task cannot mean."""
    return task.labels(on_host(given), count, outputs)


def put_labels(host: HostArray, backend: Backend, dtype: str) -> Array:
    """The labels on the backend: class numbers stay int32, other numbers take the model's dtype."""
    return backend.put(host, "int32" if host.dtype.kind == "i" else dtype)


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
        host = np.ascontiguousarray(on_host(array))
        digest.update(f"{host.shape}{host.dtype.str}".encode())
        digest.update(host.data)
    return digest.hexdigest()


def _arrays(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _arrays(entry)
    elif value is not None:
        yield value
