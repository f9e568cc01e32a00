"""Calibration: how far probabilities can be trusted."""

from __future__ import annotations

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.metrics.parts import class_numbers, mean, ratio, weights_of
from portanet.xp import namespace


def calibration_error(probabilities: Array, labels: Array, bins: int = 15) -> Array:
    """The expected calibration error: the mean distance of confidence from accuracy, from 0 to 1, 0-d.

        sum over bins of n_b / N |accuracy_b - confidence_b|

    probabilities  (N, K)
    labels         (N,) int32
    bins           how many equal intervals of confidence, as for `calibration_bins`

    Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599. Raises ConfigError unless bins >= 1.
    """
    xp = namespace(probabilities)
    inside, confidence, hits = _by_confidence(probabilities, labels, bins)
    gaps = xp.sum(xp.where(inside, (hits - confidence)[:, None], 0.0), axis=0)
    return xp.sum(xp.abs(gaps)) / labels.shape[0]


def calibration_bins(probabilities: Array, labels: Array, bins: int = 15) -> tuple[Array, Array, Array]:
    """The mean confidence, accuracy and number of rows in each bin, each (bins,): a reliability diagram.

        bin b of B holds the rows with confidence in ((b - 1) / B, b / B]

    probabilities  (N, K); a row's confidence is its largest one
    labels         (N,) int32
    bins           how many equal intervals of confidence; the means of an empty one are 0

    DeGroot and Fienberg 1983; Niculescu-Mizil and Caruana 2005. Raises ConfigError unless bins >= 1.
    """
    xp = namespace(probabilities)
    inside, confidence, hits = _by_confidence(probabilities, labels, bins)
    rows = xp.sum(xp.astype(inside, confidence.dtype), axis=0)
    sums = (xp.sum(xp.where(inside, each[:, None], 0.0), axis=0) for each in (confidence, hits))
    mean_confidence, accuracy = (ratio(each, rows) for each in sums)
    return mean_confidence, accuracy, xp.astype(rows, xp.int32)


def log_loss(probabilities: Array, labels: Array, weights: Array | None = None) -> Array:
    """The weighted mean of minus the logarithm of the label's probability, 0-d.

        -sum_i w_i log p_i,label / sum_i w_i

    probabilities  (N, K); those below the float epsilon count as it, as in scikit-learn's log_loss
    labels         (N,) int32
    weights        (N,) how much each row counts; 1 by default

    Good 1952, "Rational Decisions".
    """
    xp = namespace(probabilities)
    chosen = labels[:, None] == class_numbers(labels, probabilities.shape[1])
    of_label = xp.sum(xp.where(chosen, probabilities, 0.0), axis=1)
    clipped = xp.minimum(xp.maximum(of_label, _step_at_1(probabilities)), 1.0)
    return mean(-xp.log(clipped), weights_of(of_label, weights))


def _step_at_1(x: Array) -> float:
    """The distance from 1 to the next number of the dtype."""
    return float(namespace(x).finfo(x.dtype).eps)


def _by_confidence(probabilities: Array, labels: Array, bins: int) -> tuple[Array, Array, Array]:
    """Which bin each row is in, (N, bins), its confidence, and whether it is right, each (N,)."""
    if bins < 1:
        raise ConfigError(f"calibration_error needs bins >= 1, got {bins!r}.")
    xp = namespace(probabilities)
    confidence = xp.max(probabilities, axis=1)
    hits = xp.astype(xp.argmax(probabilities, axis=1) == labels, confidence.dtype)
    bin_numbers = xp.astype(class_numbers(probabilities, bins) + 1, confidence.dtype)
    inside = xp.minimum(xp.ceil(confidence * bins), bins)[:, None] == bin_numbers
    return inside, confidence, hits
