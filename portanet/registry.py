"""Settings as plain data and back: how a model file names its layers, and a run its optimizer, without any code."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

from portanet.errors import ConfigError


def describe(value: Any) -> Any:
    """`value` as JSON data: a dataclass or a function becomes `{"type": its name, ...its fields}`.

    >>> from portanet.optim import Adam
    >>> describe(Adam())
    {'type': 'Adam', 'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-08}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: describe(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__} | fields
    if inspect.isfunction(value):
        return {"type": value.__name__}
    if isinstance(value, (tuple, list)):
        return [describe(item) for item in value]
    return value


def construct(config: Any, known: Mapping[str, Any]) -> Any:
    """What `describe` described, made again from the names in `known` and from nothing else.

    Raises ConfigError for an unknown name, and for settings that the named thing does not take.
    """
    if isinstance(config, list):
        return tuple(construct(item, known) for item in config)
    if not isinstance(config, dict):
        return config
    settings = dict(config)
    name = settings.pop("type", None)
    if not isinstance(name, str) or name not in known:
        raise ConfigError(f"{name!r} is not known here; known: {', '.join(sorted(known))}.")
    made = known[name]
    if inspect.isfunction(made):
        if settings:
            raise ConfigError(f"{name} takes no settings, got {', '.join(settings)}.")
        return made
    allowed = [f.name for f in dataclasses.fields(made)]
    if unknown := [key for key in settings if key not in allowed]:
        raise ConfigError(f"{name} has no setting {unknown[0]!r}; it takes {', '.join(allowed) or 'none'}.")
    try:
        arguments = {key: construct(value, known) for key, value in settings.items()}
        return made(*arguments.pop("layers", ()), **arguments)  # a container takes its children by position
    except TypeError as error:
        raise ConfigError(f"{name} cannot be made from {settings}: {error}.") from error
