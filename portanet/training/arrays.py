"""Arrays from the caller: lists, pandas objects, memory maps, arrays of any library."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import backends
from portanet._typing import HostArray
from portanet.backends import Backend
from portanet.data.memmap.rows import as_rows
from portanet.errors import DataError


def is_host(x: Any) -> bool:
    """Whether NumPy can read `x`: a NumPy array, a list, a pandas object, the rows of a memory map."""
    return isinstance(x, np.ndarray) or (not hasattr(x, "__array_namespace__") and not hasattr(x, "device"))


def to_host(x: Any) -> HostArray:
    """Return an array, a list or a pandas object as a NumPy array."""
    return np.asarray(x) if is_host(x) else backends.of(x).to_numpy(x)


def as_array(x: Any, backend: Backend) -> Any:
    """Return `x` unchanged if it is the backend's, Rows for a memory map, and a NumPy array for anything else.

    Raises DataError for a list that is not one array.
    """
    if (mapped := as_rows(x)) is not None:
        return mapped
    if not is_host(x) and backends.name_of(x) == backend.name:
        return x
    try:
        return to_host(x)
    except ValueError as error:
        raise DataError(f"x is not one array: {error}.") from error


def backend_for(backend: Backend | str | None, x: Any) -> Backend:
    """Return the backend asked for; without one, that of the array."""
    if isinstance(backend, Backend):
        return backend
    if backend is not None:
        return backends.choose(backend)
    return backends.choose("numpy") if is_host(x) else backends.of(x)
