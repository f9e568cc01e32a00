"""Metrics of a trained model on labelled rows, in one pass over them, or separately for each target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._typing import Array, HostArray
from portanet.errors import DataError, ModelError
from portanet.storage.model_card import ModelCard
from portanet.training.inputs.arrays import as_array
from portanet.training.inputs.ends import shape_remedy
from portanet.training.inputs.frames import rows_for
from portanet.training.inputs.labels import put_labels
from portanet.training.inputs.row_weights import row_weights
from portanet.training.inputs.units import Unit
from portanet.training.steps import shards
from portanet.training.steps.source import Source, as_source
from portanet.training.trained.scores import LARGE, Answers, scores
from portanet.xp import device, namespace

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


def measure(
    run: TrainedModel, source: Source, labels: HostArray, keys: Sequence[str] | None = ()
) -> dict[str, float | int]:
    """Return the metric, the mean loss, and the further metrics with these keys; None means all of them.

    Source and labels are those of `TrainedModel.labelled`. Call it within a session of the backend.
    """
    classes = run.model.output_shape(run.input_shape)[0]
    weights = row_weights(None, getattr(run.loss, "class_weight", ()), labels, classes)
    labels = Unit.of_card(run.card).numbers(labels)
    blocks: dict[int, HostArray] = {}
    keeps = len(source) * classes <= LARGE if keys is None else bool(keys)

    def part(start: int, outputs: Array) -> tuple[Any, ...]:
        rows = slice(start, start + outputs.shape[0])
        targets = put_labels(labels[rows], run.backend, run.dtype)
        if weights is None:
            each = namespace(outputs).ones((outputs.shape[0],), dtype=outputs.dtype, device=device(outputs))
        else:
            each = run.backend.put(weights[rows], run.dtype)
        loss = run.loss(outputs, targets, each)[0]
        if keeps:
            blocks[start] = run.wide(outputs)
        if not run.task.is_classification:  # float32 is too narrow for squares of targets
            outputs, targets = run.wide(outputs), run.wide(targets)
        return run.wide(loss), run.wide(run.task.partial(outputs, targets))

    loss, counted = map(run.wide, shards.add(run.map_outputs(source, part)))
    value, total = run.task.finalize(counted, labels), len(source) if weights is None else float(weights.sum())
    measured = {run.task.metric.key: value, "loss": float(loss) / (total or 1.0), "samples": len(source)}
    if blocks:
        outputs = np.concatenate([blocks[start] for start in sorted(blocks)])
        measured |= scores(Answers(run.task, outputs, labels, run.card), keys)
    return measured


def source_for(run: TrainedModel, x: Any, *, place: bool = False) -> Source:
    """Return the rows as a source for the model; raises ModelError or DataError for a wrong shape or no rows."""
    given, x = x, as_array(rows_for(x, run.card), run.backend)
    if tuple(x.shape[1:]) != run.input_shape:
        shapes = f"{run.input_shape}, got {tuple(x.shape[1:])}"
        remedy = shape_remedy(run.input_shape, tuple(x.shape), given)
        raise ModelError(f"the model takes rows of shape {shapes}.", remedy=remedy)
    if x.shape[0] == 0:
        raise DataError("x must have at least one row, got none.")
    return as_source(x, run.model, run.backend, run.dtype, offsets=run.card.offsets, place=place)


def target_names(run: TrainedModel) -> tuple[str, ...]:
    """Return the name of each target, or its number from 1; empty for a model with one label per row."""
    [outputs] = run.model.output_shape(run.input_shape)
    count = outputs // max(1, len(run.card.levels))
    return () if run.task.has_one_class else run.card.target_names(count)


def measure_targets(run: TrainedModel, x: Any, labels: Any = None) -> dict[str, dict[str, float]]:
    """Return the scores of each target by name, of which `evaluate` gives the means; empty for a single target.

    x, labels  as `TrainedModel.evaluate` takes them
    """
    if not (names := target_names(run)):
        return {}
    with run.backend.session(run.dtype):
        source, given = run.labelled(x, labels)
        outputs = np.concatenate(list(run.map_outputs(source, lambda _, part: run.wide(part))))
    numbers = Unit.of_card(run.card).numbers(given)
    return {name: _scores(_alone(run, outputs, numbers, place)) for place, name in enumerate(names)}


def _alone(run: TrainedModel, outputs: HostArray, numbers: HostArray, place: int) -> Answers:
    """The outputs and labels of one target, as if the model had no other."""
    count = numbers.shape[1]
    card = ModelCard((), levels=run.card.levels)
    for entry in ("target_center", "target_scale", "margins"):
        card = replace(card, **{entry: getattr(run.card, entry)[place : place + 1]})
    return Answers(run.task, outputs[:, place::count], numbers[:, place : place + 1], card)


def _scores(answers: Answers) -> dict[str, float]:
    """The task's own metric first, then the others that are defined."""
    task, labels = answers.task, answers.labels
    return {task.metric.key: task.finalize(task.partial(answers.outputs, labels), labels)} | scores(answers)
