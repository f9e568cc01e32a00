"""A training's settings as plain tables: what a configuration file may hold beside single values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from portanet import nn, optim
from portanet._settings import from_dict, to_dict
from portanet.errors import ConfigError, PortanetError
from portanet.nn import Layer, Sequential
from portanet.training.callbacks import CALLBACKS, Callback
from portanet.training.presets import Preset


def with_tables(plan: Preset, tables: Mapping[str, Any]) -> Preset:
    """`plan` with its optimizer, schedule, loss, layers or callbacks in place of its own.

    ConfigError names the table, and what is allowed, where one cannot be used.
    """
    for name, table in tables.items():
        if name not in TABLES:
            raise ConfigError(f"there is no setting {name!r}; tables are {', '.join(TABLES)}.")
        kind, words = (list, "a list of tables") if name in ("layers", "callbacks") else (dict, "a table")
        if not isinstance(table, kind):
            raise ConfigError(f"{name} must be {words} with a type, as in {TABLES[name]}.")
        try:
            plan = _TAKE[name](plan, table)
        except PortanetError as error:
            raise ConfigError(f"{name}: {error}") from error
    return plan


def tables_of(plan: Preset, model: Sequential) -> dict[str, Any]:
    """The tables that give this plan and this model again."""
    return {
        "optimizer": to_dict(plan.optimizer),
        "schedule": to_dict(plan.schedule),
        "loss": to_dict(plan.loss),
        "layers": [to_dict(layer) for layer in model.layers],
        "callbacks": [to_dict(callback) for callback in plan.callbacks],
    }


def _optimizer(plan: Preset, table: Any) -> Preset:
    return replace(plan, optimizer=from_dict(table, optim.OPTIMIZERS))


def _schedule(plan: Preset, table: Any) -> Preset:
    return replace(plan, schedule=from_dict(table, optim.SCHEDULES))


def _loss(plan: Preset, table: Any) -> Preset:
    return replace(plan, loss=from_dict(table, nn.LOSSES))


def _layers(plan: Preset, tables: Any) -> Preset:
    layers = _each(from_dict(tables, nn.LAYERS), Layer, "layer")

    def body(outputs: int) -> tuple[Layer, ...]:
        return layers

    return replace(plan, body=body, pixels=(), columns=(), whole=True)


def _callbacks(plan: Preset, tables: Any) -> Preset:
    return replace(plan, callbacks=_each(from_dict(tables, CALLBACKS), Callback, "callback"))


def _each(found: Any, kind: type, word: str) -> Any:
    """What was found; ConfigError unless all of it is of this kind."""
    for part in found:
        if not isinstance(part, kind):
            raise ConfigError(f"{getattr(part, '__name__', None) or repr(part)} is no {word}.")
    return found


_TAKE: dict[str, Callable[[Preset, Any], Preset]] = {
    "optimizer": _optimizer,
    "schedule": _schedule,
    "loss": _loss,
    "layers": _layers,
    "callbacks": _callbacks,
}

TABLES = {
    "optimizer": 'optimizer = { type = "AdamW", learning_rate = 0.003, weight_decay = 0.1 }',
    "schedule": 'schedule = { type = "cosine_decay", warmup = 0.05 }',
    "loss": 'loss = { type = "CrossEntropy", label_smoothing = 0.1 }',
    "layers": 'layers = [{ type = "Flatten" }, { type = "Dense", units = 10 }]',
    "callbacks": 'callbacks = [{ type = "EarlyStopping", patience = 3 }]',
}
