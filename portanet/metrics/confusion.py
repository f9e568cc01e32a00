"""The confusion matrix, and the metrics computed from it."""

from __future__ import annotations

from portanet._typing import Array
from portanet.metrics.parts import class_indices, ratio
from portanet.xp import namespace


def confusion_matrix(predicted: Array, labels: Array, classes: int, weights: Array | None = None) -> Array:
    """The confusion matrix, (K, K) int32: entry (i, j) counts the rows of class i that were predicted as class j.

    predicted  (N,) int32 in 0..K-1
    labels     (N,) int32 in 0..K-1
    classes    K
    weights    (N,) row weights; with them the entries are sums of weights, in their dtype

    Computed as a product of one-hot float32 matrices, which is exact for counts up to 2^24. Provost and Kohavi 1998,
    Machine Learning 30.
    """
    xp, indices = namespace(labels), class_indices(labels, classes)
    dtype = xp.float32 if weights is None else weights.dtype
    true, guess = (xp.astype(array[:, None] == indices, dtype) for array in (labels, predicted))  # one-hot
    if weights is not None:
        return (true * weights[:, None]).T @ guess
    return xp.astype(true.T @ guess, xp.int32)


def precision_recall_f1(confusion: Array) -> tuple[Array, Array, Array]:
    """The precision, recall and F1 of each class, each (K,).

        precision = hits / predicted        recall = hits / true        f1 = 2 hits / (predicted + true)

    confusion  (K, K) from `confusion_matrix`

    predicted and true count the rows where the class is predicted and where it is the label; hits, those where it is
    both. A ratio with the denominator 0 is 0. Van Rijsbergen 1979, chapter 7.
    """
    xp, classes = namespace(confusion), class_indices(confusion, confusion.shape[0])
    counts = _real(confusion)
    hits = xp.sum(xp.where(classes == classes[:, None], counts, 0.0), axis=0)
    return precision_recall_f1_from(hits, xp.sum(counts, axis=0), xp.sum(counts, axis=1))


def precision_recall_f1_from(hits: Array, predicted: Array, true: Array) -> tuple[Array, Array, Array]:
    """The precision, recall and F1 of each class, each (K,), from counts: see `precision_recall_f1`.

    hits       (K,) floats: the number of rows where the class is both predicted and true
    predicted  (K,) the number of rows where it is predicted
    true       (K,) the number of rows where it is true
    """
    return ratio(hits, predicted), ratio(hits, true), ratio(2.0 * hits, predicted + true)


def balanced_accuracy(confusion: Array) -> Array:
    """The mean recall of the classes that occur, 0-d: the accuracy if all were equally common.

    confusion  (K, K) from `confusion_matrix`

    Brodersen et al. 2010; scikit-learn's balanced_accuracy_score.
    """
    xp = namespace(confusion)
    recall, true = precision_recall_f1(confusion)[1], xp.sum(_real(confusion), axis=1)
    return _mean_where(true > 0, recall)


def f1(confusion: Array) -> Array:
    """The F1 of class 1 of two; of more classes, the mean over those that occur or are predicted, 0-d.

    confusion  (K, K) from `confusion_matrix`

    Van Rijsbergen 1979; scikit-learn's f1_score, with average="macro" for more than two classes.
    """
    xp, per_class = namespace(confusion), precision_recall_f1(confusion)[2]
    if confusion.shape[0] == 2:
        return per_class[1, ...]
    counts = _real(confusion)
    return _mean_where(xp.sum(counts, axis=0) + xp.sum(counts, axis=1) > 0, per_class)


def _real(confusion: Array) -> Array:
    """Counts as float32; sums of weights unchanged."""
    xp = namespace(confusion)
    return xp.astype(confusion, xp.float32) if xp.isdtype(confusion.dtype, "integral") else confusion


def _mean_where(mask: Array, values: Array) -> Array:
    xp = namespace(values)
    return ratio(xp.sum(xp.where(mask, values, 0.0)), xp.sum(xp.astype(mask, values.dtype)))
