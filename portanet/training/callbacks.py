"""Callbacks: called at the start, during, at logging points and at the end of a run, which they may stop."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from portanet._calls import explain_calls
from portanet._tree import tree_map
from portanet._typing import Params
from portanet.errors import ConfigError
from portanet.metrics import LOSS, METRICS

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

Row = dict[str, Any]


class Callback:
    """A base for callbacks; every method does nothing by default.

    Do not change losses, layers or optimizers during a run: its step may be compiled or traced, so their attributes are
    constant from then on. To change the learning rate, set `rate_factor`.

    rate_factor  a factor of the learning rate, effective from the next steps on
    """

    rate_factor: float = 1.0

    def begin(self, run: TrainedModel, steps: int) -> None:
        """Training starts or resumes.

        run    the run, with its first parameters in `run.params`
        steps  the number of steps of the whole run
        """

    def advance(self, step: int) -> None:
        """Steps have been submitted; the device may not have finished them.

        step  the number of steps submitted so far

        `run.params` are still those of the last row of the history, or the initial ones before the first row.
        """

    def wants_params(self, step: int) -> bool:
        """Return whether the `advance` that follows needs `run.params` of this step, which takes a copy.

        step  the number of steps submitted
        """
        return False

    def log(self, row: Row) -> bool | None:
        """A row of the history and `run.params` are ready; return True to stop training here.

        row  the row: step, epoch, learning_rate, loss, ...

        The arrays of `run.params` are copies that do not change later.
        """

    def end(self) -> None:
        """Training has ended, finished or not."""

    def state(self) -> dict[str, Any]:
        """Return what is needed to resume: numbers, text, and arrays in nested dicts."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back a state, between `begin` and the first step.

        state  what `state` returned when it was saved
        """


@dataclass
class KeepBest(Callback):
    """End with the weights of the logging point where an entry of the history was best, the last one in a tie.

    monitor  the entry of the history, such as "valid_loss"; lower is better if it ends in "loss"

    An entry of the training rows, such as "loss", is a mean over the steps of an epoch, but the weights are those
    after the epoch, as in Keras with restore_best_weights=True. Such an entry does not reveal overfitting.
    Raises ConfigError if the history has no such entry.
    """

    monitor: str = "valid_loss"
    _best: float = field(default=math.nan, init=False, repr=False, compare=False)
    _best_params: Params = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_monitor(self, self.monitor)

    def begin(self, run: TrainedModel, steps: int) -> None:
        self._run, self._best, self._best_params = run, math.nan, {}

    def log(self, row: Row) -> bool | None:
        value = _watched(self, self.monitor, row)
        if not _better(self.monitor, self._best, value, 0.0):
            self._best, self._best_params = value, self._run.params
        return False

    def end(self) -> None:
        if self._best_params:
            self._run.params = self._best_params

    def state(self) -> dict[str, Any]:
        return {"best": self._best, "params": self._best_params}

    def restore(self, state: dict[str, Any]) -> None:
        self._best = state["best"]
        self._best_params = tree_map(state["params"], lambda array: self._run.backend.put(array, self._run.dtype))


@dataclass
class EarlyStopping(KeepBest):
    """Stop when an entry of the history has not improved for `patience` logging points; restore the best weights.

    monitor     as for KeepBest
    patience    logging points without improvement, at least 1
    min_change  an improvement must be larger, in the unit of the entry

    Prechelt 1998, "Early Stopping - But When?". Raises ConfigError for invalid settings, and if the history has no
    such entry.
    """

    _: KW_ONLY
    patience: int = 5
    min_change: float = 0.0
    _waited: int = field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self, "patience", "an integer >= 1", _is_integer(self.patience, 1))
        _require(self, "min_change", "a finite number >= 0", _is_number(self.min_change, 0.0))

    def begin(self, run: TrainedModel, steps: int) -> None:
        super().begin(run, steps)
        self._waited = 0

    def log(self, row: Row) -> bool | None:
        value = _watched(self, self.monitor, row)
        if _better(self.monitor, value, self._best, self.min_change):
            self._best, self._waited, self._best_params = value, 0, self._run.params
        else:
            self._waited += 1
        return self._waited >= self.patience

    def state(self) -> dict[str, Any]:
        return super().state() | {"waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self._waited = state["waited"]


@dataclass
class ReduceOnPlateau(Callback):
    """Multiply the learning rate by `factor` when an entry has not improved for more than `patience` logging points.

    monitor    as for KeepBest; an entry of the training rows is fine too
    factor     above 0 and below 1
    patience   logging points without improvement that are tolerated
    threshold  an improvement must be larger: lower than best * (1 - threshold), or higher than best * (1 + threshold)
    cooldown   logging points after a reduction that do not count

    It behaves like torch.optim.lr_scheduler.ReduceLROnPlateau. Raises ConfigError for invalid settings, and if the
    history has no such entry.
    """

    monitor: str = "valid_loss"
    _: KW_ONLY
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    rate_factor: float = field(default=1.0, init=False, repr=False, compare=False)
    _best: float = field(default=math.nan, init=False, repr=False, compare=False)
    _waited: int = field(default=0, init=False, repr=False, compare=False)
    _cooling: int = field(default=0, init=False, repr=False, compare=False)

    saved: ClassVar[tuple[str, ...]] = ("rate_factor", "_best", "_waited", "_cooling")

    def __post_init__(self) -> None:
        _require_monitor(self, self.monitor)
        _require(self, "factor", "a number > 0 and < 1", _is_number(self.factor, 0.0) and 0 < self.factor < 1)
        _require(self, "patience", "an integer >= 0", _is_integer(self.patience, 0))
        _require(self, "threshold", "a finite number >= 0", _is_number(self.threshold, 0.0))
        _require(self, "cooldown", "an integer >= 0", _is_integer(self.cooldown, 0))

    def begin(self, run: TrainedModel, steps: int) -> None:
        self.rate_factor, self._best, self._waited, self._cooling = 1.0, math.nan, 0, 0

    def log(self, row: Row) -> bool | None:
        value = _watched(self, self.monitor, row)
        if _better(self.monitor, value, self._best, self.threshold * self._best):
            self._best, self._waited = value, 0
        else:
            self._waited += 1
        if self._cooling:
            self._cooling, self._waited = self._cooling - 1, 0
        if self._waited > self.patience:
            self.rate_factor *= self.factor
            self._cooling, self._waited = self.cooldown, 0
        return None

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.saved}

    def restore(self, state: dict[str, Any]) -> None:
        for name in self.saved:
            setattr(self, name, state[name])


CALLBACKS = {made.__name__: made for made in (EarlyStopping, KeepBest, ReduceOnPlateau)}
"""By name, for a configuration file."""

explain_calls(CALLBACKS.values(), ConfigError)


def _watched(callback: Callback, monitor: str, row: Row) -> float:
    if monitor not in row:
        name, known = type(callback).__name__, ", ".join(row)
        raise ConfigError(
            f"{name} watches {monitor!r}, but the history has {known}.",
            remedy="give valid=..., rows to measure on, or watch another",
        )
    return float(row[monitor])


def _better(monitor: str, value: float, best: float, change: float) -> bool:
    """Whether `value` is better than `best` by more than `change`; anything is better than NaN."""
    if math.isnan(best):
        return not math.isnan(value)
    return value < best - change if _lower_is_better(monitor) else value > best + change


def _lower_is_better(monitor: str) -> bool:
    """As defined by the metric of that key; for an unknown key, lower is better if it ends in "loss"."""
    metric = {metric.key: metric for metric in METRICS}.get(monitor.removeprefix("valid_"))
    return monitor.endswith(LOSS.key) if metric is None else not metric.higher_is_better


def _require(callback: Callback, name: str, bound: str, holds: bool) -> None:
    """Raise ConfigError unless the setting `name` is within its bound."""
    if not holds:
        raise ConfigError(f"{type(callback).__name__}: {name} must be {bound}, got {getattr(callback, name)!r}.")


def _require_monitor(callback: Callback, monitor: object) -> None:
    _require(callback, "monitor", "the name of an entry of the history, such as 'loss'", isinstance(monitor, str))
    if str(monitor).startswith("val_"):
        valid = f"valid_{str(monitor).removeprefix('val_')}"
        raise ConfigError(f"{type(callback).__name__}: monitor {monitor!r} is Keras' name", remedy=f"watch {valid!r}")


def _is_integer(value: object, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _is_number(value: object, least: float) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and least <= float(value) < math.inf
