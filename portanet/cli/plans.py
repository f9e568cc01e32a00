"""What is to be trained: the preset with what a file and the options say otherwise, the data and the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from portanet import data as readers
from portanet._typing import Params
from portanet.cli import facts
from portanet.data import Dataset
from portanet.data.split import holdout
from portanet.errors import ConfigError, DataError
from portanet.nn import LOSSES, CrossEntropy, Layer, Rescale, Sequential, mean_squared_error
from portanet.training import presets
from portanet.training.callbacks import Callback, EarlyStopping
from portanet.training.config import tables_of
from portanet.training.fine_tune import fine_tune
from portanet.training.presets import Preset
from portanet.training.run import Run

_SPLIT_SEED = 2026  # of the rows held out: its own, so that runs with other seeds are measured on the same rows


def for_task(plan: Preset, task: str) -> Preset:
    """The plan with the loss that suits the task."""
    return replace(plan, loss=mean_squared_error) if task == "regress" else plan


def changed(plan: Preset, *, optimizer: str | None, patience: int | None, **changes: Any) -> Preset:
    """The plan with what the command line sets otherwise."""
    if optimizer is not None:
        chosen, usual_rate = presets.optimizer(optimizer)
        plan = replace(plan, optimizer=chosen, learning_rate=usual_rate)
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


def read(source: str, label: str | None, image: Any, task: str, base: Run | None) -> Dataset:
    """The data; for a model to go on from, in its columns and with its classes, if it knows them all."""
    if base is None:
        found = readers.read(source, label=label, image=image, task=task)
    else:
        found = _read_for(base, source, label, image, task)
    if len(found.classes) == 1:
        raise DataError(
            f"{source}: all {len(found)} rows are of the class {found.classes[0]!r}, so there is nothing to learn."
        )
    return found


def _read_for(base: Run, source: str, label: str | None, image: Any, task: str) -> Dataset:
    known = facts.class_names(base)
    image = image or (base.input_shape if len(base.input_shape) == 3 else None)
    settings: dict[str, Any] = {
        "label": label, "usual_label": base.facts.get("label"),
        "image": image, "task": task, "columns": base.facts.get("columns"),
    }  # fmt: skip
    found = readers.read(source, **settings)
    if set(found.classes) <= set(known):
        found = readers.read(source, **settings, classes=known)
    if found.x.shape[1:] != base.input_shape:
        shapes = f"{found.x.shape[1:]}; the model takes {base.input_shape}"
        raise DataError(f"{source} has rows of the shape {shapes}.")
    return found


def model(
    plan: Preset, training: Dataset, base: Run | None, freeze: str | None, seed: int
) -> tuple[Sequential, Params | None]:
    """The model, and the arrays it starts from where another one is the base."""
    numbers = not training.classes
    _check_loss(plan, "regress" if numbers else "classify")
    outputs = 1 if numbers else len(training.classes)
    last: tuple[Layer, ...] = ()
    if numbers:  # so that the layers before it work with numbers around zero, whatever the target's unit
        targets = training.need_labels().astype(np.float64)
        last = (Rescale(float(targets.std()) or 1.0, offset=float(targets.mean())),)
    if base is not None:
        if plan.whole:
            raise ConfigError("with --from the layers are those of that model; take the layers out of the file.")
        names = [] if freeze is None else [name.strip() for name in freeze.split(",")]
        anew = not numbers and training.classes != tuple(facts.class_names(base))
        return fine_tune(base, outputs, freeze=names, last=last, anew=anew, seed=seed)
    model = plan.model(outputs, images=facts.are_images(training), last=last)
    found = model.output_shape(training.x.shape[1:])
    if found != (outputs,):
        wanted = f"{outputs} output{'' if outputs == 1 else 's'}"
        raise ConfigError(f"the layers end in the shape {found}, {training.name} needs {wanted}.")
    return model, None


def weighted(plan: Preset, class_weight: str | None, training: Dataset) -> Preset:
    """The plan with a loss in which the classes count as asked."""
    if class_weight is None:
        return plan
    if not isinstance(plan.loss, CrossEntropy) or not training.classes:
        raise ConfigError("--class-weight is for classes and their cross entropy.")
    if class_weight == "balanced":
        counts = np.bincount(training.need_labels(), minlength=len(training.classes))
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


def _check_loss(plan: Preset, task: str) -> None:
    own = getattr(plan.loss, "task", "classify")
    if own != task:
        suited = ", ".join(name for name, loss in LOSSES.items() if getattr(loss, "task", "classify") == task)
        raise ConfigError(f"the loss {type(plan.loss).__name__} is no loss to {task} with; those are {suited}.")


def settings(plan: Preset, model: Sequential, steps: int, *, fixed: bool) -> dict[str, Any]:
    """The plan as a configuration file holds it; a model to go on from has its own layers."""
    single = ("epochs", "batch_size", "accumulate", "learning_rate", "log_every")
    tables = tables_of(plan, model, steps)
    if fixed:
        del tables["layers"]
    return {name: getattr(plan, name) or "full" for name in single} | tables


def split(
    whole: Dataset, plan: Preset, valid: str | None, label: str | None, task: str
) -> tuple[Dataset, Dataset | None]:
    """The rows to train on and those to validate on: a share held out, or data of their own."""
    try:
        share = plan.valid if valid is None else float(valid)
    except ValueError:
        return whole, facts.read_like(str(valid), whole, label, task)
    if share == 0:
        for callback in plan.callbacks:
            if str(getattr(callback, "monitor", "")).startswith("valid_"):
                watcher = type(callback).__name__
                raise ConfigError(f"{watcher} watches rows held out, and there are none; give some, as by --valid 0.1.")
        return whole, None
    if not 0 < share < 1:
        raise ConfigError(f"--valid takes a share above 0 and below 1, or a path; got {valid}.")
    return holdout(whole, share, _SPLIT_SEED)
