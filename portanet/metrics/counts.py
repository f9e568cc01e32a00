"""Counts of correct rows."""

from __future__ import annotations

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.metrics.parts import class_indices, count
from portanet.xp import namespace


def correct(outputs: Array, labels: Array) -> Array:
    """The number of rows whose largest output is that of the label, a 0-d int32 array.

    outputs  (N, K); of equal outputs the first counts as the largest
    labels   (N,) int32, or (N, K) probabilities, of which the largest is the label
    """
    xp = namespace(outputs)
    expected = labels if labels.ndim == 1 else xp.argmax(labels, axis=1)
    return count(xp.argmax(outputs, axis=1) == expected)


def correct_entries(outputs: Array, labels: Array) -> Array:
    """The number of correct entries of multi-label outputs, a 0-d int32 array.

    outputs  (N, K) logits; a class is predicted where its logit is above 0
    labels   (N, K); a row has a class where its label is above 1/2
    """
    return count((outputs > 0) == (labels > 0.5))


def accuracy(outputs: Array, labels: Array) -> Array:
    """The fraction of rows whose largest output is that of the label, from 0 to 1, 0-d.

    outputs  as for `correct`
    labels   as for `correct`
    """
    return namespace(outputs).astype(correct(outputs, labels), outputs.dtype) / outputs.shape[0]


def top_k(logits: Array, labels: Array, k: int) -> Array:
    """The number of rows whose label is among the `k` largest logits, a 0-d int32 array.

    logits  (N, K); of equal logits the first counts as the largest, so k = 1 gives `correct`
    labels  (N,) int32; a label whose logit is NaN is not among the largest
    k       how many of the largest logits count

    Raises ConfigError unless 1 <= k <= K.
    """
    if not 1 <= k <= logits.shape[1]:
        raise ConfigError(f"top_k needs 1 <= k <= {logits.shape[1]}, the number of classes, got {k!r}.")
    xp, classes, label = namespace(logits), class_indices(logits, logits.shape[1]), labels[:, None]
    of_label = xp.sum(xp.where(classes == label, logits, 0.0), axis=1, keepdims=True)
    not_above = xp.logical_or(logits < of_label, (logits == of_label) & (classes >= label))  # the label included
    return count(xp.sum(xp.astype(not_above, xp.int32), axis=1) > logits.shape[1] - k)
