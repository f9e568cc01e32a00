"""The plan of a run: its settings from preset, file and options, its data and its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from portanet._settings import short_repr
from portanet._typing import Params
from portanet.cli import classes, facts, reading
from portanet.cli.overrides import AUTO, weighted
from portanet.data import Dataset
from portanet.data.labels import encode
from portanet.data.split import holdout
from portanet.errors import ConfigError, DataError
from portanet.nn import LOSSES, Sequential
from portanet.storage.label import Label, as_label, in_words
from portanet.storage.model_card import ModelCard
from portanet.training.cross_validation import folds_of
from portanet.training.fine_tune import fine_tune
from portanet.training.inputs.tasks import Classify, Multilabel, Regress, Task, task_named
from portanet.training.loop.watchers import require_watched
from portanet.training.model import TrainedModel, load
from portanet.training.spec import TrainingSpec
from portanet.training.trained.calibration import require_calibratable

PLACES = (
    "data", "label", "classes", "image", "task", "valid", "test", "from", "freeze", "preset", "backend", "device",
    "workers", "folds", "fold", *reading.NAMES,
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A run that is ready to start.

    places  the sources of its data and its backend, as options take them; None if not set
    tests   rows to report on at the end
    params  the initial arrays
    notes   messages to print before it starts
    """

    spec: TrainingSpec
    places: dict[str, Any]
    card: ModelCard
    training: Dataset
    validation: Dataset | None
    tests: Dataset | None
    model: Sequential
    params: Params | None
    notes: list[str]

    def settings(self) -> dict[str, Any]:
        """The settings in the form of a configuration file; without layers for a model that is trained further."""
        places = {name: value for name, value in self.places.items() if name != "valid" or value is not None}
        places.pop("fold", None)
        settings = self.spec.to_dict() | places
        if self.places["from"] is not None:
            del settings["layers"]
        return settings


def base_of(places: dict[str, Any]) -> TrainedModel | None:
    """The model to start from, which `places` names."""
    return None if places["from"] is None else load(places["from"])


def read_all(places: dict[str, Any], base: TrainedModel | None, valid: float) -> Dataset:
    """The labelled data that `places` names, with the columns and classes of the model to start from, if any.

    The kinds and categories of columns are decided without the held-out fraction `valid` of the rows; on all rows if
    `places` names data to validate on, or folds.
    """
    held_out = valid if places["valid"] is None and places["folds"] is None else 0.0
    task = base.task.name if base is not None and places["task"] == AUTO else places["task"]
    whole = read(
        places["data"], places["label"], places["image"], task, base, classes.names_in(places["classes"]),
        held_out=held_out, **reading.arguments(places),
    )  # fmt: skip
    whole.require_targets()
    return whole


def task_for(task: str, data: Dataset) -> str:
    """The task; if it is AUTO, decided by the labels: several yes/no columns are a multi-label task."""
    several = isinstance(data.label, tuple)
    if several and task != Regress.name and set(np.unique(data.require_targets())) <= {0.0, 1.0}:
        return Multilabel.name
    if several and task == Classify.name:
        raise ConfigError("several labels of numbers are a regression.", remedy='write task="regress"')
    if task == Multilabel.name:
        raise ConfigError("task multilabel needs several labels of yes and no.", remedy="name each with label=NAME")
    return (Classify() if data.classes else Regress()).name if task == AUTO else task


