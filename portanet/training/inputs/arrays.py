"""Arrays from the caller: lists, pandas objects, memory maps, arrays of any library."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet import backends
from portanet._typing import Array, HostArray
from portanet.backends import Backend
from portanet.data.memmap.rows import as_rows
from portanet.errors import DataError
from portanet.nn.layer import Layer
from portanet.training.inputs.kinds import require_array
from portanet.xp import namespace

_LARGEST = float(np.finfo(np.float32).max)


def is_host(x: Any) -> bool:
    """Whether NumPy can read `x`: a NumPy array, a list, a pandas object, the rows of a memory map."""
    return isinstance(x, np.ndarray) or (not hasattr(x, "__array_namespace__") and not hasattr(x, "device"))


def to_host(x: Any) -> HostArray:
    """Return an array, a list or a pandas object as a NumPy array; DataError where values of it are masked."""
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        remedy = "leave out rows that have one, or fill them, as in x.astype(float).filled(numpy.nan)"
        raise DataError(f"{int(np.ma.getmaskarray(x).sum())} values of a masked array are missing", remedy=remedy)
    return np.asarray(x) if is_host(x) else backends.of(x).to_numpy(x)


def as_array(x: Any, backend: Backend) -> Any:
    """Return `x` unchanged if it is the backend's, Rows for a memory map, and a NumPy array for anything else.

    Raises DataError for a list that is not one array.
    """
    require_array("x", x)
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


def require_numbers(x: Any) -> None:
    """Raise DataError unless an array is of numbers, with at least one row and one column."""
    if getattr(x.dtype, "names", None):
        raise DataError("x is an array of records", remedy="make a table of it, as with pandas.DataFrame(x)")
    if is_host(x) and x.dtype.kind not in "buif":
        remedy = "make numbers of them, as with x.astype(float)" if x.dtype.kind in "OUST" else ""
        raise DataError(f"x must hold numbers, got dtype {x.dtype}", remedy=remedy)
    if x.ndim == 1 and x.shape[0]:
        raise DataError(
            f"x must have a row for each example, got shape {tuple(x.shape)}",
            remedy="one column needs an axis for itself, as in numpy.asarray(x)[:, None]",
        )
    if x.ndim < 2 or 0 in x.shape:
        raise DataError(f"x must have at least one row and one column, got shape {tuple(x.shape)}.")


def require_usable(x: Array, model: Layer, dtype: str) -> None:
    """Raise DataError for rows that hold NaN, infinity or numbers too large, and for what the model refuses."""
    xp = namespace(x)
    if xp.isdtype(x.dtype, "real floating"):
        usable = xp.isfinite(x) | xp.isnan(x) if model.accepts_missing else xp.isfinite(x)
        if not bool(xp.all(usable)):
            if model.accepts_missing:
                raise DataError("x holds infinity; drop or fill those rows first.")
            raise DataError(
                "x holds NaN or infinity; drop or fill those rows first, or begin the model with Columns(), to which "
                "NaN is a missing value."
            )
        wide = float(xp.finfo(x.dtype).max) > _LARGEST
        if wide and dtype == "float32" and bool(xp.any(xp.abs(x) > _LARGEST)):
            raise DataError("x holds numbers too large for float32; scale its columns, or train with dtype='float64'.")
    model.check(x)
