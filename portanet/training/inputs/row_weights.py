"""The weight of each row: its sample weight times the weight of its class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from portanet._text import listed
from portanet._typing import HostArray
from portanet.data.cells import INTEGER
from portanet.errors import ConfigError, DataError
from portanet.nn.losses.class_weight import ClassWeight, is_resolved
from portanet.training.inputs.arrays import to_host


def class_weights(
    given: ClassWeight, labels: HostArray, outputs: int, classes: Sequence[str] = ()
) -> tuple[float, ...]:
    """Return the weight of each class, for labels (N,) that are class numbers.

    "balanced" is N / (K N_k) for a class with N_k of the N rows, as in scikit-learn, and 0 for a class without rows. Of
    (class, weight) pairs, a class is a name, or a number if no name is an integer; a class that they omit has weight 1.
    Raises ConfigError for an unknown class.
    """
    if given == "balanced":
        counts = np.bincount(labels, minlength=outputs)
        return tuple(len(labels) / (len(counts) * int(count)) if count else 0.0 for count in counts)
    if is_resolved(given):
        return tuple(given)
    weights = [1.0] * outputs
    numbered = not any(INTEGER.fullmatch(name) for name in classes)
    for key, weight in given:
        if str(key) in classes:
            weights[list(classes).index(str(key))] = weight
        elif numbered and INTEGER.fullmatch(str(key)) and 0 <= int(key) < outputs:
            weights[int(key)] = weight
        else:
            known = listed(classes) if classes else f"0 to {outputs - 1}"
            raise ConfigError(f"class_weight names the class {key!r}; the classes are {known}.")
    return tuple(weights)


def row_weights(sample_weight: Any, class_weight: Sequence[float], labels: HostArray, outputs: int) -> HostArray | None:
    """Return each row's weight times that of its class, in float64; None if all rows count the same.

    Only ratios of weights matter, so all are divided by the power of two that brings the largest below 1: they then fit
    any dtype without losing a bit. Raises DataError unless sample weights are one number >= 0 per row, not all 0.
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
