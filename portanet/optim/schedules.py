"""The learning rate over the run: each schedule maps the step (from 0) to a rate, on the host.

A schedule with a field `steps` follows the whole run's length; the others never ask how long it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from portanet.errors import ConfigError


class Schedule(Protocol):
    """Anything that gives the learning rate of a step."""

    def __call__(self, step: int, /) -> float:
        """The learning rate of this step, counted from 0."""


@dataclass(frozen=True)
class constant:  # noqa: N801 - schedules are used like functions: constant(0.2)
    """The same rate at every step. Raises ConfigError unless rate > 0."""

    rate: float

    def __post_init__(self) -> None:
        _positive("constant", self.rate)

    def __call__(self, step: int, /) -> float:
        return self.rate


@dataclass(frozen=True)
class step_decay:  # noqa: N801
    """`rate`, multiplied by `factor` after every so many steps: rate * factor^floor(step / every).

    Raises ConfigError unless rate > 0, 0 < factor <= 1 and every >= 1.
    """

    rate: float
    factor: float
    every: int

    def __post_init__(self) -> None:
        _positive("step_decay", self.rate)
        _shrinking("step_decay", self.factor, self.every)

    def __call__(self, step: int, /) -> float:
        return self.rate * self.factor ** (step // self.every)


@dataclass(frozen=True)
class exponential_decay:  # noqa: N801
    """As `step_decay`, but smooth: rate * factor^(step / every).

    Raises ConfigError unless rate > 0, 0 < factor <= 1 and every >= 1.
    """

    rate: float
    factor: float
    every: int = 1

    def __post_init__(self) -> None:
        _positive("exponential_decay", self.rate)
        _shrinking("exponential_decay", self.factor, self.every)

    def __call__(self, step: int, /) -> float:
        return self.rate * self.factor ** (step / self.every)


@dataclass(frozen=True)
class inverse_scaling:  # noqa: N801
    """Falls ever more slowly: rate / (step + 1)^power.

    The formula of learning_rate="invscaling" in scikit-learn's MLPClassifier, which counts rows where this counts
    steps. With power=0.5: Robbins and Monro 1951. Raises ConfigError unless rate > 0, and power is finite and >= 0.
    """

    rate: float
    power: float = 0.5

    def __post_init__(self) -> None:
        _positive("inverse_scaling", self.rate)
        if not (math.isfinite(self.power) and self.power >= 0):
            raise ConfigError(f"inverse_scaling needs a finite power of at least 0, got {self.power!r}.")

    def __call__(self, step: int, /) -> float:
        return self.rate / (step + 1) ** self.power


@dataclass(frozen=True)
class cosine_decay:  # noqa: N801
    """Up to `rate` over the warm-up in a straight line, then down to `final` along half a cosine.

        step < warmup:   rate * (step + 1) / warmup
        after it:        final + (rate - final) * (1 + cos(pi * t)) / 2,   t = (step - warmup) / (steps - warmup)

    From `steps` on it stays at `final`. Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    Raises ConfigError unless rate > 0, 0 <= warmup < steps and 0 <= final <= rate.
    """

    rate: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        _positive("cosine_decay", self.rate)
        if not 0 <= self.warmup < self.steps:
            raise ConfigError(f"cosine_decay needs 0 <= warmup < steps, got {self.warmup} and {self.steps}.")
        if not 0 <= self.final <= self.rate:
            raise ConfigError(f"cosine_decay needs 0 <= final <= rate, got final={self.final!r}.")

    def __call__(self, step: int, /) -> float:
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        return _half_cosine(self.rate, self.final, (step - self.warmup) / (self.steps - self.warmup))


@dataclass(frozen=True)
class one_cycle:  # noqa: N801
    """From rate / div_factor up to `rate`, then down to a tiny fraction of where it began, each along half a cosine.

        first = rate / div_factor       last = first / final_div_factor       peak = pct_start * steps - 1
        step <= peak:   first + (rate - first) * (1 - cos(pi * step / peak)) / 2
        after it:       last + (rate - last) * (1 + cos(pi * (step - peak) / (steps - 1 - peak))) / 2

    From step steps - 1 on it stays at `last`. Smith and Topin 2018, arXiv:1708.07120, in the two phases and with the
    names of torch.optim.lr_scheduler.OneCycleLR (pct_start is a share, not a percentage); momentum stays as it is.
    Raises ConfigError unless rate > 0, steps >= 1, 0 <= pct_start < 1 and both factors >= 1.
    """

    rate: float
    steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        _positive("one_cycle", self.rate)
        if not self.steps >= 1:
            raise ConfigError(f"one_cycle needs steps >= 1, got {self.steps!r}.")
        if not 0 <= self.pct_start < 1:
            raise ConfigError(f"one_cycle needs 0 <= pct_start < 1, got {self.pct_start!r}.")
        for name in ("div_factor", "final_div_factor"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 1):
                raise ConfigError(f"one_cycle needs a finite {name} of at least 1, got {value!r}.")

    def __call__(self, step: int, /) -> float:
        first = self.rate / self.div_factor
        peak = self.pct_start * self.steps - 1
        if step < peak:
            return _half_cosine(first, self.rate, step / peak)
        return _half_cosine(self.rate, first / self.final_div_factor, (step - peak) / (self.steps - 1 - peak))


@dataclass(frozen=True)
class linear_warmup:  # noqa: N801
    """Up to another schedule's first rate in a straight line over `warmup` steps; then that schedule from its step 0.

        step < warmup:   schedule(0) * (step + 1) / warmup
        after it:        schedule(step - warmup)

    The first rate is used at step warmup - 1, where the line ends, and at step warmup, so a schedule of n steps ends
    after warmup + n. Raises ConfigError unless warmup >= 1.
    """

    schedule: Schedule
    warmup: int

    def __post_init__(self) -> None:
        if not callable(self.schedule):
            raise ConfigError(f"linear_warmup needs a schedule such as constant(0.1), got {self.schedule!r}.")
        if not self.warmup >= 1:
            raise ConfigError(f"linear_warmup needs warmup >= 1, got {self.warmup!r}.")

    def __call__(self, step: int, /) -> float:
        if step < self.warmup:
            return self.schedule(0) * (step + 1) / self.warmup
        return self.schedule(step - self.warmup)


def _half_cosine(start: float, end: float, done: float) -> float:
    """From `start` to `end` along half a cosine; `done` says how much of it is over, and past 1 it stays."""
    return end + (start - end) * (1.0 + math.cos(math.pi * min(1.0, done))) / 2.0


def _positive(name: str, rate: float) -> None:
    if not (math.isfinite(rate) and rate > 0):
        raise ConfigError(
            f"{name} needs a finite learning rate above 0, got {rate!r}; try 0.1 with SGD, 0.001 with Adam."
        )


def _shrinking(name: str, factor: float, every: int) -> None:
    if not 0 < factor <= 1:
        raise ConfigError(f"{name} needs 0 < factor <= 1, got {factor!r}.")
    if not every >= 1:
        raise ConfigError(f"{name} needs every >= 1 (steps), got {every!r}.")
