"""A training's settings as plain tables: what a configuration file may hold beside single values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from portanet import nn, optim
from portanet._settings import construct, describe
from portanet.errors import ConfigError, PortanetError
from portanet.nn import Layer, Sequential
from portanet.optim import Schedule
from portanet.training.callbacks import CALLBACKS, Callback
from portanet.training.presets import Preset


def with_tables(plan: Preset, tables: Mapping[str, Any]) -> Preset:
    """`plan` with its optimizer, schedule, loss, layers or callbacks in place of its own.

    A schedule without `rate` takes the learning rate, one without `steps` the length of the run. ConfigError
    names the table, and what is allowed, where one cannot be used.
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


def tables_of(plan: Preset, model: Sequential, steps: int) -> dict[str, Any]:
    """The tables that give this plan and this model again, for a run of so many steps.

    What a schedule takes from the run is left out, so that it follows a change of the run.
    """
    of_the_run = {"rate": plan.learning_rate, "steps": steps}
    return {
        "optimizer": describe(plan.optimizer),
        "schedule": _unfilled(describe(plan.schedule(plan.learning_rate, steps)), of_the_run),
        "loss": describe(plan.loss),
        "layers": [describe(layer) for layer in model.layers],
        "callbacks": [describe(callback) for callback in plan.callbacks],
    }


def _optimizer(plan: Preset, table: Any) -> Preset:
    return replace(plan, optimizer=construct(table, optim.OPTIMIZERS))


def _schedule(plan: Preset, table: Any) -> Preset:
    rate = _rate(table)
    construct(_filled(table, 0.1 if rate is None else rate, 1_000_000), optim.SCHEDULES)  # what cannot be, says so now

    def filled(rate: float, steps: int) -> Schedule:
        try:
            return construct(_filled(table, rate, steps), optim.SCHEDULES)
        except ConfigError as error:
            raise ConfigError(f"schedule: {error}") from error

    return replace(plan, schedule=filled, learning_rate=plan.learning_rate if rate is None else rate)


def _rate(table: Any) -> Any:
    """The learning rate that a schedule's table names, itself or in a schedule inside it."""
    if not isinstance(table, dict):
        return None
    return table.get("rate", _rate(table.get("schedule")))


def _filled(table: Any, rate: float, steps: int) -> Any:
    """A schedule's table with the rate of the run, and with its steps where it names none; one inside it too."""
    if not isinstance(table, dict):
        return table
    made: Any = optim.SCHEDULES.get(str(table.get("type")))
    fields = getattr(made, "__dataclass_fields__", {})
    of_the_run = {key: value for key, value in {"rate": rate, "steps": steps}.items() if key in fields}
    own = {key: _filled(value, rate, steps) for key, value in table.items()}
    return of_the_run | own | {key: rate for key in of_the_run if key == "rate"}


def _unfilled(table: Any, of_the_run: Mapping[str, Any]) -> Any:
    """A schedule's table without what `_filled` puts in again."""
    if not isinstance(table, dict):
        return table
    kept = {key: value for key, value in table.items() if key not in of_the_run or of_the_run[key] != value}
    return {key: _unfilled(value, of_the_run) for key, value in kept.items()}


def _loss(plan: Preset, table: Any) -> Preset:
    return replace(plan, loss=construct(table, nn.LOSSES))


def _layers(plan: Preset, tables: Any) -> Preset:
    layers = _each(construct(tables, nn.LAYERS), Layer, "layer")

    def body(outputs: int) -> tuple[Layer, ...]:
        return layers

    return replace(plan, body=body, pixels=(), columns=(), whole=True)


def _callbacks(plan: Preset, tables: Any) -> Preset:
    return replace(plan, callbacks=_each(construct(tables, CALLBACKS), Callback, "callback"))


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
    "optimizer": 'optimizer = { type = "AdamW", weight_decay = 0.1 }',
    "schedule": 'schedule = { type = "cosine_decay", warmup = 100 }',
    "loss": 'loss = { type = "CrossEntropy", label_smoothing = 0.1 }',
    "layers": 'layers = [{ type = "Flatten" }, { type = "Dense", units = 10 }]',
    "callbacks": 'callbacks = [{ type = "EarlyStopping", patience = 3 }]',
}
