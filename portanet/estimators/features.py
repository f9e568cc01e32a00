"""Rows as an estimator takes them: checked by scikit-learn, NaN named, frames of text and gaps read as tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from portanet.errors import DataError


class UnusableDataError(DataError, ValueError):
    """A DataError that scikit-learn's tools know as the ValueError that they expect."""


def checked(estimator: Any, X: Any, *, reset: bool) -> Any:
    """Return the rows as an array of float32 or float64, or a CSR matrix, of finite numbers.

    reset  whether they decide the columns, as in fit, or must have those of fit
    Raises ValueError as scikit-learn does, and one that names the columns for NaN.
    """
    x = validate_data(
        estimator, X, reset=reset, accept_sparse=["csr", "csc"], dtype=["float64", "float32"], ensure_all_finite=False,
        order="C" if type(X) is np.ndarray else None,
    )  # fmt: skip
    if hasattr(x, "tocsr"):
        x = x.tocsr()
        _require_finite(estimator, x.data[:, None], sparse=True)
    elif isinstance(x, np.ndarray):
        _require_finite(estimator, x)
    return x


def _require_finite(estimator: Any, x: Any, sparse: bool = False) -> None:
    if np.isfinite(x.sum()):
        return
    missing, infinite = np.isnan(x).any(axis=0), np.isinf(x).any(axis=0)
    name = type(estimator).__name__
    if missing.any():
        raise UnusableDataError(
            f"Input X contains NaN{_where(estimator, missing, sparse)}. {name} takes gaps in a pandas DataFrame",
            remedy="write fit(pandas.DataFrame(X), y), or fill them first, as with sklearn.impute.SimpleImputer()",
        )
    if infinite.any():
        raise UnusableDataError(
            f"Input X contains infinity or a value too large for dtype({x.dtype.name!r})"
            f"{_where(estimator, infinite, sparse)}",
            remedy="scale or drop those values",
        )


def _where(estimator: Any, wrong: Any, sparse: bool) -> str:
    """Name the columns, at most three."""
    if sparse:
        return ""
    names = getattr(estimator, "feature_names_in_", None)
    places = np.flatnonzero(wrong)
    columns = [repr(names[place]) if names is not None else str(place) for place in places[:3].tolist()]
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f" in column{'s' if len(places) > 1 else ''} {', '.join(columns)}{more}"
