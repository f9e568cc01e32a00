"""Losses by scikit-learn's names, in the size that scikit-learn gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array
from portanet.errors import ConfigError
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
        return task_of(self.loss)

    def __call__(self, outputs: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        return self.loss(outputs, labels, weights * self.factor)


def classification_loss(given: Any, outputs: int, *, one_class: bool) -> LossFunction:
    """Return the loss to train a classifier with: cross-entropy, of each output by itself unless a row has one class.

    outputs    of the network: one for two classes
    one_class  whether each row is of one class
    """
    if not is_log_loss(given):
        return _for_classes(given, outputs, one_class=one_class)
    if one_class and outputs > 1:
        return cross_entropy
    return Scaled(binary_cross_entropy, float(outputs))


def is_log_loss(given: Any) -> bool:
    """Whether this is scikit-learn's loss of a classifier, by its name or by default."""
    return given is None or (isinstance(given, str) and given == "log_loss")


def takes_class_numbers(given: Any) -> bool:
    """Whether a loss wants an output for each class, of two classes as well."""
    return not is_log_loss(given) and task_of(as_loss(given)) is TaskKind.CLASSIFY


def task_of(loss: Any) -> TaskKind:
    """Return what the labels of a loss are; a function has one class for each row."""
    return getattr(loss, "task", TaskKind.CLASSIFY)


def _for_classes(given: Any, outputs: int, *, one_class: bool) -> LossFunction:
    loss = as_loss(given)
    task = getattr(loss, "task", None)  # a function says nothing
    if task not in (None, TaskKind.CLASSIFY, TaskKind.MULTILABEL):
        raise ConfigError(f"MLPClassifier trains on classes, and the loss {given!r} is for numbers", remedy=_CLASSES)
    if one_class and outputs > 1 and task is TaskKind.MULTILABEL:
        problem = f"the loss {given!r} is for several labels at once, and each row of y has one of {outputs} classes"
        raise ConfigError(problem, remedy="write loss='log_loss', or give y as ones and zeros (N, K)")
    if one_class and outputs == 1 and task is not TaskKind.MULTILABEL:
        problem = f"the loss {given!r} takes an output for each class, and the network has one"
        raise ConfigError(problem, remedy="write loss='log_loss', or fit two classes or more with warm_start=False")
    if not one_class and task is TaskKind.CLASSIFY:
        problem = f"the loss {given!r} is for one class in each row, and y has several labels"
        raise ConfigError(problem, remedy="write loss='log_loss' or loss='binary_cross_entropy'")
    return loss


_CLASSES = "write loss='log_loss', or CrossEntropy(label_smoothing=0.1) of portanet.nn"
_NUMBERS = "write loss='squared_error', 'absolute_error', 'huber' or 'poisson', or Quantile((0.9,)) of portanet.nn"


def regression_loss(given: Any, outputs: int) -> LossFunction:
    """Return the loss to train a regression with; ConfigError for one of classes."""
    if given == "squared_error":
        return Scaled(mean_squared_error, outputs / 2)
    if given == "poisson":
        return Scaled(poisson, float(outputs))
    if isinstance(given, str) and given.lower() in ("quantile", "pinball"):
        raise ConfigError(
            f"loss={given!r} does not say which quantile, and alpha is the L2 penalty here",
            remedy="write loss=Quantile((0.9,)), of portanet.nn",
        )
    return _for_numbers(as_loss(given), given)


def _for_numbers(loss: LossFunction, given: Any) -> LossFunction:
    if getattr(loss, "task", TaskKind.REGRESS) in (TaskKind.CLASSIFY, TaskKind.MULTILABEL):
        raise ConfigError(f"MLPRegressor predicts numbers, and the loss {given!r} is for classes", remedy=_NUMBERS)
    if getattr(loss, "outputs_per_target", 1) > 1:
        raise ConfigError(
            f"MLPRegressor has one output for each target, and {given!r} takes several",
            remedy="write intervals=0.9 for intervals, or Quantile((0.9,)) for one quantile",
        )
    return loss


def plain_loss(loss: Any) -> LossFunction:
    """Return the loss that a model file names: the cross-entropy for None."""
    if loss is None:
        return cross_entropy
    return loss.loss if isinstance(loss, Scaled) else loss
