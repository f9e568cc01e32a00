"""TrainingSpec: all settings that decide what a run computes, for the command line, `fit` and model files."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from inspect import isfunction
from itertools import dropwhile
from types import MappingProxyType
from typing import Any, Literal

from portanet import _settings, nn, optim
from portanet._typing import HostArray
from portanet.errors import ConfigError, PortanetError
from portanet.nn import Columns, Conv2D, Dense, Layer, RandomAffine, Rescale, Standardize, cross_entropy
from portanet.nn.losses.class_weight import ClassWeight, as_class_weight, is_resolved
from portanet.nn.losses.loss import LossFunction
from portanet.optim import Adam, Optimizer, Schedule, constant
from portanet.storage.model_card import ModelCard
from portanet.training.callbacks import CALLBACKS, Callback
from portanet.training.inputs.arguments import OwnSettings, as_callbacks, as_dtype, as_loss, as_optimizer, as_schedule
from portanet.training.inputs.row_weights import class_weights

_ROWS = 256  # at least, in a batch for "auto"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_LEAST = {"epochs": 1, "accumulate": 1, "log_every": 1, "seed": 0}
_READ: dict[str, Callable[[Any], Any]] = {
    "loss": as_loss, "optimizer": as_optimizer, "schedule": as_schedule, "dtype": as_dtype,
    "callbacks": as_callbacks,
}  # fmt: skip


@dataclass(frozen=True)
class TrainingSpec:
    """The layers of a model and the settings of its training. Equal specs, data and machines give equal bits.

    layers        of the model; a Dense(units=None) has one unit for each output of the data, see `for_data`
    batch_size    rows in a step; "full": all rows in every step; "auto": a number that `for_rows` chooses
    accumulate    parts that each batch is computed in
    dtype         of the parameters: "float32" or "float64"
    valid         the fraction of the rows that is held out
    calibrate     whether probabilities are calibrated on the held-out rows, see training/trained/temperature.py
    class_weight  the weight of each class, as in `CrossEntropy`
    log_every     epochs from one row of the history to the next

    Stopping conditions, checkpoints, backend and workers are not part of it, so a run can resume with others.
    Raises ConfigError for an invalid setting.
    """

    layers: tuple[Layer, ...] = ()
    loss: LossFunction = cross_entropy
    optimizer: Optimizer = Adam()  # noqa: RUF009 - frozen
    schedule: Schedule = constant()  # noqa: RUF009 - frozen
    epochs: int = 10
    batch_size: int | Literal["full", "auto"] = 128
    accumulate: int = 1
    dtype: Literal["float32", "float64"] = "float32"
    seed: int = 0
    valid: float = 0.0
    callbacks: tuple[Callback, ...] = ()
    calibrate: bool = False
    class_weight: ClassWeight | None = None
    log_every: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "callbacks":  # they may have a state, and their numbers never meet an array
                object.__setattr__(self, field.name, _settings.with_python_numbers(getattr(self, field.name)))
        for name, reading in _READ.items():
            if not isinstance(getattr(self, name), OwnSettings):
                object.__setattr__(self, name, reading(getattr(self, name)))
        for name, least in _LEAST.items():
            object.__setattr__(self, name, require_whole(name, getattr(self, name), least))
        if self.batch_size not in ("full", "auto"):
            object.__setattr__(self, "batch_size", require_whole("batch_size", self.batch_size))
        if self.class_weight is not None:
            object.__setattr__(self, "class_weight", as_class_weight("fit", self.class_weight))
        if isinstance(self.valid, bool) or not (isinstance(self.valid, (int, float)) and 0 <= self.valid < 1):
            raise ConfigError(f"valid must be a fraction from 0 and below 1, got {self.valid!r}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the spec as JSON data; callbacks that are not dataclasses are left out."""
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        settings["callbacks"] = [callback for callback in self.callbacks if is_dataclass(callback)]
        return {name: _written(value) for name, value in settings.items()}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> TrainingSpec:
        """Return the spec from the data of `to_dict`; missing settings take their defaults."""
        return cls().with_settings(settings)

    @classmethod
    def of_file(cls, settings: Mapping[str, Any], custom: Mapping[str, Any] = _NOTHING) -> TrainingSpec:
        """Return the spec of a model file; parts unknown to portanet and `custom` stay `OwnSettings`."""
        own: dict[str, Any] = {}
        for name in ("optimizer", "schedule", "callbacks"):
            try:
                cls().with_settings({name: settings[name]}, custom)
            except ConfigError:
                entry = settings[name]
                own[name] = tuple(map(OwnSettings, entry)) if isinstance(entry, list) else OwnSettings(entry)
        others = {"loss": settings["loss"]} | {name: value for name, value in settings.items() if name not in own}
        return replace(cls().with_settings(others, custom), **own)

    def with_settings(self, settings: Mapping[str, Any], custom: Mapping[str, Any] = _NOTHING) -> TrainingSpec:
        """Return the spec with some settings replaced, such as those of a file, in the form that `to_dict` writes.

        custom  the user's classes and functions, by name
        Raises ConfigError with the setting, and the allowed values, for an invalid one.
        """
        names = [field.name for field in fields(self)]
        for name in settings:
            if name not in names:
                raise ConfigError(f"unknown setting {name!r}; known are {', '.join(names)}.")
        return replace(self, **{name: _read(name, value, custom) for name, value in settings.items()})

    def for_data(self, card: ModelCard) -> TrainingSpec:
        """Return the spec for these data, with the units of the Dense that has none.

        For a table, a layer with a scale for each column replaces the layers that prepare pixels, unless `Columns`
        comes first. A spec whose layers are complete stays unchanged. Raises ConfigError for a table if the layers take
        only images, and for images if they take tables.
        """
        open_layers = [place for place, layer in enumerate(self.layers) if isinstance(layer, Dense) and not layer.units]
        if not open_layers:
            return self
        place, layers = open_layers[-1], list(self.layers)
        layers[place] = replace(self.layers[place], units=card.outputs * self.outputs_per_target)  # type: ignore[type-var]
        if isinstance(layers[0], Columns):
            if card.has_images:
                raise ConfigError("this preset takes the rows of a table.", remedy='for images use preset="mlp"')
            if card.table is not None and not layers[0].kinds:
                layers[0] = replace(layers[0], kinds=card.table.kinds)
        elif not card.has_images:
            if any(isinstance(layer, Conv2D) for layer in layers):
                raise ConfigError(
                    "this preset takes images.",
                    remedy='name their shape, as with image=(1, 28, 28), or use preset="mlp"',
                )
            body = dropwhile(lambda layer: isinstance(layer, (Rescale, Standardize, RandomAffine)), layers)
            layers = [Standardize("feature") if card.table is None else Columns(card.table.kinds), *body]
        return replace(self, layers=tuple(layers))

    @property
    def outputs_per_target(self) -> int:
        """The number of outputs that the loss takes for each target."""
        return int(getattr(self.loss, "outputs_per_target", 1))

    def for_rows(self, rows: int) -> TrainingSpec:
        """Return the spec for this many training rows: "auto" becomes batches of equal size, of at least 256 rows.

        Below 512 rows that is one batch. RealMLP takes the same number of steps, of 256 rows, and drops the rest.
        """
        if self.batch_size != "auto":
            return self
        return replace(self, batch_size=math.ceil(rows / max(1, rows // _ROWS)))

    def with_weighted_loss(self, labels: HostArray, outputs: int, classes: Sequence[str] = ()) -> TrainingSpec:
        """Return the spec with the class weights as a setting of the loss, one for each class.

        Raises ConfigError for a class that the data do not have.
        """
        own = getattr(self.loss, "class_weight", ())
        given = own if self.class_weight is None else self.class_weight
        if self.class_weight is None and is_resolved(own):
            return self
        if not isinstance(self.loss, nn.CrossEntropy) or (labels.ndim != 1 and given == "balanced"):
            raise ConfigError(f"class_weight is for class numbers and their cross entropy, got the loss {self.loss!r}.")
        if self.class_weight is not None and own:
            raise ConfigError("class_weight is given twice, to fit and to the loss; give it once.")
        weights = class_weights(given, labels, outputs, classes)
        return replace(self, loss=replace(self.loss, class_weight=weights), class_weight=None)


_KNOWN: dict[str, Mapping[str, Any]] = {
    "layers": nn.LAYERS,
    "loss": nn.LOSSES,
    "optimizer": optim.OPTIMIZERS,
    "schedule": optim.SCHEDULES,
    "callbacks": CALLBACKS,
}
_LISTS: dict[str, type] = {"layers": Layer, "callbacks": Callback}

TABLES = {
    "optimizer": 'optimizer = { type = "AdamW", learning_rate = 0.003, weight_decay = 0.1 }',
    "schedule": 'schedule = { type = "cosine_decay", warmup = 0.05 }',
    "loss": 'loss = { type = "CrossEntropy", label_smoothing = 0.1 }',
    "layers": 'layers = [{ type = "Flatten" }, { type = "Dense", units = 10 }]',
    "callbacks": 'callbacks = [{ type = "EarlyStopping", patience = 3 }]',
}
"""The settings that are more than one value, each as a line of a file."""


def chain_of(model: Any) -> tuple[Layer, ...]:
    """Return the layers of a model that is a plain chain, else the model itself as the only layer."""
    return tuple(model.children.values()) if isinstance(model, Layer) and model.is_chain else (model,)


def require_whole(name: str, value: Any, least: int = 1) -> int:
    """Return an integer setting, of any integer type, as an int; raises ConfigError for others, or below `least`."""
    is_whole = hasattr(value, "__index__") and not isinstance(value, bool)
    if not is_whole or not least <= (number := operator.index(value)) < 2**63:
        span = f"of at least {least}" if least else "from 0 to 2**63 - 1"
        raise ConfigError(f"{name} must be an integer {span}, got {value!r}.")
    return number


def _written(value: Any) -> Any:
    """Return a setting as JSON data; of a user's class that is not a dataclass, only the name."""
    if isinstance(value, (tuple, list)):
        return [_written(entry) for entry in value]
    if isinstance(value, OwnSettings):
        return value.settings
    if is_dataclass(value) or isfunction(value):
        return {name: _written(entry) for name, entry in _settings.to_dict(value).items()}
    if isinstance(value, dict):
        return {name: _written(entry) for name, entry in value.items()}
    plain = value is None or isinstance(value, (bool, int, float, str))
    return value if plain else {"type": type(value).__name__}


def _read(name: str, value: Any, custom: Mapping[str, Any]) -> Any:
    """Return a setting from the data of `_written`."""
    if name not in _KNOWN:
        return tuple(value) if isinstance(value, list) else value
    kind, words = (list, "a list of tables") if name in _LISTS else (dict, "a table")
    if not isinstance(value, kind):
        raise ConfigError(f"{name} must be {words} with a type, as in {TABLES[name]}.")
    try:
        built = _settings.from_dict(value, {**_KNOWN[name], **custom})
        for part in built if name in _LISTS else ():
            if not isinstance(part, _LISTS[name]):
                label = getattr(part, "__name__", None) or repr(part)
                raise ConfigError(f"{label} is not a {_LISTS[name].__name__.lower()}.")
    except _settings.UnknownNameError as error:
        raise _settings.UnknownNameError(f"{name}: {error.message}", error.name, remedy=error.remedy) from error
    except PortanetError as error:
        raise ConfigError(f"{name}: {error}") from error
    return built
