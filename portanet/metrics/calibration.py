"""Calibration: how far probabilities can be trusted."""

from __future__ import annotations

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.metrics.parts import class_indices, mean, ratio, row_weights
from portanet.xp import namespace


def calibration_error(probabilities: Array, labels: Array, bins: int = 15) -> Array:
    """The expected calibration error: the mean gap between confidence and accuracy, from 0 to 1, 0-d.

        sum over bins of n_b / N |accuracy_b - confidence_b|

    probabilities  (N, K)
    labels         (N,) int32
    bins           the number of confidence bins, all of equal width

    Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599. Raises ConfigError unless bins >= 1.
    """
    xp = namespace(probabilities)
    inside, confidence, hits = _by_confidence(probabilities, labels, bins)
    gaps = xp.sum(xp.where(inside, (hits - confidence)[:, None], 0.0), axis=0)
    return xp.sum(xp.abs(gaps)) / labels.shape[0]


def calibration_bins(probabilities: Array, labels: Array, bins: int = 15) -> tuple[Array, Array, Array]:
    """The mean confidence, the accuracy and the number of rows of each bin, each (bins,): a reliability diagram.

        bin b of B holds the rows with confidence in ((b - 1) / B, b / B]

    probabilities  (N, K); the confidence of a row is its largest probability
    labels         (N,) int32
    bins           the number of bins, all of equal width; the means of an empty bin are 0

    DeGroot and Fienberg 1983; Niculescu-Mizil and Caruana 2005. Raises ConfigError unless bins >= 1.
    """
    xp = namespace(probabilities)
    inside, confidence, hits = _by_confidence(probabilities, labels, bins)
    rows = xp.sum(xp.astype(inside, confidence.dtype), axis=0)
    sums = (xp.sum(xp.where(inside, each[:, None], 0.0), axis=0) for each in (confidence, hits))
    mean_confidence, accuracy = (ratio(each, rows) for each in sums)
    return mean_confidence, accuracy, xp.astype(rows, xp.int32)


def log_loss(probabilities: Array, labels: Array, weights: Array | None = None) -> Array:
    """The weighted mean of the negative log probability of the label, 0-d.

        -sum_i w_i log p_i,label / sum_i w_i

    probabilities  (N, K), clipped below at the dtype's epsilon, as in scikit-learn's log_loss
    labels         (N,) int32
    weights        (N,) row weights; 1 by default

    Good 1952, "Rational Decisions".
    """
    xp = namespace(probabilities)
    is_label = labels[:, None] == class_indices(labels, probabilities.shape[1])
    of_label = xp.sum(xp.where(is_label, probabilities, 0.0), axis=1)
    clipped = xp.minimum(xp.maximum(of_label, _epsilon(probabilities)), 1.0)
    return mean(-xp.log(clipped), row_weights(of_label, weights))


def _epsilon(x: Array) -> float:
    """The machine epsilon of the dtype of `x`."""
    return float(namespace(x).finfo(x.dtype).eps)


def _by_confidence(probabilities: Array, labels: Array, bins: int) -> tuple[Array, Array, Array]:
    """A mask of the bin of each row, (N, bins); its confidence; and 1 where it is right, else 0; both (N,)."""
    if bins < 1:
        raise ConfigError(f"calibration needs bins >= 1, got {bins!r}.")
    xp = namespace(probabilities)
    confidence = xp.max(probabilities, axis=1)
    hits = xp.astype(xp.argmax(probabilities, axis=1) == labels, confidence.dtype)
    bin_numbers = xp.astype(class_indices(probabilities, bins) + 1, confidence.dtype)
    inside = xp.minimum(xp.ceil(confidence * bins), bins)[:, None] == bin_numbers
    return inside, confidence, hits
