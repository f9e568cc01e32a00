"""The learning rate over the run: each schedule maps the step (from 0) to a rate, on the host."""

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
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.final + (self.rate - self.final) * (1.0 + math.cos(math.pi * done)) / 2.0


def _positive(name: str, rate: float) -> None:
    if not (math.isfinite(rate) and rate > 0):
        raise ConfigError(
            f"{name} needs a finite learning rate above 0, got {rate!r}; try 0.1 with SGD, 0.001 with Adam."
        )
