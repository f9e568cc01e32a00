"""Regression losses. Outputs z and targets y are (N, K), and the value of a row is a mean over K.

`fit` standardises their targets by the training rows; for Poisson it divides them by the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from portanet._typing import Array
from portanet.nn.losses.loss import Loss, TaskKind, require_positive
from portanet.xp import namespace


@dataclass(frozen=True, repr=False)
class MeanSquaredError(Loss):
    """The squared distance from the target.

        value_i = mean_k (z_ik - y_ik)^2        dz_ik = weights_i / K * 2 (z_ik - y_ik)

    Least squares: Legendre 1805. As torch.nn.functional.mse_loss; scikit-learn's MLPRegressor takes half of it.
    """

    task: ClassVar[TaskKind] = TaskKind.REGRESS

    def __call__(self, outputs: Array, targets: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, targets.shape)
        residuals = outputs - targets
        half_slope = residuals * _each(outputs, weights)
        residuals *= half_slope
        half_slope *= 2.0
        return namespace(outputs).sum(residuals), half_slope


@dataclass(frozen=True, repr=False)
class MeanAbsoluteError(Loss):
    """The absolute distance from the target, which is robust to outliers.

        value_i = mean_k |z_ik - y_ik|        dz_ik = weights_i / K * sign(z_ik - y_ik), 0 where they are equal

    Least absolute deviations: Laplace 1774. As torch.nn.functional.l1_loss; the outputs tend to medians.
    """

    task: ClassVar[TaskKind] = TaskKind.REGRESS

    def __call__(self, outputs: Array, targets: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, targets.shape)
        xp, each = namespace(outputs), _each(outputs, weights)
        residuals = outputs - targets
        slope = xp.where(residuals > 0, each, xp.where(residuals < 0, -each, 0.0))
        return xp.sum(residuals * slope), slope


@dataclass(frozen=True, repr=False)
class Huber(Loss):
    """Squared error near the target and linear beyond `delta`, so that the gradient of outliers is bounded.

        r = z_ik - y_ik        c = r within [-delta, delta]
        value_i = mean_k c (r - c / 2)        dz_ik = weights_i / K * c

    This is r^2 / 2 near the target, and delta (|r| - delta / 2) far from it.

    delta  the distance at which the loss becomes linear, in standard deviations of the targets, as `fit` standardises
           them; in a direct call of the loss, in the unit of its arguments

    Huber 1964, as torch.nn.functional.huber_loss. scikit-learn's HuberRegressor puts twice this on residuals over a
    spread that it estimates along with the model. Raises ConfigError unless delta > 0.
    """

    delta: float = 1.0

    task: ClassVar[TaskKind] = TaskKind.REGRESS

    def __post_init__(self) -> None:
        require_positive(self, "delta", self.delta)

    def __call__(self, outputs: Array, targets: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, targets.shape)
        xp = namespace(outputs)
        residuals = outputs - targets
        near = xp.minimum(xp.maximum(residuals, -self.delta), self.delta)
        slope = near * _each(outputs, weights)
        residuals -= near * 0.5
        residuals *= slope
        return xp.sum(residuals), slope


@dataclass(frozen=True, repr=False)
class Poisson(Loss):
    """The Poisson loss for counts: the outputs are the logarithms of the expected counts.

        value_i = mean_k exp(z_ik) - y_ik z_ik        dz_ik = weights_i / K * (exp(z_ik) - y_ik)

    The negative log-likelihood of a Poisson distribution, without log y!, which does not depend on the outputs: Nelder
    and Wedderburn 1972, as torch.nn.functional.poisson_nll_loss. scikit-learn's mean_poisson_deviance is twice this,
    plus a constant that makes it 0 where rate and count are equal.
    """

    task: ClassVar[TaskKind] = TaskKind.COUNT
    takes_logits: ClassVar[str] = "it contains the exponential"

    def __call__(self, outputs: Array, targets: Array, weights: Array, /) -> tuple[Array, Array]:
        self.require_labels(outputs.shape, targets.shape)
        xp, each = namespace(outputs), _each(outputs, weights)
        rates = xp.exp(outputs)
        return xp.sum((rates - targets * outputs) * each), (rates - targets) * each


def _each(outputs: Array, weights: Array) -> Array:
    """The weight of each output: that of its row, divided by K."""
    return (weights / outputs.shape[1])[:, None]


mean_squared_error = MeanSquaredError()
mean_absolute_error = MeanAbsoluteError()
huber = Huber()
poisson = Poisson()
