"""Scores: every metric of a task for a model's outputs on labelled rows, on the host in float64."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from portanet import metrics
from portanet._typing import HostArray
from portanet.errors import ConfigError
from portanet.metrics import LOSS, Metric
from portanet.storage.model_card import ModelCard
from portanet.training.inputs.tasks import Task
from portanet.training.inputs.units import Unit
from portanet.training.trained.intervals import bounds

LARGE = 2**24  # outputs, 128 MiB in float64; for more, by default only metrics that add up over batches are computed


@dataclass(frozen=True)
class Answers:
    """Outputs (N, K) and labels as the loss takes them, in float64, with the unit of a regression's targets."""

    task: Task
    outputs: Any
    labels: Any
    card: ModelCard = ModelCard(())  # noqa: RUF009 - frozen

    @cached_property
    def unit(self) -> Unit:
        """The unit of the targets."""
        return Unit.of_card(self.card)

    @cached_property
    def probabilities(self) -> Any:
        """The probabilities of the classes, (N, K)."""
        return self.task.probabilities(self.outputs)

    @cached_property
    def confusion(self) -> Any:
        """The confusion matrix, (K, K) in float64; counted, because one-hot rows of many classes are large."""
        classes = self.outputs.shape[1]
        pairs = self.labels.astype(np.int64) * classes + self.outputs.argmax(axis=1)
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.float64)

    @cached_property
    def predictions(self) -> Any:
        """The predictions, in the unit of the targets, (N, K)."""
        predictions: Any = self.task.predictions(self.outputs)
        return self.unit.targets(predictions.reshape(self.labels.shape))

    @cached_property
    def targets(self) -> Any:
        """The targets in their unit, (N, K)."""
        return self.unit.targets(self.labels)

    @cached_property
    def bounds(self) -> tuple[Any, Any]:
        """The ends of the intervals, each (N, K)."""
        ends: Any = bounds(self.outputs, self.card)
        return ends[:, 0], ends[:, 1]


_Scores = dict[Metric, Callable[[Answers], Any]]
_RANKINGS: _Scores = {
    metrics.ROC_AUC: lambda of: metrics.roc_auc(of.probabilities, of.labels),
    metrics.AVERAGE_PRECISION: lambda of: metrics.average_precision(of.probabilities, of.labels),
}
_OF_CLASSES: _Scores = {
    metrics.BALANCED_ACCURACY: lambda of: metrics.balanced_accuracy(of.confusion),
    metrics.F1: lambda of: metrics.f1(of.confusion),
    **_RANKINGS,
    metrics.LOG_LOSS: lambda of: metrics.log_loss(of.probabilities, of.labels),
}
_OF_NUMBERS: _Scores = {
    metrics.RMSE: lambda of: metrics.root_mean_squared_error(of.predictions, of.targets),
    metrics.MAE: lambda of: metrics.mean_absolute_error(of.predictions, of.targets),
    metrics.MEDIAN_ERROR: lambda of: metrics.median_absolute_error(of.predictions, of.targets),
}
_OF_INTERVALS: _Scores = {
    **_OF_NUMBERS,
    metrics.COVERAGE: lambda of: ((of.bounds[0] <= of.targets) & (of.targets <= of.bounds[1])).mean(),
    metrics.WIDTH: lambda of: (of.bounds[1] - of.bounds[0]).mean(),
}


def _of(task: Task) -> _Scores:
    """The further scores of a task, without its own metric and the loss."""
    if getattr(task, "levels", 1) > 1:
        return _OF_INTERVALS
    return _OF_CLASSES if task.has_one_class else _RANKINGS if task.is_classification else _OF_NUMBERS


def known_metrics(task: Task) -> list[Metric]:
    """Every metric of a task: its own first, the loss last."""
    return [task.metric, *_of(task), LOSS]


def metric_named(name: Any, task: Task) -> Metric:
    """Return the metric of this name; raises ConfigError with all metrics of the task for an unknown one."""
    known = {metric.key: metric for metric in known_metrics(task)}
    if not isinstance(name, str) or name not in known:
        close = difflib.get_close_matches(str(name), known, 1)
        remedy = f"write metric={close[0]!r}" if close else ""
        raise ConfigError(f"metric must be one of {', '.join(known)}, got {name!r}.", remedy=remedy)
    return known[name]


def scores(answers: Answers, keys: Collection[str] | None = None) -> dict[str, float]:
    """Return the scores with these keys, or all that are defined; labels that are class probabilities have none.

    The area under a curve is undefined if all rows are of one class, an error if the targets have different units.
    """
    if answers.task.has_one_class and answers.labels.ndim == 2:
        return {}
    measured = {
        metric.key: float(score(answers))
        for metric, score in _of(answers.task).items()
        if (keys is None and not (metric.has_unit and count_of(answers.labels) > 1)) or metric.key in (keys or ())
    }
    return measured if keys is not None else {key: value for key, value in measured.items() if np.isfinite(value)}


def count_of(targets: HostArray) -> int:
    """Return the number of targets in a row of (N,) or (N, K) targets."""
    return targets.shape[1] if targets.ndim == 2 else 1


def baseline(task: Task, training: HostArray, labels: HostArray) -> dict[str, float]:
    """Return the scores of a model that always predicts the most common class, or the mean of the training targets.

    training and labels are class numbers (N,), ones and zeros (N, K) for a multi-label model, or targets (N,) or
    (N, K). For classes this is the accuracy, for a regression R2, and with one target the root mean squared error too.
    A model that does not beat it has learned nothing.
    """
    if task.is_classification and labels.ndim == 2:
        return {task.metric.key: float((labels == (training.mean(axis=0) > 0.5)).mean())}
    if task.is_classification:
        return {task.metric.key: float((labels == np.bincount(training).argmax()).mean())}
    targets: Any = labels.reshape(len(labels), -1).astype(np.float64)
    mean: Any = np.broadcast_to(training.reshape(len(training), -1).mean(axis=0, dtype=np.float64), targets.shape)
    value, error = metrics.r2(mean, targets), metrics.root_mean_squared_error(mean, targets)
    found: dict[str, Any] = {task.metric.key: value} | ({metrics.RMSE.key: error} if targets.shape[1] == 1 else {})
    return {key: float(score) for key, score in found.items()}
