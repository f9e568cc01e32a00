"""Tasks: the labels that a loss takes, the predictions that its outputs stand for, and their metric."""

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
    TaskKind,
    binary_cross_entropy,
    cross_entropy,
    mean_squared_error,
    poisson,
    sigmoid,
    softmax,
)
from portanet.nn.losses.loss import Loss
from portanet.training.units import Unit
from portanet.xp import namespace


class Task(ABC):
    """One kind of labels and predictions.

    name               its name for `read` and in a configuration file
    metric             the metric of its predictions
    loss               the default loss
    is_classification  whether labels and predictions are classes
    has_one_class      whether each row is of one class
    """

    name: ClassVar[str]
    metric: ClassVar[Metric] = ACCURACY
    loss: ClassVar[Loss]
    is_classification: ClassVar[bool] = True
    has_one_class: ClassVar[bool] = False

    @abstractmethod
    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        """The labels of `count` rows as the loss takes them; DataError for impossible ones."""

    @abstractmethod
    def partial(self, outputs: Array, labels: Array) -> Array:
        """The part of the metric that adds up over batches."""

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
        """The probability of each class; ModelError for a task without classes."""
        raise ModelError("this model was trained to predict numbers, which have no probabilities; use predict.")

    def unit(self, labels: HostArray, weights: HostArray | None) -> Unit:
        """The unit that the labels of the training rows are trained in; of classes there is none."""
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
            return _soft(given)
        if given.shape != (count,):
            raise DataError(
                f"labels must be one number for each of the {count} rows, got shape {given.shape}",
                remedy="make one axis of them, as in numpy.ravel(labels)" if given.size == count else "",
            )
        if given.dtype.kind not in "ui":
            raise DataError(f"labels must be whole numbers from 0 to {outputs - 1}, got dtype {given.dtype}.")
        wrong = np.flatnonzero((given < 0) | (given >= outputs))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"row {row}: label {given[row]} is not one of the model's {outputs} classes, 0 to {outputs - 1}.",
                remedy='to predict numbers, use task="regress"; two classes take Dense(2), or loss="bce"'
                if outputs == 1
                else f"whole numbers count from 0{_last_layer(given)}; other classes are text, as with .astype(str)",
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
    """Any number of classes for each row: labels (N, K) are 1 where a class is there, else 0, or in between."""

    name = TaskKind.MULTILABEL.value
    loss = binary_cross_entropy

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        given = _numbers(given, count, outputs)
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
    """Numbers for each row: targets (N, K), or (N,) for a model with one output, in deviations from their mean."""

    name = TaskKind.REGRESS.value
    loss: ClassVar[Loss] = mean_squared_error
    metric = R2
    is_classification = False

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        return _numbers(given, count, outputs)

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
    """How many for each row: targets of at least 0 over their mean, of which the outputs are the logarithms."""

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


_CLASSES = 1000  # at most, where labels above the outputs are likely to be class numbers

_TASKS: dict[TaskKind, Task] = {
    TaskKind.CLASSIFY: Classify(),
    TaskKind.MULTILABEL: Multilabel(),
    TaskKind.REGRESS: Regress(),
    TaskKind.COUNT: Count(),
}


def task_of(loss: object) -> Task:
    """The task of a loss; a plain function of yours classifies."""
    kind = getattr(loss, "task", TaskKind.CLASSIFY)
    if kind not in _TASKS:
        known = ", ".join(map(str, TaskKind))
        raise ConfigError(f"{type(loss).__name__}: task must be one of {known}, got {kind!r}.")
    return _TASKS[kind]


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
    """The loss to train with: the one given, which must fit the task, or the default one of the task."""
    if loss is None:
        return cross_entropy if task is None else task_named(task).loss
    if task is not None and not task_named(task).suits(loss):
        raise ConfigError(
            f"the loss {loss!r} is for the task {task_of(loss).name!r}, got task={task!r}.",
            remedy=f"leave one of them out: {task_named(task).loss!r} is the usual loss of {task!r}",
        )
    return loss


def _numbers(given: HostArray, count: int, outputs: int) -> HostArray:
    """(N, K) finite numbers."""
    shaped = given[:, None] if given.ndim == 1 and outputs == 1 else given
    if shaped.shape != (count, outputs) or given.dtype.kind not in "buif":
        wanted = f"{outputs} number{'s' if outputs > 1 else ''} for each of the {count} rows"
        remedy = "make one axis of them, as in numpy.ravel(labels)" if outputs == 1 and given.size == count else ""
        if given.dtype.kind in "OUST":
            remedy = "make numbers of them, as in labels.astype(float); text names classes for cross_entropy"
        raise DataError(f"labels must be {wanted}, got shape {given.shape} of {given.dtype}", remedy=remedy)
    wide = shaped.astype(np.float64)
    if given.dtype.kind in "iu" and (large := np.abs(wide) >= 2.0**53).any():
        row, column = map(int, np.argwhere(large)[0])
        raise DataError(
            f"row {row}: the label {shaped[row, column]} is beyond 2**53, where float64 makes one of two neighbours.",
            remedy="subtract a constant from the labels, or predict it as text if it names a class",
        )
    if not np.isfinite(wide).all():
        raise DataError(f"row {int(np.argwhere(~np.isfinite(wide))[0, 0])}: the label is NaN or infinite.")
    return wide


def _last_layer(labels: HostArray) -> str:
    """The advice for labels that may be class numbers beyond the outputs: what the model must end in."""
    most = int(labels.max()) + 1
    return f", so end the model in Dense({most})" if labels.min() >= 0 and most <= _CLASSES else ""


def _soft(given: HostArray) -> HostArray:
    """(N, K) probabilities."""
    if given.dtype.kind not in "buif" or not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1.0, atol=1e-4):
        raise DataError("labels with a probability for each class must be at least 0 and sum to 1 in each row.")
    return given.astype(np.float64)
