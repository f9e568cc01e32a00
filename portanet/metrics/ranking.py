"""Ranking metrics: how well scores rank the rows of a class above the others, over all thresholds."""

from __future__ import annotations

from collections.abc import Callable

from portanet._typing import Array
from portanet.metrics.parts import ratio, row_weights, total
from portanet.xp import namespace


def roc_auc(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    """The area under the ROC curve, 0-d: the probability that a row of the class scores higher than another row.

        sum over rows i of the class and j of the others of w_i w_j ([s_i > s_j] + [s_i = s_j] / 2) / sum w_i w_j

    scores   (N,) of class 1, or (N, K) of each class, such as probabilities
    labels   (N,) int32, or (N, K) ones and zeros for multi-label rows
    weights  (N,) row weights; 1 by default

    For two classes, the area of class 1. For more, the mean over classes, each against the rest, without those that
    all rows have or none has; NaN if none is left. Hanley and McNeil 1982; scikit-learn's roc_auc_score with
    multi_class="ovr".
    """
    return _mean_over_classes(_area, scores, labels, weights)


def average_precision(scores: Array, labels: Array, weights: Array | None = None) -> Array:
    """The average precision, 0-d: the area under the precision-recall curve, without interpolation.

        sum over rows i of the class of w_i precision_i / sum w_i        precision_i = that of all rows with s_j >= s_i

    scores   as for `roc_auc`
    labels   as for `roc_auc`
    weights  (N,) row weights; 1 by default

    For more than two classes, the mean over those that occur, each against the rest; NaN if none occurs. Manning et al.
    2008, section 8.4; scikit-learn's average_precision_score.
    """
    return _mean_over_classes(_mean_precision, scores, labels, weights)


_Curve = Callable[[Array, Array, Array], tuple[Array, Array]]
"""Numerator and denominator of an area, of scores and the weights of the rows inside and outside of the class."""


def _mean_over_classes(curve: _Curve, scores: Array, labels: Array, weights: Array | None) -> Array:
    xp, factors = namespace(scores), row_weights(scores, weights)
    areas = []
    for column, inside in _columns(scores, labels):
        areas.append(curve(column, xp.where(inside, factors, 0.0), xp.where(inside, 0.0, factors)))
    values = xp.stack([ratio(numerator, denominator) for numerator, denominator in areas])
    defined = xp.stack([denominator for _, denominator in areas]) > 0
    count = xp.sum(xp.astype(defined, values.dtype))
    return xp.where(count > 0, ratio(xp.sum(xp.where(defined, values, 0.0)), count), float("nan"))


def _columns(scores: Array, labels: Array) -> list[tuple[Array, Array]]:
    """The scores (N,) of each class that is averaged over, and a mask of its rows."""
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
    pairs_in_order = total(xp.take(inside, order, axis=0) * (lower + not_above)) / 2.0
    return pairs_in_order, total(inside) * total(outside)


def _mean_precision(scores: Array, inside: Array, outside: Array) -> tuple[Array, Array]:
    xp = namespace(scores)
    order = xp.argsort(scores)
    ordered, hits = xp.take(scores, order, axis=0), xp.take(inside, order, axis=0)
    sums = _sums_before(hits), _sums_before(hits + xp.take(outside, order, axis=0))
    true, predicted = (each[-1:] - _at(each, ordered, "left") for each in sums)
    return total(hits * ratio(true, predicted)), total(inside)


def _sums_before(values: Array) -> Array:
    """The cumulative sums, with 0 first, (N + 1,)."""
    return namespace(values).cumulative_sum(values, include_initial=True)


def _at(sums: Array, ordered: Array, side: str) -> Array:
    """The sum over the rows below each score (side "left"), or over those that are not above it ("right")."""
    xp = namespace(sums)
    return xp.take(sums, xp.searchsorted(ordered, ordered, side=side), axis=0)
