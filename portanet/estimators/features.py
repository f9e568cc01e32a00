"""The rows of an estimator, validated by scikit-learn; frames with text or gaps are read as tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils._array_api import get_namespace
from sklearn.utils.validation import validate_data

from portanet import backends
from portanet._text import listed
from portanet._typing import HostArray
from portanet.backends import Backend
from portanet.errors import DataError
from portanet.estimators.tables import learn_table, needs_table, read_rows
from portanet.training.inputs.arrays import is_host, to_host
from portanet.training.inputs.offsets import subtract
from portanet.xp import cast, namespace


class UnusableDataError(DataError, ValueError):
    """A DataError that is also a ValueError, as scikit-learn's tools expect."""


@contextlib.contextmanager
def _as_value_errors() -> Iterator[None]:
    """Raise each DataError of the block as a DataError that is also a ValueError."""
    try:
        yield
    except DataError as error:
        raise UnusableDataError(error.message, remedy=error.remedy) from error


def validate_rows(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return the rows as a float32 or float64 array, or a CSR matrix, of finite numbers.

    reset  whether the rows decide the columns, as in fit; otherwise they must have the same columns

    Raises ValueError as scikit-learn does; for NaN it names the columns.
    """
    if reset:
        estimator._table, estimator._offsets = None, ()
        if needs_table(X):
            with _as_value_errors():
                estimator._table, rows = learn_table(estimator, X)
            return rows
    elif estimator._table is not None:
        with _as_value_errors():
            return read_rows(estimator, X)
    xp, _ = get_namespace(X)
    floats = [getattr(xp, name) for name in ("float64", "float32") if hasattr(xp, name)]
    x = validate_data(
        estimator, X, reset=reset, accept_sparse=["csr", "csc"], dtype=floats, ensure_all_finite=False,
        order="C" if type(X) is np.ndarray else None,
    )  # fmt: skip
    if hasattr(x, "tocsr"):
        x = x.tocsr()
        _require_finite(estimator, x.data[:, None], sparse=True)
    elif isinstance(x, np.ndarray):
        _require_finite(estimator, x)
    elif not bool(xp.isfinite(xp.sum(x))):
        _require_finite(estimator, to_host(x))
    return subtract(to_host(x), np.asarray(estimator._offsets)) if estimator._offsets else x


def select(x: Any, index: HostArray) -> Any:
    """Return some rows of an array of any library, or of a sparse matrix."""
    if is_host(x) or hasattr(x, "tocsr"):
        return x[index]
    return namespace(x).take(x, backends.of(x).put(index, "int32"), axis=0)


def place(x: Any, backend: Backend, dtype: str) -> Any:
    """Return rows on a backend in a dtype, given by name; a sparse matrix becomes dense."""
    if hasattr(x, "tocsr"):
        x = x.toarray()
    if not is_host(x) and backends.name_of(x) == backend.name:
        return cast(x, getattr(namespace(x), dtype))
    return backend.as_device_array(to_host(x), dtype)


def _require_finite(estimator: Any, x: Any, sparse: bool = False) -> None:
    if np.isfinite(x.sum()):
        return
    missing, infinite = np.isnan(x).any(axis=0), np.isinf(x).any(axis=0)
    name = type(estimator).__name__
    if missing.any():
        raise UnusableDataError(
            f"Input X contains NaN{_where(estimator, missing, sparse)}. {name} takes gaps in a pandas DataFrame",
            remedy="write fit(pandas.DataFrame(X), y), or fill the gaps with sklearn.impute.SimpleImputer()",
        )
    if infinite.any():
        raise UnusableDataError(
            f"Input X contains infinity or a value too large for dtype({x.dtype.name!r})"
            f"{_where(estimator, infinite, sparse)}",
            remedy="scale or drop those values",
        )


def _where(estimator: Any, mask: Any, sparse: bool) -> str:
    """Return the names of the columns in a mask, for an error message."""
    if sparse:
        return ""
    names = getattr(estimator, "feature_names_in_", None)
    indices = np.flatnonzero(mask).tolist()
    columns = listed(indices, str if names is None else lambda index: repr(names[index]))
    return f" in column{'s' if len(indices) > 1 else ''} {columns}"
