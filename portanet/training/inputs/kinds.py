"""Values that are not arrays, with what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from portanet._text import shown
from portanet.data import Dataset
from portanet.data.memmap.rows import as_rows
from portanet.errors import DataError
from portanet.nn.layer import Layer


def require_array(name: str, value: Any) -> None:
    """Raise DataError that says what to write, unless NumPy or a backend can take the value for an array."""
    remedy = _in_place_of(name, value)
    if remedy is not None:
        raise DataError(f"{name} must be an array of numbers, got {shown(value)}", remedy=remedy)


def require_rows(x: Any, labels: Any) -> None:
    """Raise DataError where rows or labels are not arrays, or are swapped; a Dataset has both."""
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


def _in_place_of(name: str, value: Any) -> str | None:
    """Return what to write instead of a value; None where it is an array, or can become one."""
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
