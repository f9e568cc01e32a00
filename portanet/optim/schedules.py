"""Learning-rate schedules: functions from a step and the number of steps to a factor of the optimizer's rate.

`fit(..., optimizer=AdamW(0.003), schedule=cosine_decay(warmup=0.05))`. Schedules depend on neither the rate
nor the length of the run, so they can be reused when either changes. They run on the host.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Protocol

from portanet.errors import ConfigError


class Schedule(Protocol):
    """Any function from a step to the factor of the learning rate."""

    def __call__(self, step: int, steps: int, /) -> float:
        """Return the factor of the optimizer's learning rate in this step.

        step   the step, from 0
        steps  the number of steps of the run
        """


@dataclass(frozen=True)
class constant:  # noqa: N801 - schedules are used like functions: constant()
    """The optimizer's learning rate at every step."""

    def __call__(self, step: int, steps: int, /) -> float:
        return 1.0


@dataclass(frozen=True)
class step_decay:  # noqa: N801
    """The factor drops after every `every` steps.

        factor^floor(step / every)

    factor  the factor of each drop, at most 1
    every   the number of steps between drops

    Raises ConfigError unless 0 < factor <= 1 and every >= 1.
    """

    factor: float
    every: int

    def __post_init__(self) -> None:
        _require_decay("step_decay", self.factor, self.every)

    def __call__(self, step: int, steps: int, /) -> float:
        return float(self.factor ** (step // self.every))


@dataclass(frozen=True)
class exponential_decay:  # noqa: N801
    """The factor falls exponentially, a smooth `step_decay`.

        factor^(step / every)

    factor  the factor over `every` steps, at most 1
    every   the number of steps in which the rate falls by `factor`

    Raises ConfigError unless 0 < factor <= 1 and every >= 1.
    """

    factor: float
    every: int = 1

    def __post_init__(self) -> None:
        _require_decay("exponential_decay", self.factor, self.every)

    def __call__(self, step: int, steps: int, /) -> float:
        return float(self.factor ** (step / self.every))


@dataclass(frozen=True)
class inverse_scaling:  # noqa: N801
    """The factor falls as a power of 1 / step, ever more slowly.

        1 / (step + 1)^power

    power  the exponent; 0 is constant

    The formula of learning_rate="invscaling" in scikit-learn's MLPClassifier, which counts rows instead of steps.
    With power=0.5: Robbins and Monro 1951. Raises ConfigError unless power is finite and >= 0.
    """

    power: float = 0.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.power) and self.power >= 0):
            raise ConfigError(f"inverse_scaling needs a finite power of at least 0, got {self.power!r}.")

    def __call__(self, step: int, steps: int, /) -> float:
        return float(1.0 / (step + 1) ** self.power)


@dataclass(frozen=True)
class cosine_decay:  # noqa: N801
    """The factor rises linearly to 1 during the warm-up, then falls to `final` along half a cosine.

        step < warmup:   (step + 1) / warmup
        after it:        final + (1 - final) * (1 + cos(pi * t)) / 2,   t = (step - warmup) / (steps - warmup)

    warmup  a fraction of the run below 1, or a number of steps from 1; 0 is none
    final   the factor at the end of the run, and after it

    Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    Raises ConfigError unless 0 <= final <= 1, and unless the warm-up is shorter than the run.
    """

    _: KW_ONLY
    warmup: float = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        _require_warmup("cosine_decay", self.warmup, 0)
        if not 0 <= self.final <= 1:
            raise ConfigError(f"cosine_decay needs 0 <= final <= 1, a fraction of the rate, got {self.final!r}.")

    def __call__(self, step: int, steps: int, /) -> float:
        warmup = _warmup_steps(self.warmup, steps)
        if warmup >= steps:
            raise ConfigError(f"cosine_decay needs warmup < steps of the run, got {warmup} and {steps}.")
        if step < warmup:
            return (step + 1) / warmup
        return _half_cosine(1.0, self.final, (step - warmup) / (steps - warmup))


