"""Labels and sample weights, checked once on the host: a device would silently accept a bad label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet._typing import Array, HostArray
from portanet.backends import Backend
from portanet.errors import ConfigError, DataError
from portanet.nn.losses.loss import Loss
from portanet.training.arrays import to_host
from portanet.training.tasks import task_of


def put_labels(labels: HostArray, backend: Backend, dtype: str) -> Array:
    """Return the labels on the backend: class numbers stay int32, other numbers take the model's dtype."""
    return backend.as_device_array(labels, "int32" if labels.dtype.kind == "i" else dtype)


def checked_labels(loss: object, labels: Any, count: int, outputs: int) -> HostArray:
    """Return the labels of `count` rows on the host as the loss takes them; DataError for others."""
    checked = task_of(loss).labels(to_host(labels), count, outputs)
    if isinstance(loss, Loss):
        loss.require_labels((count, outputs), checked.shape)
    return checked


def row_weights(sample_weight: Any, class_weight: Sequence[float], labels: HostArray, outputs: int) -> HostArray | None:
    """Return the weight of each row in float64, times that of its class; None where all rows count the same.

    Only their ratios count, so they are divided by a power of two that brings the largest below 1: they fit any dtype,
    and none loses a bit. Raises DataError unless sample weights are one number >= 0 for each row, not all 0.
    """
    if class_weight and len(class_weight) != outputs:
        raise ConfigError(f"class_weight must have one number for each of the {outputs} classes, got {class_weight}.")
    if sample_weight is None and not class_weight:
        return None
    count = len(labels)
    weights = np.ones(count) if sample_weight is None else to_host(sample_weight)
    numeric = weights.shape == (count,) and weights.dtype.kind in "buif"
    if not numeric or not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
        raise DataError(f"sample_weight must be {count} numbers of at least 0, and not all 0.")
    weights = _below_1(weights)
    if class_weight and labels.ndim == 1:
        weights = _below_1(weights * _below_1(np.asarray(class_weight))[labels])
    return weights


def _below_1(weights: HostArray) -> HostArray:
    wide = weights.astype(np.float64)
    scaled: HostArray = np.ldexp(wide, -int(np.frexp(wide.max(initial=0.0))[1]))
    return scaled
