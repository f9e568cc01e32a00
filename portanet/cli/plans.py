"""What is to be trained: the preset with what a file and the options say otherwise, the data and the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from portanet._typing import Params
from portanet.cli import facts
from portanet.data import Dataset
from portanet.data.labels import encode
from portanet.data.split import holdout
from portanet.errors import ConfigError, DataError
from portanet.metrics import LOSS
from portanet.nn import LOSSES, CrossEntropy, Sequential
from portanet.optim.optimizer import with_learning_rate
from portanet.training import presets
from portanet.training.callbacks import Callback, EarlyStopping
from portanet.training.config import tables_of, with_tables
from portanet.training.fine_tune import fine_tune
from portanet.training.model import TrainedModel, load
from portanet.training.presets import Preset
from portanet.training.tasks import Classify, Regress, Task, task_named, task_of

_SPLIT_SEED = 2026  # of the rows held out: its own, so that runs with other seeds are measured on the same rows


@dataclass(frozen=True)
class Job:
    """A training that is ready to begin.

    tests     rows to report on at the end
    params    arrays to start from
    settings  all of it as a configuration file holds it; what is None is not set
    notes     what people should know before it begins
    """

    source: str
    plan: Preset
    training: Dataset
    validation: Dataset | None
    tests: Dataset | None
    model: Sequential
    params: Params | None
    settings: dict[str, Any]
    notes: list[str]


def prepare(
    *, data: str | None, preset: str, label: str | None, image: Any, task: str, valid: str | None, test: str | None,
    backend: str, device: str | None, dtype: str, seed: int, start: Path | None, freeze: str | None,
    class_weight: str | None, tables: dict[str, Any], **changes: Any,
) -> Job:  # fmt: skip
    """The job that the options and the file's tables describe, its data read."""
    if freeze is not None and start is None:
        raise ConfigError("--freeze names layers of a trained model; name that model with --from.")
    plan = changed(with_tables(for_task(presets.preset(preset), task), tables), **changes)
    source = plan.data if data is None else data
    base = None if start is None else load(start)
    whole = read(source, label, image, task, base)
    whole.require_labels()
    training, validation = split(whole, plan, valid, label, task)
    _check_watched(plan, task, held_out=validation is not None)
    tests = None if test is None else facts.read_like(test, whole, label, task)
    made, params = model(plan, training, base, freeze, seed)
    plan = weighted(plan, class_weight, training)
    given = {"data": source, "label": label, "image": image, "test": test, "device": device, "backend": backend}
    share = _share(plan, valid)
    given |= {"valid": valid if share is None else share, "from": None if start is None else str(start)}
    given |= {"preset": preset, "task": task, "dtype": dtype, "seed": seed, "freeze": freeze}
    notes = []
    if base is not None and _answers_else(base, training):
        notes.append(f"the last layer starts anew, for {source}: {len(training.classes) or 'no'} classes")
    return Job(
        source, plan, training, validation, tests, made, params,
        given | settings(plan, made, fixed=base is not None), notes,
    )  # fmt: skip


def for_task(plan: Preset, task: str) -> Preset:
    """The plan with a loss that suits the task."""
    named = task_named(task)
    return plan if named.suits(plan.loss) else replace(plan, loss=named.loss)


def changed(
    plan: Preset, *, optimizer: str | None, learning_rate: float | None, patience: int | None, **changes: Any
) -> Preset:
    """The plan with what the command line sets otherwise."""
    if optimizer is not None:
        plan = replace(plan, optimizer=presets.optimizer(optimizer))
    if learning_rate is not None:
        plan = replace(plan, optimizer=with_learning_rate(plan.optimizer, learning_rate))
    if patience is not None:
        plan = replace(plan, callbacks=_with_patience(plan.callbacks, patience))
    if changes["batch_size"] == "full":
        plan, changes["batch_size"] = replace(plan, batch_size=None), None
    return replace(plan, **{name: value for name, value in changes.items() if value is not None})


def _with_patience(callbacks: Sequence[Callback], patience: int) -> tuple[Callback, ...]:
    """The callbacks with this patience of early stopping; a file's own keeps what it watches."""
    if not any(isinstance(each, EarlyStopping) for each in callbacks):
        return *callbacks, EarlyStopping(patience=patience)
    return tuple(replace(each, patience=patience) if isinstance(each, EarlyStopping) else each for each in callbacks)


def read(source: str, label: str | None, image: Any, task: str, base: TrainedModel | None) -> Dataset:
    """The data; for a model to go on from, in its columns and with its classes, if it knows them all."""
    if base is None:
        found = facts.read(source, label=label, image=image, task=task)
    else:
        found = _read_for(base, source, label, image, task)
    if len(found.classes) == 1:
        raise DataError(
            f"{source}: all {len(found)} rows are of the class {found.classes[0]!r}, so there is nothing to learn."
        )
    return found


def _read_for(base: TrainedModel, source: str, label: str | None, image: Any, task: str) -> Dataset:
    known = facts.class_names(base)
    image = image or (base.input_shape if len(base.input_shape) == 3 else None)
    found = facts.read(
        source, label=label, usual_label=base.facts.get("label"), image=image, task=task,
        columns=base.facts.get("columns"),
    )  # fmt: skip
    if found.classes and set(found.classes) <= set(known):
        labels, classes = encode(source, found.classes, found.require_labels(), known)
        found = replace(found, labels=labels, classes=classes)
    if found.x.shape[1:] != base.input_shape:
        shapes = f"{found.x.shape[1:]}; the model takes {base.input_shape}"
        raise DataError(f"{source} has rows of the shape {shapes}.")
    return found


