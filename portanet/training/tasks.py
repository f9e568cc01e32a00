"""What a loss is for: which labels it takes, what it makes of outputs, and how good they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from portanet import metrics
from portanet._typing import Array, HostArray
from portanet.errors import DataError, ModelError
from portanet.nn.losses import sigmoid, softmax
from portanet.xp import namespace


class Task(ABC):
    """One kind of answer.

    score  the name of its measure in histories and results
    """

    score: str

    @abstractmethod
    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        """The labels of `count` rows as the loss takes them; DataError for what the task cannot mean."""

    @abstractmethod
    def counted(self, outputs: Array, labels: Array) -> Array:
        """What adds up over batches to the score."""

    @abstractmethod
    def scored(self, counted: Any, labels: HostArray) -> float:
        """The score of all rows, from what was counted over them."""

    @abstractmethod
    def answers(self, outputs: Array) -> Array:
        """What `predict` gives for outputs."""

    def probabilities(self, outputs: Array) -> Array:
        """The probability of each class; ModelError where the task knows none."""
        raise ModelError("this model was trained to predict numbers, which have no probabilities; use predict.")


class Classify(Task):
    """One class for each row: labels are class numbers (N,), or a probability for each class (N, K)."""

    score = "accuracy"

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        if given.shape == (count, outputs) and outputs > 1:
            return _soft(given)
        if given.shape != (count,):
            raise DataError(f"labels must be one number for each of the {count} rows, got shape {given.shape}.")
        if given.dtype.kind not in "ui":
            raise DataError(f"labels must be whole numbers from 0 to {outputs - 1}, got dtype {given.dtype}.")
        wrong = np.flatnonzero((given < 0) | (given >= outputs))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"row {row}: label {given[row]} is not one of the model's {outputs} classes, 0 to {outputs - 1}."
            )
        return given.astype(np.int32)

    def counted(self, outputs: Array, labels: Array) -> Array:
        return metrics.correct(outputs, labels)

    def scored(self, counted: Any, labels: HostArray) -> float:
        return float(counted) / len(labels)

    def answers(self, outputs: Array) -> Array:
        xp = namespace(outputs)
        return xp.astype(xp.argmax(outputs, axis=1), xp.int32)

    def probabilities(self, outputs: Array) -> Array:
        return softmax(outputs)


class Multilabel(Task):
    """Any number of classes for each row: labels (N, K) are 1 where a class is there, else 0, or in between."""

    score = "accuracy"

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        given = _numbers(given, count, outputs)
        if not ((given >= 0) & (given <= 1)).all():
            raise DataError("labels of several classes at once must be from 0 to 1.")
        return given

    def counted(self, outputs: Array, labels: Array) -> Array:
        return metrics.correct_entries(outputs, labels)

    def scored(self, counted: Any, labels: HostArray) -> float:
        return float(counted) / labels.size

    def answers(self, outputs: Array) -> Array:
        xp = namespace(outputs)
        return xp.astype(outputs > 0, xp.int32)

    def probabilities(self, outputs: Array) -> Array:
        return sigmoid(outputs)


class Regress(Task):
    """Numbers for each row: targets (N, K), or (N,) for a model with one output."""

    score = "r2"

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        return _numbers(given, count, outputs)

    def counted(self, outputs: Array, labels: Array) -> Array:
        residuals = outputs - labels
        return namespace(outputs).sum(residuals * residuals, axis=0)

    def scored(self, counted: Any, labels: HostArray) -> float:
        """1 - residual / total sum of squares, the mean over outputs; a constant target gives 1 if met, else 0."""
        wide = labels.astype(np.float64)
        total = ((wide - wide.mean(axis=0)) ** 2).sum(axis=0)
        residual = np.asarray(counted, np.float64)
        constant = np.where(residual == 0, 1.0, 0.0)
        return float(np.where(total == 0, constant, 1.0 - residual / np.where(total == 0, 1.0, total)).mean())

    def answers(self, outputs: Array) -> Array:
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs


class Count(Regress):
    """How many for each row: targets of at least 0, the outputs are logarithms of their means."""

    def labels(self, given: HostArray, count: int, outputs: int) -> HostArray:
        given = super().labels(given, count, outputs)
        if (given < 0).any():
            raise DataError(f"row {int(np.argwhere(given < 0)[0, 0])}: the label is below 0, and counts are not.")
        return given

    def counted(self, outputs: Array, labels: Array) -> Array:
        return super().counted(namespace(outputs).exp(outputs), labels)

    def answers(self, outputs: Array) -> Array:
        return super().answers(namespace(outputs).exp(outputs))


def task_of(loss: Any) -> Task:
    """The task of a loss; a plain function of yours classifies."""
    return _TASKS[getattr(loss, "task", "classify")]


_TASKS = {"classify": Classify(), "multilabel": Multilabel(), "regress": Regress(), "count": Count()}


def _numbers(given: HostArray, count: int, outputs: int) -> HostArray:
    """(N, K) finite numbers."""
    shaped = given[:, None] if given.ndim == 1 and outputs == 1 else given
    if shaped.shape != (count, outputs) or given.dtype.kind not in "buif":
        wanted = f"{outputs} number{'s' if outputs > 1 else ''} for each of the {count} rows"
        raise DataError(f"labels must be {wanted}, got shape {given.shape} of {given.dtype}.")
    wide = shaped.astype(np.float64)
    if not np.isfinite(wide).all():
        raise DataError(f"row {int(np.argwhere(~np.isfinite(wide))[0, 0])}: the label is NaN or infinite.")
    return wide


def _soft(given: HostArray) -> HostArray:
    """(N, K) probabilities."""
    if given.dtype.kind not in "buif" or not (given >= 0).all() or not np.allclose(given.sum(axis=1), 1.0, atol=1e-4):
        raise DataError("labels with a probability for each class must be at least 0 and sum to 1 in each row.")
    return given.astype(np.float64)
