"""Ranking metrics: how well scores order the rows of a class before the others, at any threshold."""

from __future__ import annotations

from collections.abc import Callable

from portanet._typing import Array
from portanet.metrics.parts import ratio, total, weights_of
from portanet.xp import namespace


def roc_auc(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    """The area under the ROC curve, 0-d: the probability that a row of a class has a higher score than one of another.

        sum over rows i of the class and j of the others of w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / sum w_i w_j

    scores   (N,) of class 1, or (N, K) of each class, such as probabilities
    labels   (N,) int32, or (N, K) ones and zeros where a row has any number of classes
    weights  (N,) how much each row counts; 1 by default

    Two classes have one curve, that of class 1; of more it is the mean over the classes, each against all others,
    that some rows have and some have not. NaN where there are none.
    Hanley and McNeil 1982; scikit-learn's roc_auc_score with multi_class="ovr".
    """
    return _mean_over_classes(_area, scores, labels, weights)


def average_precision(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    """The area under the precision-recall curve, as a mean of precisions, 0-d.

        sum over rows i of the class of w_i precision_i / sum w_i        precision_i = that of all rows with s_j >= s_i

    scores   as for `roc_auc`
    labels   as for `roc_auc`
    weights  (N,) how much each row counts; 1 by default

    Of more than two classes the mean over those that occur, each against all others; NaN where there are none.
    Manning et al. 2008, section 8.4; scikit-learn's average_precision_score.
    """
    return _mean_over_classes(_mean_precision, scores, labels, weights)


_Curve = Callable[[Array, Array, Array], tuple[Array, Array]]
"""The value of scores, with the weights of the rows in the class and of the others; and what it is divided by."""


def _mean_over_classes(curve: _Curve, scores: Array, labels: Array, weights: Array | None) -> Array:
    xp, each = namespace(scores), weights_of(scores, weights)
    areas = []
    for column, inside in _columns(scores, labels):
        areas.append(curve(column, xp.where(inside, each, 0.0), xp.where(inside, 0.0, each)))
    values = xp.stack([ratio(value, possible) for value, possible in areas])
    defined = xp.stack([possible for _, possible in areas]) > 0
    count = xp.sum(xp.astype(defined, values.dtype))
    return xp.where(count > 0, ratio(xp.sum(xp.where(defined, values, 0.0)), count), float("nan"))


def _columns(scores: Array, labels: Array) -> list[tuple[Array, Array]]:
    """The scores (N,) of each class that counts, and which rows are in it."""
    if labels.ndim == 2:
        return [(scores[:, k], labels[:, k] > 0.5) for k in range(scores.shape[1])]
    if scores.ndim == 1 or scores.shape[1] < 3:
        return [(scores if scores.ndim == 1 else scores[:, -1], labels == 1)]
    return [(scores[:, k], labels == k) for k in range(scores.shape[1])]


def _area(scores: Array, inside: Array, outside: Array) -> tuple[Array, Array]:
    xp = namespace(scores)
    order = xp.argsort(scores)
    ordered = xp.take(scores, order, axis=0)
    below = _sums_before(xp.take(outside, order, axis=0))
    lower, not_above = (_at(below, ordered, side) for side in ("left", "right"))
    won = total(xp.take(inside, order, axis=0) * (lower + not_above)) / 2.0
    return won, total(inside) * total(outside)


def _mean_precision(scores: Array, inside: Array, outside: Array) -> tuple[Array, Array]:
    xp = namespace(scores)
    order = xp.argsort(scores)
    ordered, hits = xp.take(scores, order, axis=0), xp.take(inside, order, axis=0)
    sums = _sums_before(hits), _sums_before(hits + xp.take(outside, order, axis=0))
    true, taken = (each[-1:] - _at(each, ordered, "left") for each in sums)
    return total(hits * ratio(true, taken)), total(inside)


def _sums_before(values: Array) -> Array:
    """The sum of the values before each one, and that of all, (N + 1,)."""
    return namespace(values).cumulative_sum(values, include_initial=True)


def _at(sums: Array, ordered: Array, side: str) -> Array:
    """The sum over the rows below each of `ordered`, or on the right side over those that are not above it."""
    xp = namespace(sums)
    return xp.take(sums, xp.searchsorted(ordered, ordered, side=side), axis=0)