def model(
    plan: Preset, training: Dataset, base: TrainedModel | None, freeze: str | None, seed: int
) -> tuple[Sequential, Params | None]:
    """The model, and the arrays it starts from where another one is the base."""
    numbers = not training.classes
    _check_loss(plan, Regress() if numbers else Classify())
    outputs = 1 if numbers else len(training.classes)
    last = task_of(plan.loss).last_layers(training.require_labels())
    if base is not None:
        if plan.whole:
            raise ConfigError("with --from the layers are those of that model; take the layers out of the file.")
        names = [] if freeze is None else [name.strip() for name in freeze.split(",")]
        going_on = fine_tune(base, outputs, freeze=names, last=last, new_head=_answers_else(base, training), seed=seed)
        if not going_on[0].is_trainable:
            raise ConfigError("--freeze leaves no layer with anything to learn; name fewer.")
        return going_on
    model = plan.model(outputs, images=facts.are_images(training), last=last)
    found = model.output_shape(training.x.shape[1:])
    if found != (outputs,):
        wanted = f"{outputs} output{'' if outputs == 1 else 's'}"
        raise ConfigError(f"the layers end in the shape {found}, {training.name} needs {wanted}.")
    return model, None


def _answers_else(base: TrainedModel, training: Dataset) -> bool:
    """Whether a trained model gives other answers than these data ask for: other classes, or classes and no number."""
    if training.classes:
        return training.classes != tuple(facts.class_names(base))
    return base.task.is_classification or base.model.output_shape(base.input_shape) != (1,)


def weighted(plan: Preset, class_weight: str | None, training: Dataset) -> Preset:
    """The plan with a loss in which the classes count as asked."""
    if class_weight is None:
        return plan
    if not isinstance(plan.loss, CrossEntropy) or not training.classes:
        raise ConfigError("--class-weight is for classes and their cross entropy.")
    if class_weight == "balanced":
        counts = np.bincount(training.require_labels(), minlength=len(training.classes))
        weights = [len(training) / (len(counts) * int(count)) if count else 0.0 for count in counts]
    else:
        weights = _weights(class_weight, training.classes)
    return replace(plan, loss=replace(plan.loss, class_weight=tuple(weights)))


def _weights(text: str, classes: Sequence[str]) -> list[float]:
    """A=2,B=0.5 as one number for each class, 1 where none is given."""
    found = dict.fromkeys(classes, 1.0)
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        name = name.strip()
        if not equals:
            raise ConfigError(f"--class-weight takes balanced, or CLASS=WEIGHT,...; got {part!r}.")
        if name not in found:
            raise ConfigError(f"--class-weight names the class {name!r}; the classes are {', '.join(classes)}.")
        try:
            found[name] = float(number)
        except ValueError:
            raise ConfigError(f"--class-weight needs a number for {name}, got {number!r}.") from None
    return list(found.values())


def _check_loss(plan: Preset, task: Task) -> None:
    if not task.suits(plan.loss):
        suited = ", ".join(name for name, loss in LOSSES.items() if task.suits(loss))
        raise ConfigError(f"the loss {type(plan.loss).__name__} does not fit task {task.name}; use one of {suited}.")


def _check_watched(plan: Preset, task: str, *, held_out: bool) -> None:
    """Raises ConfigError for a callback that watches what the history will not have: now, and not after an epoch."""
    known = [LOSS.key, task_named(task).metric.key]
    known += [f"valid_{key}" for key in known] if held_out else []
    for callback in plan.callbacks:
        if (monitor := getattr(callback, "monitor", "loss")) not in known:
            remedy = "" if held_out else "; hold out rows to watch, as with --valid 0.1"
            raise ConfigError(
                f"{type(callback).__name__} watches {monitor!r}, and there will be {', '.join(known)}{remedy}."
            )


def settings(plan: Preset, model: Sequential, *, fixed: bool) -> dict[str, Any]:
    """The plan as a configuration file holds it; a model to go on from has its own layers."""
    single = ("epochs", "batch_size", "accumulate", "log_every")
    tables = tables_of(plan, model)
    if fixed:
        del tables["layers"]
    return {name: getattr(plan, name) or "full" for name in single} | tables


def split(
    whole: Dataset, plan: Preset, valid: str | None, label: str | None, task: str
) -> tuple[Dataset, Dataset | None]:
    """The rows to train on and those to validate on: a share held out, or data of their own."""
    share = _share(plan, valid)
    if share is None:
        return whole, facts.read_like(str(valid), whole, label, task)
    if share == 0:
        return whole, None
    if not 0 < share < 1:
        raise ConfigError(f"--valid takes a share above 0 and below 1, or a path; got {valid}.")
    return holdout(whole, share, _SPLIT_SEED)


def _share(plan: Preset, valid: str | None) -> float | None:
    """The share of the rows to hold out; None where other data are named."""
    try:
        return plan.valid if valid is None else float(valid)
    except ValueError:
        return None
