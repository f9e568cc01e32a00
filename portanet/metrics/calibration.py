"""How far probabilities can be trusted."""

from __future__ import annotations

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.metrics.parts import class_numbers
from portanet.xp import namespace


def calibration_error(probabilities: Array, labels: Array, bins: int = 15) -> Array:
    """The expected calibration error: the mean distance of confidence from accuracy, from 0 to 1.

        sum over bins of n_b / N |accuracy_b - confidence_b|

    probabilities (N, K), labels (N,) int32. A row's confidence is its largest probability; bin b of B holds
    those in ((b - 1) / B, b / B]. Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599.
    Raises ConfigError unless bins >= 1.
    """
    if bins < 1:
        raise ConfigError(f"calibration_error needs bins >= 1, got {bins!r}.")
    xp = namespace(probabilities)
    confidence = xp.max(probabilities, axis=1)
    hits = xp.astype(xp.argmax(probabilities, axis=1) == labels, confidence.dtype)
    bin_numbers = xp.astype(class_numbers(probabilities, bins) + 1, confidence.dtype)
    inside = xp.minimum(xp.ceil(confidence * bins), bins)[:, None] == bin_numbers
    gaps = xp.sum(xp.where(inside, (hits - confidence)[:, None], 0.0), axis=0)
    return xp.sum(xp.abs(gaps)) / labels.shape[0]
