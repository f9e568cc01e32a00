"""The quantile loss: bounds that a target exceeds with a given probability."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import ClassVar

from portanet._typing import Array, Shape
from portanet.errors import ConfigError, DataError
from portanet.nn.losses.loss import Loss, TaskKind
from portanet.xp import namespace


@dataclass(frozen=True, repr=False)
class Quantile(Loss):
    """The pinball loss: an output too low costs its level, one too high the rest, so that it tends to the quantile.

        r = y_ik - z_iqk        value_i = mean_qk max(level_q r, (level_q - 1) r)
        dz_iqk = weights_i / (Q K) * ([r < 0] - level_q), 0 where r = 0

    targets y (N, K); outputs z (N, Q K), all K of the first level, then those of the second, ...: the model ends in
    Dense(Q * K), Dense(3) by default. `predict` returns the middle level; the first and the last bound the
    `intervals`. Koenker and Bassett 1978; the mean of scikit-learn's mean_pinball_loss over the levels.

    levels  an odd number of quantiles, ascending, between 0 and 1

    Raises ConfigError for other levels, and DataError for targets of another shape.
    """

    levels: tuple[float, ...] = (0.05, 0.5, 0.95)

    task: ClassVar[TaskKind] = TaskKind.QUANTILES

    def __post_init__(self) -> None:
        given = self.levels if isinstance(self.levels, (tuple, list)) else ()
        levels = tuple(float(level) if isinstance(level, Real) else math.nan for level in given)
        edges = (0.0, *levels, 1.0)
        if len(levels) % 2 == 0 or not all(low < high for low, high in pairwise(edges)):
            raise ConfigError(
                f"Quantile needs an odd number of ascending levels between 0 and 1, got {self.levels!r}.",
                remedy="write Quantile((0.05, 0.5, 0.95)), or Quantile((0.9,)) for one quantile alone",
            )
        object.__setattr__(self, "levels", levels)

    @property
    def outputs_per_target(self) -> int:
        return len(self.levels)

    def require_labels(self, outputs: Shape, labels: Shape) -> None:
        if len(labels) != 2 or tuple(outputs) != (labels[0], labels[1] * len(self.levels)):
            raise DataError(
                f"Quantile takes {len(self.levels)} outputs for each target, got targets of shape {tuple(labels)} "
                f"for outputs of {tuple(outputs)}."
            )

    def __call__(self, outputs: Array, targets: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, targets.shape)
        xp, count = namespace(outputs), targets.shape[1]
        each = (weights / outputs.shape[1])[:, None]
        blocks = [outputs[:, q * count : (q + 1) * count] for q in range(len(self.levels))]
        values, slopes = [], []
        for level, block in zip(self.levels, blocks, strict=True):
            residuals = targets - block
            slope = xp.where(residuals > 0, -level * each, xp.where(residuals < 0, (1.0 - level) * each, 0.0))
            values.append(-residuals * slope)
            slopes.append(slope)
        return xp.sum(xp.concat(values, axis=1)), xp.concat(slopes, axis=1)
