"""The arguments of `fit`: names are replaced by what they stand for, and invalid values are refused."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portanet._text import shown
from portanet.errors import ConfigError, ModelError
from portanet.nn.layer import Layer
from portanet.optim.optimizer import is_optimizer
from portanet.training.callbacks import Callback
from portanet.training.checkpoints import Checkpoints
from portanet.training.inputs import named


@dataclass(frozen=True)
class OwnSettings:
    """The serialised settings of a user's own optimizer, schedule or callback."""

    settings: Any


_DTYPES = ("float32", "float64")


def as_optimizer(value: Any) -> Any:
    """Return an optimizer, given itself or by name."""
    if isinstance(value, str):
        return named.optimizer(value)
    if not is_optimizer(value):
        raise _refused("optimizer", "an optimizer such as Adam(0.001), or the name of one", value)
    return value


def as_loss(value: Any) -> Any:
    """Return a loss, given itself or by name."""
    if isinstance(value, str):
        return named.loss(value)
    if not _takes(value, 3) or callable(getattr(value, "forward", None)):
        wanted = "a loss such as cross_entropy, the name of one, or a function of (outputs, labels, weights)"
        raise _refused("loss", wanted, value)
    return value


def as_schedule(value: Any) -> Any:
    """Return a schedule, given itself or by name."""
    if isinstance(value, str):
        return named.schedule(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ConfigError(
            f"schedule must be a factor of the rate in each step, such as cosine_decay(), got {value!r}; the rate "
            f"itself is the optimizer's: optimizer=Adam({value!r})."
        )
    if not _takes(value, 2):
        raise _refused("schedule", "a schedule such as cosine_decay(), or a function of (step, steps)", value)
    return value


def as_callbacks(value: Any) -> tuple[Any, ...]:
    """Return callbacks as a tuple; a single one gives a tuple of one, None an empty one."""
    if value is None or isinstance(value, Callback):
        return () if value is None else (value,)
    callbacks = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for callback in callbacks:
        if not isinstance(callback, (Callback, OwnSettings)):
            raise _refused("callbacks", "a list of callbacks, such as [EarlyStopping()]", callback)
    return callbacks


def as_dtype(value: Any) -> Any:
    """Return the name of a dtype, which may be given as a library's, such as numpy.float32."""
    name = str(value if isinstance(value, str) else getattr(value, "__name__", value)).rpartition(".")[2]
    if name not in _DTYPES:
        raise ConfigError(f"dtype must be float32 or float64, got {shown(value)}.")
    return name


def as_checkpoints(value: Any) -> Checkpoints | None:
    """Return the Checkpoints of a run, given themselves or as a folder."""
    if value is None or isinstance(value, Checkpoints):
        return value
    if not isinstance(value, (str, Path)):
        raise _refused("checkpoints", "a folder, such as 'run', or Checkpoints('run')", value)
    return Checkpoints(value)


def as_path(name: str, value: Any) -> Path:
    """Return a path; raises ConfigError for anything else."""
    if isinstance(value, (str, Path)) and str(value):
        return Path(value)
    raise ConfigError(f"{name} must be the path of a file or a folder, got {shown(value)}.")


def model_path(value: Any, exports: Collection[str] = ()) -> Path:
    """Return the path to save a model at; raises ConfigError for a suffix of another format."""
    path = as_path("path", value)
    ending = path.suffix.lower().removeprefix(".")
    if ending != "safetensors" and path.suffix not in exports and (ending.isalpha() or ending in ("h5", "hdf5", "7z")):
        formats = ", ".join((".safetensors", *exports))
        remedy = f"save it as {path.stem}.safetensors"
        raise ConfigError(f"cannot save a model as {path.name}: the suffix must be one of {formats}", remedy=remedy)
    return path


def as_custom(custom: Any) -> dict[str, Any]:
    """Return users' classes and functions by name, given as a list, a dict by name, or a single one."""
    if isinstance(custom, Mapping):
        entries = dict(custom)
    else:
        several = custom if isinstance(custom, (list, tuple)) else (custom,)
        entries = {str(getattr(entry, "__name__", "")): entry for entry in several}
    for entry in entries.values():
        if not (isinstance(entry, type) or inspect.isfunction(entry)):
            raise ConfigError(
                f"custom takes classes and functions of your own, as in custom=[MyLayer]; got {shown(entry)}."
            )
    return entries


def require_model(model: Any) -> None:
    """Raise ModelError unless the model is a layer."""
    if isinstance(model, Layer):
        return
    got = f"the model must be a layer, got {shown(model)}"
    if isinstance(model, type) and issubclass(model, Layer):
        raise ModelError(got, remedy=f"write {model.__name__}(...), with brackets")
    if isinstance(model, (list, tuple)):
        raise ModelError(got, remedy="put several into Sequential(...)")
    if isinstance(getattr(model, "model", None), Layer):
        raise ModelError(f"{got}; to train it further write fit(run.model, x, labels, params=run.params).")
    if hasattr(model, "shape"):
        raise ModelError(got, remedy="the model comes first: fit(model, x, labels)")
    raise ModelError(got, remedy="write Sequential(Dense(16), ReLU(), Dense(3)) with the layers of portanet.nn")


def require_params(params: Any) -> None:
    """Raise ModelError unless initial parameters are nested dicts of arrays."""
    if isinstance(params, Mapping):
        if flat := [name for name in params if "." in str(name)]:
            raise ModelError(
                f"params must be nested dicts of arrays by child name, got the flat name {flat[0]!r}",
                remedy="for PyTorch's names write TrainedModel.from_state_dict(...).params",
            )
        for name, entry in params.items():
            if isinstance(entry, Mapping):
                require_params(entry)
            elif not hasattr(entry, "shape"):
                raise ModelError(
                    f"params must hold arrays, got {shown(entry)} for {name}",
                    remedy="make an array of it with numpy.asarray",
                )
        return
    remedy = "write params=run.params" if isinstance(getattr(params, "model", None), Layer) else ""
    wanted = "params must be nested dicts of arrays by child name, such as load(path).params"
    raise ModelError(f"{wanted}, got {shown(params)}.", remedy=remedy)


def _takes(value: Any, count: int) -> bool:
    """Whether a value can be called with `count` arguments; a class does not count, its instances do."""
    if not callable(value) or isinstance(value, type):
        return False
    try:
        inspect.signature(value).bind(*range(count))
    except TypeError:
        return False
    except ValueError:  # functions written in C may have no signature
        return True
    return True


def _refused(name: str, wanted: str, value: Any) -> ConfigError:
    brackets = f"write {value.__name__}(), with brackets" if isinstance(value, type) else ""
    return ConfigError(f"{name} must be {wanted}, got {shown(value)}.", remedy=brackets)
