"""Regression metrics: how far predictions are from their targets."""

from __future__ import annotations

from portanet._typing import Array
from portanet.metrics.parts import mean, ratio, row_weights
from portanet.xp import namespace


def r2(predictions: Array, targets: Array) -> Array:
    """The coefficient of determination, 0-d: the fraction of the targets' variance that the predictions explain.

        mean over columns of 1 - sum_i (y_i - p_i)^2 / sum_i (y_i - mean y)^2

    predictions  (N, K) p
    targets      (N, K) y

    1 is perfect, 0 is as good as predicting the mean, less is worse. A column of equal targets gives 1 if all
    predictions equal them and 0 otherwise, as in scikit-learn's r2_score. Both are first divided by the column's
    largest target, so that squares neither overflow nor underflow. Wright 1921, Journal of Agricultural Research 20.
    """
    scale = _size(targets)
    predictions, targets = predictions / scale, targets / scale
    return r2_from(squared_residuals(predictions, targets), targets)


def squared_residuals(predictions: Array, targets: Array) -> Array:
    """The sum over rows of (y_i - p_i)^2, (K,).

    predictions  (N, K) p
    targets      (N, K) y
    """
    residuals = targets - predictions
    return namespace(residuals).sum(residuals * residuals, axis=0)


def r2_from(residual: Array, targets: Array) -> Array:
    """The coefficient of determination, 0-d, from sums of squares: see `r2`.

    residual  (K,) the `squared_residuals` of all rows
    targets   (N, K) the targets of all rows
    """
    xp = namespace(targets)
    spread = targets - targets[:1, ...]  # exactly 0 for equal targets, despite rounding
    spread = spread - xp.mean(spread, axis=0, keepdims=True)
    total = xp.sum(spread * spread, axis=0)
    constant = xp.astype(residual == 0, residual.dtype)
    return xp.mean(xp.where(total > 0, 1.0 - ratio(residual, total), constant))


def root_mean_squared_error(predictions: Array, targets: Array, weights: Array | None = None) -> Array:
    """The root mean squared error, in the targets' unit, 0-d; for several columns their mean.

        sqrt(sum_i w_i (y_i - p_i)^2 / sum_i w_i)

    predictions  (N,) or (N, K) p
    targets      (N,) or (N, K) y
    weights      (N,) row weights; 1 by default

    All errors are first divided by the largest, so that squares neither overflow nor underflow. Gauss 1809;
    scikit-learn's root_mean_squared_error.
    """
    xp, errors = namespace(targets), _errors(predictions, targets)
    scale = _size(errors)
    ratios = errors / scale
    return xp.mean(xp.sqrt(mean(ratios * ratios, row_weights(targets, weights))) * scale[0, ...])


def mean_absolute_error(predictions: Array, targets: Array, weights: Array | None = None) -> Array:
    """The mean absolute error, in the targets' unit, 0-d; for several columns their mean.

        sum_i w_i |y_i - p_i| / sum_i w_i

    predictions  (N,) or (N, K) p
    targets      (N,) or (N, K) y
    weights      (N,) row weights; 1 by default

    Laplace 1774; scikit-learn's mean_absolute_error.
    """
    return namespace(targets).mean(mean(_errors(predictions, targets), row_weights(targets, weights)))


def median_absolute_error(predictions: Array, targets: Array, weights: Array | None = None) -> Array:
    """The weighted median of the absolute errors, in the targets' unit, 0-d; for several columns their mean.

    predictions  (N,) or (N, K)
    targets      (N,) or (N, K)
    weights      (N,) row weights; 1 by default

    Of two errors in the middle, the mean. Gauss 1816; scikit-learn's median_absolute_error.
    """
    xp, errors, factors = namespace(targets), _errors(predictions, targets), row_weights(targets, weights)
    return xp.mean(xp.concat([_median(errors[:, k], factors) for k in range(errors.shape[1])]))


def _median(values: Array, weights: Array) -> Array:
    """The weighted median of values (N,), (1,)."""
    xp = namespace(values)
    order = xp.argsort(values)
    ordered, sums = xp.take(values, order, axis=0), xp.cumulative_sum(xp.take(weights, order, axis=0))
    low, high = (xp.searchsorted(sums, sums[-1:] / 2.0, side=side) for side in ("left", "right"))
    return (xp.take(ordered, low, axis=0) + xp.take(ordered, high, axis=0)) / 2.0


def _errors(predictions: Array, targets: Array) -> Array:
    """The absolute errors, (N, K)."""
    errors = namespace(targets).abs(targets - predictions)
    return errors if errors.ndim == 2 else errors[:, None]


def _size(x: Array) -> Array:
    """The largest absolute value in each column, (1, K); 1 where all are 0."""
    xp = namespace(x)
    size = xp.max(xp.abs(x), axis=0, keepdims=True)
    return xp.where(size > 0, size, 1.0)
