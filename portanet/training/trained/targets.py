"""Several targets at once: their names, and the scores of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._typing import HostArray
from portanet.storage.model_card import ModelCard
from portanet.training.inputs.units import Unit
from portanet.training.trained.scores import Answers, scores

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


def target_names(run: TrainedModel) -> tuple[str, ...]:
    """Return the name of each of several targets, or its number from 1; none for a model that has one label a row."""
    [outputs] = run.model.output_shape(run.input_shape)
    count = outputs // max(1, len(run.card.levels))
    return () if run.task.has_one_class else run.card.target_names(count)


def measure_targets(run: TrainedModel, x: Any, labels: Any = None) -> dict[str, dict[str, float]]:
    """Return the scores of each of several targets by its name, as `evaluate` has their means; none for one target.

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
    """The answers of one target, as those of a model that has no other."""
    count = numbers.shape[1]
    card = ModelCard((), levels=run.card.levels)
    for entry in ("target_center", "target_scale", "margins"):
        card = replace(card, **{entry: getattr(run.card, entry)[place : place + 1]})
    return Answers(run.task, outputs[:, place::count], numbers[:, place : place + 1], card)


def _scores(answers: Answers) -> dict[str, float]:
    """The task's own metric first, then the others that are defined."""
    task, labels = answers.task, answers.labels
    return {task.metric.key: task.finalize(task.partial(answers.outputs, labels), labels)} | scores(answers)
