"""Arrays from the caller, checked once on the host: a device would use a wrong label without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from portanet import backend as backends
from portanet._typing import Array
from portanet.backend import Backend
from portanet.errors import DataError
from portanet.namespace import namespace
from portanet.training.state import Data

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


def labels(given: Any, count: int, classes: int, backend: Backend) -> Array:
    """The labels on the backend as int32.

    Raises DataError unless there are `count` whole numbers from 0 to classes - 1.
    """
    host = _on_host(given)
    if host.shape != (count,):
        raise DataError(f"labels must be one number for each of the {count} rows, got shape {host.shape}.")
    if host.dtype.kind not in "ui":
        raise DataError(f"labels must be whole numbers from 0 to {classes - 1}, got dtype {host.dtype}.")
    wrong = np.flatnonzero((host < 0) | (host >= classes))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"row {row}: label {host[row]} is not one of the model's {classes} classes, 0 to {classes - 1}."
        )
    return backend.put(host.astype(np.int32))


def weights(given: Any, count: int, backend: Backend, dtype: str) -> Array | None:
    """The weight of each row on the backend; DataError unless they are `count` numbers of at least 0, not all 0."""
    if given is None:
        return None
    host = _on_host(given)
    right = host.shape == (count,) and host.dtype.kind in "buif"
    if not right or not np.isfinite(host).all() or (host < 0).any() or host.sum() == 0:
        raise DataError(f"sample_weight must be {count} numbers of at least 0, and not all 0.")
    return backend.put(host, dtype)


def _on_host(given: Any) -> HostArray:
    return np.asarray(given) if is_host(given) else backends.of(given).to_numpy(given)


def data(x: Any, given_labels: Any, classes: int, backend: Backend, dtype: str, sample_weight: Any = None) -> Data:
    """Rows, labels and weights together on the backend."""
    x = rows(x, backend, dtype)
    count = int(x.shape[0])
    return Data(x, labels(given_labels, count, classes, backend), weights(sample_weight, count, backend, dtype))
