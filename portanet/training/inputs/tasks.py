"""Tasks: the labels that a loss takes, the predictions that follow from the outputs, and their metric."""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import compress
from typing import Any, ClassVar

import numpy as np

from portanet import metrics
from portanet._typing import Array, HostArray
from portanet.errors import ConfigError, DataError, ModelError
from portanet.metrics import ACCURACY, R2, Metric
from portanet.nn import (
    Quantile,
    TaskKind,
    binary_cross_entropy,
    cross_entropy,
    mean_squared_error,
    poisson,
    sigmoid,
    softmax,
)
from portanet.nn.losses.loss import Loss
from portanet.training.inputs.label_checks import as_numbers, as_shares, last_layer
from portanet.training.inputs.units import Unit
from portanet.xp import namespace


class Task(ABC):
    """One kind of labels and predictions.

    name               its name for `read` and in a configuration file
    metric             the metric of its predictions
    loss               the default loss
    is_classification  whether labels and predictions are classes
    has_one_class      whether each row has exactly one class
    """

    name: ClassVar[str]
    metric: ClassVar[Metric] = ACCURACY
    loss: ClassVar[Loss]
    is_classification: ClassVar[bool] = True
    has_one_class: ClassVar[bool] = False

    @abstractmethod
    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        """The labels of `count` rows as the loss takes them; raises DataError for invalid ones."""

    @abstractmethod
    def partial(self, outputs: Array, labels: Array) -> Array:
        """The sum over a batch that the metric is computed from."""

    @abstractmethod
    def finalize(self, total: Any, labels: HostArray) -> float:
        """The metric of all rows, from the sum of `partial` over them."""

    @abstractmethod
    def predictions(self, outputs: Array) -> Array:
        """The predictions for outputs, as `predict` returns them."""

    @abstractmethod
    def texts(self, predictions: HostArray, classes: Sequence[str]) -> list[str]:
        """The predictions as text: names of classes, or numbers."""

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each class; raises ModelError for a task without classes."""
        raise ModelError("this model was trained to predict numbers, which have no probabilities; use predict.")

    def unit(self, labels: HostArray, weights: HostArray | None) -> Unit:
        """The unit of the targets, from those of the training rows; classes have none."""
        return Unit()

    def suits(self, loss: object) -> bool:
        """Whether a loss belongs to this task."""
        return isinstance(task_of(loss), type(self))


class Classify(Task):
    """One class for each row: labels are class numbers (N,), or a probability for each class (N, K)."""

    name = TaskKind.CLASSIFY.value
    loss = cross_entropy
    has_one_class = True

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        if given.shape == (count, outputs) and outputs > 1:
            return as_shares(given)
        if given.shape != (count,):
            raise DataError(
                f"labels must be one number for each of the {count} rows, got shape {given.shape}.",
                remedy="flatten them, as in numpy.ravel(labels)" if given.size == count else "",
            )
        if given.dtype.kind not in "ui":
            raise DataError(
                f"labels must be integers from 0 to {outputs - 1}, got dtype {given.dtype}.",
                remedy='to predict numbers, use task="regress"' if given.dtype.kind == "f" else "",
            )
        wrong = np.flatnonzero((given < 0) | (given >= outputs))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"row {row}: label {given[row]} is not one of the model's {outputs} classes, 0 to {outputs - 1}.",
                remedy='to predict numbers, use task="regress"; two classes take Dense(2), or loss="bce"'
                if outputs == 1
                else f"integers count from 0{last_layer(given)}; other classes are text, as with .astype(str)",
            )
        return given.astype(np.int32)

    def partial(self, outputs: Array, labels: Array) -> Array:
        return metrics.correct(outputs, labels)

    def finalize(self, total: Any, labels: HostArray) -> float:
        return float(total) / len(labels)

    def predictions(self, outputs: Array) -> Array:
        xp = namespace(outputs)
        return xp.astype(xp.argmax(outputs, axis=1), xp.int32)

    def texts(self, predictions: HostArray, classes: Sequence[str]) -> list[str]:
        return [classes[number] for number in predictions.tolist()]

    def probabilities(self, outputs: Array) -> Array:
        return softmax(outputs)


class Multilabel(Task):
    """Any number of classes for each row: labels (N, K) are 1 for each class that applies, else 0, or in between."""

    name = TaskKind.MULTILABEL.value
    loss = binary_cross_entropy

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        given = as_numbers(given, count, outputs)
        if not ((given >= 0) & (given <= 1)).all():
            raise DataError("labels of several classes at once must be from 0 to 1.")
        return given

    def partial(self, outputs: Array, labels: Array) -> Array:
        return metrics.correct_entries(outputs, labels)

    def finalize(self, total: Any, labels: HostArray) -> float:
        return float(total) / labels.size

    def predictions(self, outputs: Array) -> Array:
        xp = namespace(outputs)
        return xp.astype((outputs[:, 0] if outputs.shape[1] == 1 else outputs) > 0, xp.int32)

    def texts(self, predictions: HostArray, classes: Sequence[str]) -> list[str]:
        rows = predictions[:, None] if predictions.ndim == 1 else predictions
        return [" ".join(compress(classes, row)) for row in rows.tolist()]

    def probabilities(self, outputs: Array) -> Array:
        return sigmoid(outputs)


class Regress(Task):
    """Numbers for each row: targets (N, K), or (N,) for a model with one output, trained in standardised units."""

    name = TaskKind.REGRESS.value
    loss: ClassVar[Loss] = mean_squared_error
    metric = R2
    is_classification = False

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        return as_numbers(given, count, outputs)

    def unit(self, labels: HostArray, weights: HostArray | None) -> Unit:
        return Unit.of_deviations(labels, weights)

    def partial(self, outputs: Array, labels: Array) -> Array:
        return metrics.squared_residuals(outputs, labels)

    def finalize(self, total: Any, labels: HostArray) -> float:
        residual: Any = np.asarray(total, np.float64)
        targets: Any = labels.astype(np.float64)
        r2: Any = metrics.r2_from(residual, targets)
        return float(r2)

    def predictions(self, outputs: Array) -> Array:
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def texts(self, predictions: HostArray, classes: Sequence[str]) -> list[str]:
        rows = predictions[:, None] if predictions.ndim == 1 else predictions
        return [" ".join(row) for row in rows.astype(str).tolist()]


class Count(Regress):
    """Counts for each row: targets of at least 0, divided by their mean; the outputs are their logarithms."""

    loss = poisson

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        given = super().labels(given, count, outputs)
        if (given < 0).any():
            raise DataError(f"row {int(np.argwhere(given < 0)[0, 0])}: the label is below 0, and counts are not.")
        return given

    def unit(self, labels: HostArray, weights: HostArray | None) -> Unit:
        return Unit.of_means(labels, weights)

    def partial(self, outputs: Array, labels: Array) -> Array:
        return super().partial(namespace(outputs).exp(outputs), labels)

    def predictions(self, outputs: Array) -> Array:
        return super().predictions(namespace(outputs).exp(outputs))


class Quantiles(Regress):
    """Numbers for each row, with one output per quantile level; the middle quantile is the prediction."""

    loss = Quantile()

    def __init__(self, levels: int = 3) -> None:
        self.levels = levels

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        if outputs % self.levels:
            raise ModelError(
                f"the loss Quantile takes {self.levels} outputs for each target, and the model ends in {outputs}",
                remedy=f"end it in Dense({self.levels})",
            )
        return super().labels(given, count, outputs // self.levels)

    def partial(self, outputs: Array, labels: Array) -> Array:
        return super().partial(middle_of(outputs, self.levels), labels)

    def predictions(self, outputs: Array) -> Array:
        return super().predictions(middle_of(outputs, self.levels))


def middle_of(outputs: Array, levels: int) -> Array:
    """The outputs (N, K) of the middle level, from the outputs (N, Q K) of all levels."""
    count = outputs.shape[1] // levels
    return outputs[:, levels // 2 * count : (levels // 2 + 1) * count]


_TASKS: dict[TaskKind, Task] = {
    TaskKind.CLASSIFY: Classify(),
    TaskKind.MULTILABEL: Multilabel(),
    TaskKind.REGRESS: Regress(),
    TaskKind.COUNT: Count(),
    TaskKind.QUANTILES: Quantiles(),
}


def task_of(loss: object) -> Task:
    """The task of a loss; a plain function is a loss for classes."""
    kind = getattr(loss, "task", TaskKind.CLASSIFY)
    if kind not in _TASKS:
        known = ", ".join(map(str, TaskKind))
        raise ConfigError(f"{type(loss).__name__}: task must be one of {known}, got {kind!r}.")
    return Quantiles(loss.outputs_per_target) if isinstance(loss, Quantile) else _TASKS[kind]


def task_named(name: str) -> Task:
    """The task of this name, one of `TaskKind`; raises ConfigError for an unknown one."""
    for kind, task in _TASKS.items():
        if kind.value == name:
            return task
    known = [kind.value for kind in TaskKind]
    close = difflib.get_close_matches(str(name), known, 1)
    remedy = f"did you mean task={close[0]!r}?" if close else ""
    raise ConfigError(f"task must be one of {', '.join(known)}, got {name!r}.", remedy=remedy)


def loss_for(task: str | None, loss: Any) -> Any:
    """The loss to train with: the given one, which must fit the task, or the task's default."""
    if loss is None:
        return cross_entropy if task is None else task_named(task).loss
    if task is not None and not task_named(task).suits(loss):
        raise ConfigError(
            f"the loss {loss!r} is for the task {task_of(loss).name!r}, got task={task!r}.",
            remedy=f"leave one of them out: {task_named(task).loss!r} is the usual loss of {task!r}",
        )
    return loss
