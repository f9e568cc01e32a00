"""The unit of a regression's targets: training does not depend on their unit or origin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from portanet._typing import HostArray
from portanet.errors import DataError
from portanet.storage.model_card import ModelCard

_ROUNDING = 1e-12  # relative to the mean; a smaller deviation is a constant with rounding errors
_SQUARABLE = 2.0**50  # sums of squares of millions of numbers between 1 / this and this fit float32


@dataclass(frozen=True)
class Unit:
    """The unit of a regression's targets: a center and a scale for each output, in float64.

        target = center + scale * number

    Without center and scale, the model's numbers are the targets. Both are weighted by the rows' weights, so a row of
    weight 0 does not change them.
    """

    center: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @classmethod
    def of_card(cls, card: ModelCard) -> Unit:
        """Return the unit of a trained model."""
        return cls(card.target_center, card.target_scale)

    @classmethod
    def of_deviations(cls, targets: HostArray, weights: HostArray | None) -> Unit:
        """Return mean and standard deviation of targets (N, K); for constant targets, the value and its size, or 1."""
        mean, deviation = _moments(targets, weights)
        constant = deviation <= _ROUNDING * np.abs(mean)
        size = np.where(mean != 0, np.abs(mean), 1.0)
        return cls(tuple(mean.tolist()), tuple(np.where(constant, size, deviation).tolist()))

    @classmethod
    def of_means(cls, targets: HostArray, weights: HostArray | None) -> Unit:
        """Return 0 and the mean of targets (N, K) of at least 0; the scale is 1 if all are 0."""
        mean, _ = _moments(targets, weights)
        return cls((0.0,) * len(mean), tuple(np.where(mean > 0, mean, 1.0).tolist()))

    def numbers(self, targets: HostArray) -> HostArray:
        """Return targets (N, K) as the model's numbers."""
        return (targets - np.asarray(self.center)) / np.asarray(self.scale) if self.scale else targets

    def targets(self, numbers: HostArray) -> HostArray:
        """Return a model's numbers, (N, K) or (N,), as targets."""
        return np.asarray(self.center) + np.asarray(self.scale) * numbers if self.scale else numbers

    def rounded(self, targets: HostArray, dtype: str) -> HostArray:
        """Return predictions (N, K) or (N,) rounded to the precision of a model of this dtype."""
        if not self.scale:
            return targets.astype(dtype)
        digits = 7 if dtype == "float32" else 15
        columns = [
            np.round(column, decimals) if abs(decimals := digits - math.floor(math.log10(scale))) < 300 else column
            for column, scale in zip(targets.reshape(len(targets), -1).T, self.scale, strict=True)
        ]
        return np.stack(columns, axis=1).reshape(targets.shape)


def require_squares(targets: HostArray, dtype: str) -> None:
    """Raise DataError if the squares of targets that are not standardised do not fit the dtype."""
    largest = float(np.abs(targets).max(initial=0.0))
    if dtype == "float32" and largest and not 1 / _SQUARABLE <= largest <= _SQUARABLE:
        raise DataError(
            f"this model and loss take targets in their own unit, and squares of {largest:.4g} do not fit float32; "
            "scale them, or train with dtype='float64'."
        )


def _moments(targets: HostArray, weights: HostArray | None) -> tuple[HostArray, HostArray]:
    """The mean and the standard deviation of each column in float64; no square overflows, equal values stay equal."""
    wide = targets.astype(np.float64)
    if weights is not None:
        wide, weights = wide[weights > 0], weights[weights > 0]
    exponents = np.frexp(np.abs(wide).max(axis=0))[1]
    wide = np.ldexp(wide, -exponents)
    first = wide[0].copy()
    wide -= first
    mean = np.average(wide, axis=0, weights=weights)
    wide -= mean
    deviation = np.sqrt(np.average(wide * wide, axis=0, weights=weights))
    return np.ldexp(first + mean, exponents), np.ldexp(deviation, exponents)
