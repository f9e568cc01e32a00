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


def array(x: Any) -> Any:
    """`x` itself if it is an array; what NumPy makes of a list or a pandas object."""
    return np.asarray(x) if is_host(x) else x


def backend_for(backend: Backend | str | None, x: Any) -> Backend:
    """The backend asked for; without one, that of the arrays given."""
    if isinstance(backend, Backend):
        return backend
    if backend is not None:
        return backends.choose(backend)
    return backends.choose("numpy") if is_host(x) else backends.of(x)


def rows(x: Any, backend: Backend, dtype: str) -> Array:
    """The input rows on the backend: uint8 stays, every other kind of number becomes `dtype`.

    Raises DataError for what is not an array of finite numbers with at least one row.
    """
    if is_host(x):
        x = np.asarray(x)
        if x.dtype.kind not in "buif":
            raise DataError(f"x must hold numbers, got dtype {x.dtype}.")
    if x.ndim < 2 or 0 in x.shape:
        raise DataError(f"x must have at least one row and one column, got shape {tuple(x.shape)}.")
    xp = namespace(x)
    if xp.isdtype(x.dtype, "real floating") and not bool(xp.all(xp.isfinite(x))):
        raise DataError("x holds NaN or infinity; drop or fill those rows first.")
    keep = x.dtype == xp.uint8
    if is_host(x):
        return backend.put(x, None if keep else dtype)
    return x if keep else xp.astype(x, getattr(xp, dtype), copy=False)


def labels(given: Any, count: int, classes: int, backend: Backend) -> Array:
    """The labels on the backend as int32.

    Raises DataError unless there are `count` whole numbers from 0 to classes - 1.
    """
    host = np.asarray(given) if is_host(given) else backend.to_numpy(given)
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
    host = np.asarray(given if is_host(given) else backend.to_numpy(given), dtype=np.float64)
    if host.shape != (count,) or not np.isfinite(host).all() or (host < 0).any() or host.sum() == 0:
        raise DataError(f"sample_weight must be {count} numbers of at least 0, and not all 0.")
    return backend.put(host, dtype)


def data(x: Any, given_labels: Any, classes: int, backend: Backend, dtype: str, sample_weight: Any = None) -> Data:
    """Rows, labels and weights together on the backend."""
    x = rows(x, backend, dtype)
    count = int(x.shape[0])
    return Data(x, labels(given_labels, count, classes, backend), weights(sample_weight, count, backend, dtype))
