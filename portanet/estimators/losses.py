"""Losses by scikit-learn's names, in the size that scikit-learn gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array
from portanet.nn import binary_cross_entropy, cross_entropy, mean_squared_error, poisson
from portanet.nn.losses.loss import LossFunction, TaskKind
from portanet.training.arguments import as_loss


@dataclass(frozen=True)
class Scaled:
    """A loss times a number.

    A row's value in portanet is a mean over the outputs; scikit-learn's gradient is that of a sum, and of half squares.
    """

    loss: LossFunction
    factor: float

    @property
    def task(self) -> TaskKind:
        """What the labels are."""
        return getattr(self.loss, "task", TaskKind.CLASSIFY)

    def __call__(self, outputs: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        return self.loss(outputs, labels, weights * self.factor)


def classification_loss(given: Any, outputs: int, *, one_class: bool) -> LossFunction:
    """Return the loss to train a classifier with: cross-entropy, of each output by itself unless a row has one class.

    outputs    of the network: one for two classes
    one_class  whether each row is of one class
    """
    if given not in (None, "log_loss"):
        return as_loss(given)
    if one_class and outputs > 1:
        return cross_entropy
    return Scaled(binary_cross_entropy, float(outputs))


def regression_loss(given: Any, outputs: int) -> LossFunction:
    """Return the loss to train a regression with."""
    if given == "squared_error":
        return Scaled(mean_squared_error, outputs / 2)
    if given == "poisson":
        return Scaled(poisson, float(outputs))
    return as_loss(given)


def plain_loss(loss: Any) -> LossFunction:
    """Return the loss that a model file names: the cross-entropy for None."""
    if loss is None:
        return cross_entropy
    return loss.loss if isinstance(loss, Scaled) else loss
