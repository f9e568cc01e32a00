"""Optimizers, losses and schedules by name, with default settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from portanet.errors import ConfigError
from portanet.nn import (
    LOSSES,
    binary_cross_entropy,
    cross_entropy,
    hinge,
    huber,
    mean_absolute_error,
    mean_squared_error,
    poisson,
)
from portanet.optim import (
    SCHEDULES,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RMSProp,
    Schedule,
    constant,
    cos_log,
    cosine_decay,
    inverse_scaling,
    one_cycle,
)

_OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(0.1),
    "momentum": SGD(0.02, momentum=0.9),
    "nesterov": SGD(0.02, momentum=0.9, nesterov=True),
    "adagrad": AdaGrad(0.02),
    "rmsprop": RMSProp(0.001),
    "adam": Adam(0.001),
    "adamw": AdamW(0.001),
    "nadam": NAdam(0.001),
    "lion": Lion(0.0003),
}
OPTIMIZERS = tuple(_OPTIMIZERS)

_LOSSES: dict[str, Any] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "hinge": hinge,
    "mean_squared_error": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "huber": huber,
    "poisson": poisson,
}
_LOSSES_ELSEWHERE: dict[str, Any] = {  # in Keras, PyTorch and scikit-learn
    "categorical_crossentropy": cross_entropy,
    "sparse_categorical_crossentropy": cross_entropy,
    "log_loss": cross_entropy,
    "binary_crossentropy": binary_cross_entropy,
    "bce": binary_cross_entropy,
    "mse": mean_squared_error,
    "squared_error": mean_squared_error,
    "mae": mean_absolute_error,
    "absolute_error": mean_absolute_error,
}
_SCHEDULES: dict[str, Schedule] = {
    "constant": constant(),
    "cos_log": cos_log(),
    "cosine_decay": cosine_decay(),
    "inverse_scaling": inverse_scaling(),
    "one_cycle": one_cycle(),
}


def optimizer(name: str) -> Optimizer:
    """The optimizer of this name, with its usual learning rate; raises ConfigError for an unknown one."""
    return _named("optimizer", name, _OPTIMIZERS)


def loss(name: str) -> Any:
    """The loss of this name, such as "mse"; raises ConfigError for an unknown one."""
    usual = {**{key: made() for key, made in LOSSES.items()}, **_LOSSES, **_LOSSES_ELSEWHERE}
    return usual.get(name) or usual.get(name.lower()) or _named("loss", name, _LOSSES)


def schedule(name: str) -> Schedule:
    """The schedule of this name, with its default settings; raises ConfigError for an unknown one."""
    if name in SCHEDULES and name not in _SCHEDULES:
        raise ConfigError(f"schedule={name!r} has settings without a default", remedy=f"write {name}(...)")
    return _named("schedule", name, _SCHEDULES)


def _named(kind: str, name: str, known: Mapping[str, Any]) -> Any:
    if name.lower() in known:
        return known[name.lower()]
    close = difflib.get_close_matches(name.lower(), known, 1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    raise ConfigError(f"unknown {kind} {name!r}", remedy=f"{guess}choose from {', '.join(known)}")
