"""Settings as plain data and back: how a model file names its layers, and a run its optimizer, without any code."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from reprlib import repr as brief
from typing import Any

from portanet import _peers
from portanet.errors import ConfigError


class UnknownNameError(ConfigError):
    """Settings name a type that is not among those known.

    name  that type; empty where it is not a name
    """

    def __init__(self, message: str, name: str = "", *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.name = name if name.isidentifier() and len(name) < 100 else ""


_DEPTH = 200  # of lists and settings within each other: more than any model has, and less than Python can follow

# What a setting needs, by the annotation of its field, where that is one of these; its own class says the rest.
_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("an integer", lambda value: _is_number(value) and value % 1 == 0),
    "int | None": ("an integer", lambda value: _is_number(value) and value % 1 == 0),
    "float": ("a number", lambda value: _is_number(value)),
    "bool": ("true or false", lambda value: value in (True, False)),
    "str": ("a word", lambda value: isinstance(value, str)),
}
_KINDS |= dict.fromkeys(
    ("tuple[Layer, ...]", "tuple[float, ...]", "tuple[int, ...]"), ("a list", lambda value: isinstance(value, list))
)
_KINDS["ClassWeight"] = ("a list", lambda value: isinstance(value, (list, dict)) or value == "balanced")
_KINDS |= dict.fromkeys(
    ("Initializer", "Layer", "Optimizer", "Schedule"),
    ("settings with a type", lambda value: isinstance(value, dict)),
)


def to_dict(value: Any) -> Any:
    """Return `value` as JSON data: a dataclass or a function becomes `{"type": its name, ...its fields}`.

    >>> from portanet.optim import Adam
    >>> to_dict(Adam())
    {'type': 'Adam', 'learning_rate': 0.001, 'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-08}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_dict(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        return {"type": type(value).__name__} | fields
    if inspect.isfunction(value):
        return {"type": value.__name__}
    if isinstance(value, (tuple, list)):
        return [to_dict(item) for item in value]
    return value.item() if getattr(value, "shape", None) == () else value  # JSON does not know NumPy's numbers


def is_frozen(part: Any) -> bool:
    """Whether a part of a step always does the same as an equal one: a value, or code of portanet with such values.

    A function or class from elsewhere may read a list, an attribute or a global variable, which may have changed.
    """
    if part is None or type(part) in (bool, int, float, str, bytes):
        return True
    if type(part) in (tuple, frozenset):
        return all(map(is_frozen, part))
    code = part if inspect.isfunction(part) or inspect.isclass(part) else type(part)
    if code.__module__.partition(".")[0] != __name__.partition(".")[0] or "<locals>" in code.__qualname__:
        return False
    fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
    return all(is_frozen(getattr(part, field.name)) for field in fields)


def short_repr(value: Any, always: Sequence[str] = ()) -> str:
    """Return the constructor-style repr of a dataclass without default values, except of the fields named `always`.

    >>> from portanet.optim import EMA, AdamW
    >>> short_repr(EMA(AdamW(), decay=0.99), always=["learning_rate"])
    'EMA(optimizer=AdamW(learning_rate=0.001), decay=0.99)'
    """
    if not dataclasses.is_dataclass(value):
        return getattr(value, "__name__", None) or repr(value)
    entries = ((field, getattr(value, field.name)) for field in dataclasses.fields(value) if field.init)
    shown = [
        f"{field.name}={short_repr(entry, always) if always else getattr(entry, '__name__', None) or repr(entry)}"
        for field, entry in entries
        if entry != field.default or field.name in always
    ]
    return f"{type(value).__name__}({', '.join(shown)})"


def flat(settings: Any, name: str = "") -> dict[str, Any]:
    """Nested settings as one dict, with names such as "optimizer.beta1" and "layers.2.units"."""
    if isinstance(settings, (dict, list, tuple)) and settings:
        inner = settings.items() if isinstance(settings, dict) else enumerate(settings)
        settings_by_name: dict[str, Any] = {}
        for key, value in inner:
            settings_by_name |= flat(value, f"{name}.{key}" if name else str(key))
        return settings_by_name
    return {name: list(settings) if isinstance(settings, tuple) else settings}


def with_python_numbers(value: Any) -> Any:
    """Return `value` with Python's numbers in place of NumPy's, in the fields of dataclasses and in tuples too.

    `numpy.float64(0.1)` times a float32 array would be float64.
    """
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    if isinstance(value, (tuple, list)):
        return tuple(with_python_numbers(entry) for entry in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    entries = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    changed = {name: plain for name, entry in entries.items() if (plain := with_python_numbers(entry)) is not entry}
    if not changed:
        return value
    value = copy.copy(value)
    for name, plain in changed.items():
        object.__setattr__(value, name, plain)
    for name, member in inspect.getmembers_static(type(value)):
        if isinstance(member, functools.cached_property):  # computed from the fields as they were
            vars(value).pop(name, None)
    return value


def from_dict(config: Any, known: Mapping[str, Any]) -> Any:
    """Return the value of which `to_dict` gave `config`, from the names in `known` only.

    Raises ConfigError for an unknown name, and for settings that the named type does not take.
    """
    return _from_dict(config, known, _DEPTH)


def _from_dict(config: Any, known: Mapping[str, Any], depth: int) -> Any:
    if depth == 0:
        raise ConfigError(f"settings are nested more than {_DEPTH} deep.")
    if isinstance(config, list):
        return tuple(_from_dict(item, known, depth - 1) for item in config)
    if not isinstance(config, dict):
        if isinstance(config, int) and abs(config) >= 2**63:
            raise ConfigError(f"{brief(config)} is too large for a setting.")
        return config
    settings = dict(config)
    name = settings.pop("type", None)
    if not isinstance(name, str) or name not in known:
        fault = "settings have no type" if name is None else f"{brief(name)} is not known here"
        word = name if isinstance(name, str) else ""
        raise UnknownNameError(fault, word, remedy=_peers.name(word, known))
    made = known[name]
    if inspect.isfunction(made):
        if settings:
            raise ConfigError(f"{name} takes no settings, got {brief(', '.join(settings))[1:-1]}.")
        return made
    if not dataclasses.is_dataclass(made) and (settings or inspect.signature(made).parameters):
        raise ConfigError(f"{name} is not a dataclass, so its settings are not in the file; make it one.")
    fields = [field for field in dataclasses.fields(made) if field.init] if dataclasses.is_dataclass(made) else []
    _check(name, fields, settings)
    try:
        plain = [field.name for field in fields if field.type == "ClassWeight"]  # whose names are not types
        arguments = {
            key: value if key in plain else _from_dict(value, known, depth - 1) for key, value in settings.items()
        }
        for field in fields:
            if field.type == "Initializer" and not callable(arguments.get(field.name, _from_dict)):
                raise ConfigError(f"{name} needs an initializer for {field.name}, got {arguments[field.name]!r}.")
        by_position = arguments.pop("layers") if _takes_layers_by_position(made, arguments) else ()
        return made(*by_position, **arguments)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ConfigError(f"{name} cannot be made from {brief(settings)}: {error}.") from error


def _takes_layers_by_position(made: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether it is called as Sequential(*layers)."""
    parameter = inspect.signature(made).parameters.get("layers") if "layers" in arguments else None
    return parameter is not None and parameter.kind is parameter.VAR_POSITIONAL


def _check(name: str, fields: Sequence[dataclasses.Field[Any]], settings: Mapping[str, Any]) -> None:
    """Raise ConfigError for a setting that is unknown, missing, or of another type than its field."""
    allowed = [field.name for field in fields]
    if unknown := [key for key in settings if key not in allowed]:
        key = unknown[0] if isinstance(unknown[0], str) and len(unknown[0]) < 100 else ""
        remedy = _peers.argument(name, key, settings[unknown[0]], allowed)
        raise ConfigError(f"{name} has no setting {brief(unknown[0])}", remedy=remedy)
    for field in fields:
        value = settings.get(field.name)
        needed, is_right = _KINDS.get(str(field.type), ("", None))
        if is_right and value is not None and not is_right(value):
            raise ConfigError(f"{name} needs {needed} for {field.name}, got {brief(value)}.")
        optional = (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)
        if not optional and field.name not in settings:
            raise ConfigError(f"{name} needs {field.name}; it takes {', '.join(allowed)}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
