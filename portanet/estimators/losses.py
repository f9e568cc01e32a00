"""Losses by scikit-learn's names, with scikit-learn's scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array
from portanet.errors import ConfigError
from portanet.nn import binary_cross_entropy, cross_entropy, mean_squared_error, poisson
from portanet.nn.losses.loss import LossFunction, TaskKind
from portanet.training.inputs.arguments import as_loss


@dataclass(frozen=True)
class Scaled:
    """A loss times a factor.

    portanet's value of a row is a mean over the outputs; scikit-learn's gradients are those of a sum, with half the
    squared error.
    """

    loss: LossFunction
    factor: float

    @property
    def task(self) -> TaskKind:
        """The kind of labels."""
        return task_of(self.loss)

    def __call__(self, outputs: Array, labels: Array, weights: Array, /) -> tuple[Array, Array]:
        return self.loss(outputs, labels, weights * self.factor)


def classification_loss(spec: Any, outputs: int, *, one_class: bool) -> LossFunction:
    """Return the loss of a classifier; by default the cross-entropy, binary for one output or multi-label rows.

    outputs    of the network; two classes have one
    one_class  whether each row has one class
    """
    if not is_log_loss(spec):
        return _for_classes(spec, outputs, one_class=one_class)
    if one_class and outputs > 1:
        return cross_entropy
    return Scaled(binary_cross_entropy, float(outputs))


def is_log_loss(spec: Any) -> bool:
    """Whether this is scikit-learn's default loss of a classifier."""
    return spec is None or (isinstance(spec, str) and spec == "log_loss")


def has_output_per_class(spec: Any) -> bool:
    """Whether a loss takes an output for each class, also for two classes."""
    return not is_log_loss(spec) and task_of(as_loss(spec)) is TaskKind.CLASSIFY


def task_of(loss: Any) -> TaskKind:
    """Return the kind of task of a loss; that of a function is classification."""
    return getattr(loss, "task", TaskKind.CLASSIFY)


def _for_classes(spec: Any, outputs: int, *, one_class: bool) -> LossFunction:
    loss = as_loss(spec)
    task = getattr(loss, "task", None)  # None for a function
    if task not in (None, TaskKind.CLASSIFY, TaskKind.MULTILABEL):
        raise ConfigError(f"MLPClassifier needs a classification loss, and {spec!r} is for numbers", remedy=_CLASSES)
    if one_class and outputs > 1 and task is TaskKind.MULTILABEL:
        problem = f"the loss {spec!r} is for multi-label rows, and each row of y has one of {outputs} classes"
        raise ConfigError(problem, remedy="write loss='log_loss', or pass y as ones and zeros (N, K)")
    if one_class and outputs == 1 and task is not TaskKind.MULTILABEL:
        problem = f"the loss {spec!r} takes an output for each class, and the network has one output"
        raise ConfigError(problem, remedy="write loss='log_loss', or fit two classes or more with warm_start=False")
    if not one_class and task is TaskKind.CLASSIFY:
        problem = f"the loss {spec!r} is for one class in each row, and y has several labels"
        raise ConfigError(problem, remedy="write loss='log_loss' or loss='binary_cross_entropy'")
    return loss


_CLASSES = "write loss='log_loss', or CrossEntropy(label_smoothing=0.1) of portanet.nn"
_NUMBERS = "write loss='squared_error', 'absolute_error', 'huber' or 'poisson', or Quantile((0.9,)) of portanet.nn"


def regression_loss(spec: Any, outputs: int) -> LossFunction:
    """Return the loss of a regressor. Raises ConfigError for a classification loss."""
    if spec == "squared_error":
        return Scaled(mean_squared_error, outputs / 2)
    if spec == "poisson":
        return Scaled(poisson, float(outputs))
    if isinstance(spec, str) and spec.lower() in ("quantile", "pinball"):
        raise ConfigError(
            f"loss={spec!r} does not say which quantile, and alpha is the L2 penalty here",
            remedy="write loss=Quantile((0.9,)) of portanet.nn",
        )
    return _for_numbers(as_loss(spec), spec)


def _for_numbers(loss: LossFunction, spec: Any) -> LossFunction:
    if getattr(loss, "task", TaskKind.REGRESS) in (TaskKind.CLASSIFY, TaskKind.MULTILABEL):
        raise ConfigError(f"MLPRegressor predicts numbers, and the loss {spec!r} is for classes", remedy=_NUMBERS)
    if getattr(loss, "outputs_per_target", 1) > 1:
        raise ConfigError(
            f"MLPRegressor has one output for each target, and {spec!r} takes several",
            remedy="write intervals=0.9 for intervals, or Quantile((0.9,)) for one quantile",
        )
    return loss


def plain_loss(loss: Any) -> LossFunction:
    """Return the loss for a model file: without its factor, and the cross-entropy for None."""
    if loss is None:
        return cross_entropy
    return loss.loss if isinstance(loss, Scaled) else loss
