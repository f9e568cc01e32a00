"""Calibration of probabilities and intervals on the held-out rows, after training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from portanet._typing import HostArray
from portanet.errors import ConfigError
from portanet.nn.layer import Layer
from portanet.training.inputs.row_weights import row_weights
from portanet.training.inputs.tasks import task_of
from portanet.training.inputs.units import Unit
from portanet.training.spec import TrainingSpec
from portanet.training.steps.source import Source
from portanet.training.trained.intervals import margins
from portanet.training.trained.params import TrainedParams
from portanet.training.trained.temperature import inverse_temperature, last_dense, scaled

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


def require_calibratable(spec: TrainingSpec, model: Layer, *, held_out: bool) -> None:
    """Raise ConfigError if probabilities cannot be calibrated: without held-out rows, or without a last Dense.

    spec, model  of the run; nothing is required if the spec does not ask for calibration
    held_out     whether there are rows to calibrate on
    """
    if not spec.calibrate:
        return
    if not held_out:
        raise ConfigError("calibrate needs rows that are held out.", remedy="write valid=0.1 for a tenth of the rows")
    if not task_of(spec.loss).has_one_class or last_dense(model) is None:
        raise ConfigError("calibrate needs rows of one class each, and a model that ends in Dense or NTKDense.")


def put_right(run: TrainedModel, source: Source, labels: HostArray) -> None:
    """Calibrate a run: set the margins of its intervals, or the temperature if its spec asks for calibration.

    The temperature is folded into the weights and biases of the last Dense, so layers and predicted classes stay the
    same. A model that ends in another layer, and a multi-label model, stay unchanged.
    """
    if len(run.card.levels) > 1:
        targets = Unit.of_card(run.card).numbers(labels)
        run.card = replace(run.card, margins=margins(_outputs(run, source), targets, run.card))
        run.params = TrainedParams(run.params, run.card)
    path = last_dense(run.model)
    if run.spec.calibrate and run.task.has_one_class and path is not None and labels.ndim == 1:
        outputs = _outputs(run, source)
        weights = row_weights(None, getattr(run.loss, "class_weight", ()), labels, outputs.shape[1])
        run.params = TrainedParams(scaled(run.params, path, inverse_temperature(outputs, labels, weights)), run.card)


def _outputs(run: TrainedModel, source: Source) -> HostArray:
    return np.concatenate(list(run.map_outputs(source, lambda _, outputs: run.wide(outputs))))
