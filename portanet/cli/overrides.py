"""The options of `train` applied to a preset's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from portanet.data import Dataset
from portanet.errors import ConfigError
from portanet.nn import CrossEntropy, Quantile
from portanet.optim.optimizer import with_learning_rate
from portanet.training import presets
from portanet.training.callbacks import Callback, EarlyStopping, KeepBest
from portanet.training.hidden import with_hidden
from portanet.training.inputs import named
from portanet.training.inputs.tasks import Classify, Regress, task_named, task_of
from portanet.training.loop.watchers import watching
from portanet.training.spec import TrainingSpec

AUTO = "auto"
"""The task that the label decides."""


def task_named_by(settings: dict[str, Any], classes: str | None) -> str:
    """The task, from its option, the classes, or the loss of a file; AUTO if none of them decides it."""
    task: str = settings["task"]
    if task == AUTO and settings["intervals"] is not None:
        task = Regress.name
    spec = spec_of(**settings | _whatever(task))
    if task != AUTO:
        return task
    if "loss" in settings["tables"]:
        return (Classify() if task_of(spec.loss).is_classification else Regress()).name
    return AUTO if classes is None else Classify.name


def share_held_out(settings: dict[str, Any]) -> float:
    """The fraction of the rows that is held out, for any task."""
    return spec_of(**settings | _whatever(settings["task"])).valid


def _whatever(task: str) -> dict[str, Any]:
    """The settings of a spec before its task is known: without the metric, which depends on the task."""
    return {"task": Classify.name, "metric": None} if task == AUTO else {"task": task}


def spec_of(
    *, preset: str | None, task: str, dtype: str, seed: int, tables: dict[str, Any], **changes: Any
) -> TrainingSpec:  # fmt: skip
    """The preset with the file's tables and the options applied; None stands for the preset for tables."""
    spec = presets.preset(presets.FOR_TABLES if preset is None else preset, task_named(task))
    return changed(spec.with_settings({"dtype": dtype, "seed": seed, **tables}), **changes)


def changed(
    spec: TrainingSpec, *, optimizer: str | None, learning_rate: float | None, patience: int | None, valid: str | None,
    metric: str | None = None, intervals: float | None = None,
    hidden: tuple[int, ...] | None, activation: str | None, dropout: float | None, **changes: Any,
) -> TrainingSpec:  # fmt: skip
    """The spec with the settings of the command line."""
    if (hidden, activation, dropout) != (None, None, None):
        changes["layers"] = with_hidden(spec.layers, hidden or (), activation, dropout)
    if intervals is not None:
        if task_of(spec.loss).is_classification:
            raise ConfigError("--intervals is for numbers to predict; classes have --probabilities in predict.")
        spec = replace(spec, loss=Quantile(((1 - intervals) / 2, 0.5, (1 + intervals) / 2)))
    if optimizer is not None:
        changes["optimizer"] = named.optimizer(optimizer)
    if learning_rate is not None:
        changes["optimizer"] = with_learning_rate(changes.get("optimizer", spec.optimizer), learning_rate)
    if patience is not None:
        changes["callbacks"] = _with_patience(spec.callbacks, patience)
    if valid is not None and is_share(valid):
        changes["valid"] = _share(valid)
        if changes["valid"] == 0:  # drop the preset's settings that need held-out rows; refuse those of the user
            if patience is None:
                changes["callbacks"] = tuple(each for each in spec.callbacks if type(each) is not KeepBest)
            if changes.get("calibrate") is None:
                spec = replace(spec, calibrate=False)
    if metric is not None:
        changes["callbacks"] = watching(changes.get("callbacks", spec.callbacks), metric, task_of(spec.loss))
    return replace(spec, **{name: value for name, value in changes.items() if value is not None})


def require_no_layers(settings: dict[str, Any]) -> None:
    """Refuse settings of layers together with a trained model, which has its own."""
    if "layers" in settings["tables"]:
        raise ConfigError("with --from the layers are those of that model; take the layers out of the file.")
    if given := [f"--{name}" for name in ("hidden", "activation", "dropout") if settings[name] is not None]:
        raise ConfigError(f"with --from the layers are those of that model; leave out {', '.join(given)}.")


def _with_patience(callbacks: Sequence[Callback], patience: int) -> tuple[Callback, ...]:
    """The callbacks with this patience of early stopping; an existing EarlyStopping keeps its monitor."""
    if not any(isinstance(each, KeepBest) for each in callbacks):
        return *callbacks, EarlyStopping(patience=patience)
    return tuple(_patient(each, patience) for each in callbacks)


def _patient(callback: Callback, patience: int) -> Callback:
    if isinstance(callback, EarlyStopping):
        return replace(callback, patience=patience)
    return EarlyStopping(callback.monitor, patience=patience) if isinstance(callback, KeepBest) else callback


def weighted(spec: TrainingSpec, class_weight: str | None, training: Dataset) -> TrainingSpec:
    """The spec with the class weights in its loss."""
    if class_weight is None:
        return spec.with_weighted_loss(training.require_targets(), len(training.classes), training.classes)
    if not isinstance(spec.loss, CrossEntropy) or not training.classes:
        raise ConfigError("--class-weight is for classes and their cross entropy.")
    weights: Any = "balanced" if class_weight == "balanced" else tuple(_weights(class_weight, training.classes))
    return replace(spec, class_weight=weights).with_weighted_loss(training.require_targets(), len(training.classes))


def _weights(text: str, classes: Sequence[str]) -> list[float]:
    """A=2,B=0.5 as one weight for each class, 1 by default."""
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


def is_share(valid: str | None) -> bool:
    """Whether the option is a fraction, or not given; otherwise it names data."""
    try:
        return valid is None or float(valid) is not None
    except ValueError:
        return False


def _share(valid: str) -> float:
    share = float(valid)
    if not 0 <= share < 1:
        raise ConfigError(f"--valid takes a share above 0 and below 1, or a path; got {valid}.")
    return share
