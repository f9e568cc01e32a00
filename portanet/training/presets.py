"""Ready-made models with the settings to train them: the article's network, and a better one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from portanet.errors import ConfigError
from portanet.nn import Dense, Flatten, Layer, ReLU, Rescale, Sequential, Standardize, uniform
from portanet.optim import SGD, Adam, AdamW, Optimizer, Schedule, constant, cosine_decay


@dataclass(frozen=True)
class Preset:
    """A model for any number of inputs and classes, and how to train it.

    layers         (number of classes) -> the layers after preprocessing
    pixels         the first layer for images; tables always start with Standardize(axis="feature")
    schedule       (learning rate, steps of the whole run) -> the schedule
    valid          the share of the rows held out to choose and to watch by
    """

    data: str
    layers: Callable[[int], tuple[Layer, ...]]
    pixels: Layer
    optimizer: Optimizer
    learning_rate: float
    schedule: Callable[[float, int], Schedule]
    epochs: int
    batch_size: int | None
    log_every: int
    valid: float

    def model(self, classes: int, *, images: bool) -> Sequential:
        """The model for so many classes, from images or from the columns of a table."""
        first = self.pixels if images else Standardize("feature")
        return Sequential(first, Flatten(), *self.layers(classes))


def _classic(classes: int) -> tuple[Layer, ...]:
    start = uniform(-0.5, 0.5)
    return Dense(16, start), ReLU(), Dense(classes, start)


def _mlp(classes: int) -> tuple[Layer, ...]:
    return Dense(256), ReLU(), Dense(128), ReLU(), Dense(classes)


def _warm_cosine(rate: float, steps: int) -> Schedule:
    return cosine_decay(rate, steps, warmup=steps // 20)


PRESETS = {
    "classic": Preset(
        data="mnist:article",
        layers=_classic,
        pixels=Rescale(1 / 255),
        optimizer=SGD(),
        learning_rate=0.2,
        schedule=lambda rate, steps: constant(rate),
        epochs=350,
        batch_size=None,
        log_every=10,
        valid=0.0,
    ),
    "mlp": Preset(
        data="mnist",
        layers=_mlp,
        pixels=Standardize("all"),
        optimizer=AdamW(weight_decay=0.3),
        learning_rate=0.003,
        schedule=_warm_cosine,
        epochs=12,
        batch_size=128,
        log_every=1,
        valid=1 / 12,
    ),
}

_OPTIMIZERS: dict[str, tuple[Optimizer, float]] = {
    "sgd": (SGD(), 0.1),
    "momentum": (SGD(momentum=0.9), 0.02),
    "nesterov": (SGD(momentum=0.9, nesterov=True), 0.02),
    "adam": (Adam(), 0.001),
    "adamw": (AdamW(), 0.001),
}
OPTIMIZERS = tuple(_OPTIMIZERS)


def preset(name: str) -> Preset:
    """The preset of this name; ConfigError for an unknown one."""
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; choose from {', '.join(PRESETS)}.")
    return PRESETS[name]


def optimizer(name: str) -> tuple[Optimizer, float]:
    """The optimizer of this name and a learning rate that usually suits it; ConfigError for an unknown one."""
    if name not in _OPTIMIZERS:
        raise ConfigError(f"there is no optimizer {name!r}; choose from {', '.join(OPTIMIZERS)}.")
    return _OPTIMIZERS[name]
