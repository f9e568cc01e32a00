"""The caller's arrays: lists, pandas objects, memory maps, arrays of any library; errors with advice for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from portanet import backends
from portanet._text import shown
from portanet._typing import Array, HostArray
from portanet.backends import Backend
from portanet.data import Dataset
from portanet.data.memmap.rows import as_rows
from portanet.errors import DataError
from portanet.nn.layer import Layer
from portanet.xp import namespace

_LARGEST = float(np.finfo(np.float32).max)


def is_host(x: Any) -> bool:
    """Whether NumPy can read `x`: a NumPy array, a list, a pandas object, the rows of a memory map."""
    return isinstance(x, np.ndarray) or (not hasattr(x, "__array_namespace__") and not hasattr(x, "device"))


def to_host(x: Any) -> HostArray:
    """Return an array, a list or a pandas object as a NumPy array; raises DataError for masked values."""
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
    """Return the requested backend; by default that of the array."""
    if isinstance(backend, Backend):
        return backend
    if backend is not None:
        return backends.choose(backend)
    return backends.choose("numpy") if is_host(x) else backends.of(x)


def require_array(name: str, value: Any) -> None:
    """Raise DataError, with advice, unless NumPy or a backend can take the value as an array."""
    remedy = _in_place_of(name, value)
    if remedy is not None:
        raise DataError(f"{name} must be an array of numbers, got {shown(value)}", remedy=remedy)


def require_rows(x: Any, labels: Any) -> None:
    """Raise DataError if rows or labels are not arrays, or are swapped; a Dataset has both."""
    for name, value in (("x", x), ("labels", labels)):
        if not isinstance(value, Dataset) and not (name == "labels" and isinstance(x, Dataset)):
            require_array(name, value)
    shapes = [getattr(array, "shape", None) for array in (x, labels)]
    if all(isinstance(shape, tuple) for shape in shapes):
        rows, others = map(tuple, shapes)  # type: ignore[arg-type]
        if len(rows) == 1 and len(others) > 1 and rows == others[:1]:
            raise DataError(
                f"x and labels are swapped: x has the shape {rows}, labels {others}",
                remedy="write fit(model, x, labels)",
            )


def require_numbers(x: Any) -> None:
    """Raise DataError unless an array holds numbers and has at least one row and one column."""
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
    """Raise DataError for NaN, infinity or numbers too large for the dtype, and for rows that the model refuses."""
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


def _in_place_of(name: str, value: Any) -> str | None:
    """Return advice on what to give instead of a value; None if it is an array, or can become one."""
    if value is None:
        return f"give {name} as in fit(model, x, labels)"
    if isinstance(value, (str, bytes, Path)) and name == "labels":
        return "give the column itself, as in labels=table['species']"
    if isinstance(value, (str, bytes, Path)):
        return f"a file is read first: read({str(value)!r}, label='species')"
    if isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], Mapping)):
        return f"give one array, or pandas.DataFrame({name}) for a table"
    if isinstance(value, (Iterator, set, frozenset)):
        return f"make an array of it, as with numpy.asarray(list({name}))"
    if isinstance(value, Layer) or callable(getattr(value, "parameters", None)):
        return "the model comes first: fit(model, x, labels)"
    if callable(getattr(value, "toarray", None)):
        return f"make it dense with {name}.toarray()"
    if isinstance(value, (list, tuple)) or as_rows(value) is not None:
        return None
    if any(hasattr(value, trait) for trait in ("shape", "__array__", "__array_interface__")) or type(value) is range:
        return None
    if hasattr(value, "__iter__") or hasattr(value, "__getitem__"):
        return "give all rows as one array; fit makes the batches"
    return "give one row for each example"
