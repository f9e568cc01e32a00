"""Checks of numeric labels: targets and class probabilities as losses take them, or a DataError with advice."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray
from portanet.errors import DataError

_CLASSES = 1000  # at most, for labels to be likely class numbers


def as_numbers(given: HostArray, count: int, outputs: int) -> HostArray:
    """Targets as (N, K) finite numbers."""
    shaped = given[:, None] if given.ndim == 1 and outputs == 1 else given
    if shaped.shape != (count, outputs) or given.dtype.kind not in "buif":
        wanted = f"{outputs} number{'s' if outputs > 1 else ''} for each of the {count} rows"
        remedy = "flatten them, as in numpy.ravel(labels)" if outputs == 1 and given.size == count else ""
        if given.dtype.kind in "OUST":
            remedy = "make numbers of them, as in labels.astype(float); text names classes for cross_entropy"
        raise DataError(f"labels must be {wanted}, got shape {given.shape} of {given.dtype}", remedy=remedy)
    wide = shaped.astype(np.float64)
    if given.dtype.kind in "iu" and (large := np.abs(wide) >= 2.0**53).any():
        row, column = map(int, np.argwhere(large)[0])
        raise DataError(
            f"row {row}: the label {shaped[row, column]} is beyond 2**53, where float64 makes one of two neighbours.",
            remedy="subtract a constant from the labels, or predict it as text if it names a class",
        )
    if not np.isfinite(wide).all():
        raise DataError(f"row {int(np.argwhere(~np.isfinite(wide))[0, 0])}: the label is NaN or infinite.")
    return wide


def last_layer(labels: HostArray) -> str:
    """The advice for class numbers beyond the model's outputs: the last layer that the model needs."""
    most = int(labels.max()) + 1
    return f", so end the model in Dense({most})" if labels.min() >= 0 and most <= _CLASSES else ""


def as_shares(given: HostArray) -> HostArray:
    """Class probabilities (N, K)."""
    if given.dtype.kind not in "buif" or not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1.0, atol=1e-4):
        raise DataError("labels with a probability for each class must be at least 0 and sum to 1 in each row.")
    return given.astype(np.float64)
