"""Which class is taken for which, and what follows from that."""

from __future__ import annotations

from portanet._typing import Array
from portanet.metrics.parts import class_numbers, ratio
from portanet.xp import namespace


def confusion_matrix(predicted: Array, labels: Array, classes: int) -> Array:
    """The count of rows of each class that were predicted as each class, (K, K) int32: row = true, column = predicted.

    predicted (N,) and labels (N,) int32 in 0..K-1. A product of one-hot float32 matrices, which is exact for
    counts up to 2^24.
    """
    xp, numbers = namespace(labels), class_numbers(labels, classes)
    true, guessed = (xp.astype(array[:, None] == numbers, xp.float32) for array in (labels, predicted))
    return xp.astype(true.T @ guessed, xp.int32)


def precision_recall_f1(confusion: Array) -> tuple[Array, Array, Array]:
    """Per-class precision, recall and F1, each (K,) float32, from a `confusion_matrix`.

        precision = hits / predicted        recall = hits / true        f1 = 2 hits / (predicted + true)

    hits, predicted and true are the rows where the class is both, is predicted, and is true. A ratio over 0 is 0.
    Van Rijsbergen 1979, chapter 7.
    """
    xp, classes = namespace(confusion), class_numbers(confusion, confusion.shape[0])
    counts = xp.astype(confusion, xp.float32)
    hits = xp.sum(xp.where(classes == classes[:, None], counts, 0.0), axis=0)
    return precision_recall_f1_from(hits, xp.sum(counts, axis=0), xp.sum(counts, axis=1))


def precision_recall_f1_from(hits: Array, predicted: Array, true: Array) -> tuple[Array, Array, Array]:
    """`precision_recall_f1` of the counts themselves, each (K,) of real numbers."""
    return ratio(hits, predicted), ratio(hits, true), ratio(2.0 * hits, predicted + true)