def prepare(
    spec: TrainingSpec, places: dict[str, Any], whole: Dataset, base: TrainedModel | None,
    class_weight: str | None = None,
) -> Job:  # fmt: skip
    """The job for a spec, with the layers completed for the data.

    places  data, label, classes, image, task, test, from, freeze; valid if it names data; folds, and as fold the number
            from 1 of the fold that the run is tested on
    whole   the result of `read_all`
    base    the result of `base_of`
    """
    label = whole.label if isinstance(whole.label, tuple) else as_label(places["label"])
    task, freeze, source = places["task"], places["freeze"], places["data"]
    if freeze is not None and places["from"] is None:
        raise ConfigError("--freeze names layers of a trained model; name that model with --from.")
    option = places["classes"]
    asked = reading.arguments(places)
    classes.require_credible(whole, option)
    notes = [*whole.notes, *([classes.line(whole)] if whole.classes else [])]
    tests = None
    if places["fold"] is not None:
        inside = folds_of(whole, places["folds"]) == places["fold"] - 1
        whole, tests = whole.rows(np.flatnonzero(~inside)), whole.rows(np.flatnonzero(inside))
    if places["valid"] is None:
        training, validation = holdout(whole, spec.valid) if spec.valid else (whole, None)
    else:
        training, validation = whole, facts.read_like(places["valid"], whole, label, task, **asked)
    require_watched(spec.callbacks, task_named(task), held_out=validation is not None)
    if places["test"] is not None:
        tests = facts.read_like(places["test"], whole, label, task, **asked)
    card = ModelCard(training.x.shape[1:], spec.dtype, training.classes, training.columns, label, table=training.table)
    made, params = model(spec, card, training, base, freeze, task_named(task))
    require_calibratable(spec, made, held_out=validation is not None)
    spec = weighted(replace(spec, layers=made.layers).for_rows(len(training)), class_weight, training)
    if base is not None and _answers_else(base, training, spec):
        learned = in_words(label) if isinstance(label, tuple) else f"{len(training.classes) or 'no'} classes"
        notes.append(f"the last layer is new, for {source}: {learned}")
    notes.append(f"{short_repr(spec.optimizer, ['learning_rate'])}, {short_repr(spec.schedule)}")
    return Job(spec, places, card, training, validation, tests, made, params, notes)


def read(
    source: str, label: Label, image: Any, task: str, base: TrainedModel | None, names: Sequence[str] | None,
    **asked: Any,
) -> Dataset:  # fmt: skip
    """The data; with a model to start from, in its columns, and with its classes if it knows them all."""
    if base is None:
        return facts.read(source, label=label, image=image, task=task, classes=names, **asked)
    known = facts.class_names(base)
    image = image or (base.input_shape if len(base.input_shape) == 3 else None)
    found = facts.read(
        source, label=label, default_label=base.card.label, image=image, task=task,
        columns=base.card.columns, table=base.card.table, classes=names, digits=base.card.digits, **asked,
    )  # fmt: skip
    if found.classes and set(found.classes) <= set(known):
        targets, known_classes = encode(source, found.classes, found.require_targets(), known)
        found = replace(found, targets=targets, classes=known_classes)
    if found.x.shape[1:] != base.input_shape:
        shapes = f"{found.x.shape[1:]}; the model takes {base.input_shape}"
        raise DataError(f"{source} has rows of the shape {shapes}.")
    return found


def model(
    spec: TrainingSpec, card: ModelCard, training: Dataset, base: TrainedModel | None, freeze: str | None, task: Task
) -> tuple[Sequential, Params | None]:
    """The model, and its initial arrays if it starts from another one."""
    _check_loss(spec, task)
    if base is not None:
        names = [] if freeze is None else [name.strip() for name in freeze.split(",")]
        new_head = _answers_else(base, training, spec)
        going_on = fine_tune(
            base, card.outputs * spec.outputs_per_target, freeze=names, new_head=new_head, seed=spec.seed
        )
        if not going_on[0].is_trainable:
            raise ConfigError("--freeze leaves no layer with anything to learn; name fewer.")
        return going_on
    model = Sequential(*spec.for_data(card).layers)
    found = model.output_shape(card.input_shape)
    outputs = card.outputs * spec.outputs_per_target
    if found != (outputs,):
        wanted = f"{outputs} output{'' if outputs == 1 else 's'}"
        raise ConfigError(f"the layers end in the shape {found}, {training.name} needs {wanted}.")
    return model, None


def _answers_else(base: TrainedModel, training: Dataset, spec: TrainingSpec) -> bool:
    """Whether the trained model does not predict these labels: it has other classes, or another task."""
    if isinstance(training.label, tuple) or isinstance(base.card.label, tuple):
        return training.label != base.card.label or not base.task.suits(spec.loss)
    if training.classes:
        return training.classes != tuple(facts.class_names(base))
    return base.task.is_classification or base.model.output_shape(base.input_shape) != (spec.outputs_per_target,)


def _check_loss(spec: TrainingSpec, task: Task) -> None:
    if not task.suits(spec.loss):
        suited = ", ".join(name for name, loss in LOSSES.items() if task.suits(loss))
        raise ConfigError(f"the loss {type(spec.loss).__name__} does not fit task {task.name}; use one of {suited}.")
