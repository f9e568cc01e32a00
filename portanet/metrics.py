"""Evaluation metrics: values with a title and a format, and functions computed where the arrays live."""

from __future__ import annotations

from dataclasses import dataclass

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.xp import device, namespace

__all__ = [
    "ACCURACY",
    "LOSS",
    "METRICS",
    "R2",
    "Metric",
    "accuracy",
    "calibration_error",
    "confusion_matrix",
    "correct",
    "correct_entries",
    "precision_recall_f1",
    "r2",
    "r2_from",
    "squared_residuals",
    "top_k",
]


@dataclass(frozen=True)
class Metric:
    """A number that tells how good a model is.

    key     its name in a history and in results, where "valid_" and the like may stand before it
    title   its name for people
    format  how people read its values, as in `format(0.98765, ".2%")`
    """

    key: str
    title: str
    format: str
    higher_is_better: bool = True

    def text(self, value: float) -> str:
        """A value as people read it."""
        return format(value, self.format)


ACCURACY = Metric("accuracy", "accuracy", ".2%")
R2 = Metric("r2", "R2", ".4f")
LOSS = Metric("loss", "loss", ".4g", higher_is_better=False)
METRICS = (ACCURACY, R2, LOSS)


def correct(outputs: Array, labels: Array) -> Array:
    """The number of rows whose largest output is at the label, a 0-d int32 array.

    outputs (N, K), labels (N,) int32, or (N, K) a probability for each class, of which the largest is the label.
    Among equals the first counts as the largest.
    """
    xp = namespace(outputs)
    expected = labels if labels.ndim == 1 else xp.argmax(labels, axis=1)
    return _count(xp.argmax(outputs, axis=1) == expected)


def correct_entries(outputs: Array, labels: Array) -> Array:
    """The number of right entries where a row has any number of classes, a 0-d int32 array.

    A class is predicted where its logit in outputs (N, K) is above 0, and there where labels (N, K) are above 1/2.
    """
    return _count((outputs > 0) == (labels > 0.5))


def accuracy(outputs: Array, labels: Array) -> Array:
    """The share of rows that `correct` counts, from 0 to 1."""
    return namespace(outputs).astype(correct(outputs, labels), outputs.dtype) / outputs.shape[0]


def top_k(logits: Array, labels: Array, k: int) -> Array:
    """The number of rows with the label among the `k` largest logits, a 0-d int32 array.

    logits (N, K), labels (N,) int32. Among equal logits the lower class counts as the larger, so with k = 1 it is
    `correct`; a label whose logit is NaN is not among them. Raises ConfigError unless 1 <= k <= K.
    """
    if not 1 <= k <= logits.shape[1]:
        raise ConfigError(f"top_k needs 1 <= k <= {logits.shape[1]}, the number of classes, got {k!r}.")
    xp, classes, label = namespace(logits), _classes(logits, logits.shape[1]), labels[:, None]
    of_label = xp.sum(xp.where(classes == label, logits, 0.0), axis=1, keepdims=True)
    not_above = xp.logical_or(logits < of_label, (logits == of_label) & (classes >= label))  # the label is one
    return _count(xp.sum(xp.astype(not_above, xp.int32), axis=1) > logits.shape[1] - k)


def confusion_matrix(predicted: Array, labels: Array, classes: int) -> Array:
    """The count of rows of each class that were predicted as each class, (K, K) int32: row = true, column = predicted.

    predicted (N,) and labels (N,) int32 in 0..K-1. A product of one-hot float32 matrices, which is exact for
    counts up to 2^24.
    """
    xp, numbers = namespace(labels), _classes(labels, classes)
    true, guessed = (xp.astype(array[:, None] == numbers, xp.float32) for array in (labels, predicted))
    return xp.astype(true.T @ guessed, xp.int32)


def precision_recall_f1(confusion: Array) -> tuple[Array, Array, Array]:
    """Per-class precision, recall and F1, each (K,) float32, from a `confusion_matrix`.

        precision = hits / predicted        recall = hits / true        f1 = 2 hits / (predicted + true)

    hits, predicted and true are the rows where the class is both, is predicted, and is true. A ratio over 0 is 0.
    Van Rijsbergen 1979, chapter 7.
    """
    xp, classes = namespace(confusion), _classes(confusion, confusion.shape[0])
    counts = xp.astype(confusion, xp.float32)
    hits = xp.sum(xp.where(classes == classes[:, None], counts, 0.0), axis=0)
    return precision_recall_f1_from(hits, xp.sum(counts, axis=0), xp.sum(counts, axis=1))


def precision_recall_f1_from(hits: Array, predicted: Array, true: Array) -> tuple[Array, Array, Array]:
    """`precision_recall_f1` of the counts themselves, each (K,) of real numbers."""
    return _ratio(hits, predicted), _ratio(hits, true), _ratio(2.0 * hits, predicted + true)


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
    bin_numbers = xp.astype(_classes(probabilities, bins) + 1, confidence.dtype)
    inside = xp.minimum(xp.ceil(confidence * bins), bins)[:, None] == bin_numbers
    gaps = xp.sum(xp.where(inside, (hits - confidence)[:, None], 0.0), axis=0)
    return xp.sum(xp.abs(gaps)) / labels.shape[0]


def r2(predictions: Array, targets: Array) -> Array:
    """The share of the targets' variance that the predictions explain: the coefficient of determination.

        mean over columns of 1 - sum_i (y_i - p_i)^2 / sum_i (y_i - mean y)^2

    predictions p, targets y (N, K). 1 is perfect, 0 is as good as the mean, below is worse. A column of equal targets
    counts 1 where all predictions meet it and 0 else, as in scikit-learn's r2_score. Both are divided by the column's
    largest target first, so no square overflows or vanishes.
    """
    xp = namespace(targets)
    scale = xp.max(xp.abs(targets), axis=0, keepdims=True)
    scale = xp.where(scale > 0, scale, 1.0)
    predictions, targets = predictions / scale, targets / scale
    return r2_from(squared_residuals(predictions, targets), targets)


def squared_residuals(predictions: Array, targets: Array) -> Array:
    """The sum over rows of (y_i - p_i)^2, (K,), for predictions p and targets y (N, K)."""
    residuals = targets - predictions
    return namespace(residuals).sum(residuals * residuals, axis=0)


def r2_from(residual: Array, targets: Array) -> Array:
    """`r2` of the `squared_residuals` (K,) of all rows and their targets (N, K)."""
    xp = namespace(targets)
    spread = targets - targets[:1, ...]  # of equal targets exactly 0, whatever rounds
    spread = spread - xp.mean(spread, axis=0, keepdims=True)
    total = xp.sum(spread * spread, axis=0)
    constant = xp.astype(residual == 0, residual.dtype)
    return xp.mean(xp.where(total > 0, 1.0 - _ratio(residual, total), constant))


def _classes(x: Array, count: int) -> Array:
    """0..count-1, where `x` lives."""
    xp = namespace(x)
    return xp.arange(count, dtype=xp.int32, device=device(x))


def _count(hits: Array) -> Array:
    xp = namespace(hits)
    return xp.sum(xp.astype(hits, xp.int32), dtype=xp.int32)


def _ratio(part: Array, total: Array) -> Array:
    """Part / total; the part alone where the total is 0."""
    return part / namespace(part).where(total > 0, total, 1.0)