@dataclass(frozen=True)
class one_cycle:  # noqa: N801
    """The factor rises from 1 / div_factor to 1, then falls far below the start, each along half a cosine.

        first = 1 / div_factor       last = first / final_div_factor       peak = pct_start * steps - 1
        step <= peak:   first + (1 - first) * (1 - cos(pi * step / peak)) / 2
        after it:       last + (1 - last) * (1 + cos(pi * (step - peak) / (steps - 1 - peak))) / 2

    pct_start         the fraction of the run in which it rises, from 0 to below 1, not a percentage
    div_factor        the peak divided by the start, at least 1
    final_div_factor  the start divided by the end, at least 1

    From step steps - 1 on it stays at `last`. Smith and Topin 2018, arXiv:1708.07120, in the two phases and with the
    names of torch.optim.lr_scheduler.OneCycleLR; momentum does not change.
    Raises ConfigError unless 0 <= pct_start < 1 and both factors >= 1.
    """

    _: KW_ONLY
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        if not 0 <= self.pct_start < 1:
            raise ConfigError(f"one_cycle needs 0 <= pct_start < 1, got {self.pct_start!r}.")
        for name in ("div_factor", "final_div_factor"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 1):
                raise ConfigError(f"one_cycle needs a finite {name} of at least 1, got {value!r}.")

    def __call__(self, step: int, steps: int, /) -> float:
        first, peak = 1.0 / self.div_factor, self.pct_start * steps - 1
        if step < peak:
            return _half_cosine(first, 1.0, step / peak)
        return _half_cosine(1.0, first / self.final_div_factor, (step - peak) / (steps - 1 - peak))


@dataclass(frozen=True)
class cos_log:  # noqa: N801
    """The factor rises to 1 and falls to 0 in `cycles` cosines, each twice as long as the previous one.

        (1 - cos(2 pi log2(1 + (2^cycles - 1) t))) / 2        t = step / steps

    cycles  the number of cosines, an integer from 1 to 100

    It starts and ends at 0, and from `steps` on it stays there. coslog4 of RealMLP: Holzmueller et al. 2024,
    arXiv:2407.04491. Raises ConfigError unless cycles is an integer from 1 to 100.
    """

    cycles: int = 4

    def __post_init__(self) -> None:
        if not (isinstance(self.cycles, int) and 1 <= self.cycles <= 100):
            raise ConfigError(f"cos_log needs an integer number of cycles from 1 to 100, got {self.cycles!r}.")

    def __call__(self, step: int, steps: int, /) -> float:
        cycle = math.log2(1 + (2**self.cycles - 1) * min(1.0, step / steps))
        return (1 - math.cos(2 * math.pi * cycle)) / 2


@dataclass(frozen=True)
class linear_warmup:  # noqa: N801
    """The factor rises linearly to another schedule's first factor, then follows that schedule.

        step < warmup:   schedule(0, steps - warmup) * (step + 1) / warmup
        after it:        schedule(step - warmup, steps - warmup)

    schedule  the schedule after the warm-up
    warmup    a fraction of the run below 1, or a number of steps from 1

    The first factor is used at step warmup - 1, where the line ends, and at step warmup. Goyal et al. 2017,
    arXiv:1706.02677. Raises ConfigError for a value that is not a schedule, and unless warmup > 0.
    """

    schedule: Schedule
    warmup: float

    def __post_init__(self) -> None:
        if not callable(self.schedule) or isinstance(self.schedule, type):
            raise ConfigError(f"linear_warmup needs a schedule such as constant(), got {self.schedule!r}.")
        _require_warmup("linear_warmup", self.warmup, 1e-300)

    def __call__(self, step: int, steps: int, /) -> float:
        warmup = _warmup_steps(self.warmup, steps)
        rest = max(1, steps - warmup)
        if step < warmup:
            return float(self.schedule(0, rest)) * (step + 1) / warmup
        return float(self.schedule(step - warmup, rest))


def _half_cosine(start: float, end: float, done: float) -> float:
    """Return the value on half a cosine from `start` to `end`, at a fraction `done` of it; past 1 it stays at `end`."""
    return end + (start - end) * (1.0 + math.cos(math.pi * min(1.0, done))) / 2.0


def _warmup_steps(warmup: float, steps: int) -> int:
    return int(warmup * steps) if warmup < 1 else int(warmup)


def _require_warmup(name: str, warmup: float, least: float) -> None:
    if not least <= warmup < math.inf or (warmup > 1 and warmup % 1):
        bound = "from 0" if least == 0 else "above 0"
        wanted = f"warmup as a fraction {bound} and below 1, or as an integer number of steps from 1"
        raise ConfigError(f"{name} needs {wanted}, got {warmup!r}.")


def _require_decay(name: str, factor: float, every: int) -> None:
    if not 0 < factor <= 1:
        raise ConfigError(f"{name} needs 0 < factor <= 1, got {factor!r}.")
    if not every >= 1:
        raise ConfigError(f"{name} needs every >= 1 (steps), got {every!r}.")
