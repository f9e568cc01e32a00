"""How far numbers are from their targets."""

from __future__ import annotations

from portanet._typing import Array
from portanet.metrics.parts import ratio
from portanet.xp import namespace


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
    return xp.mean(xp.where(total > 0, 1.0 - ratio(residual, total), constant))
