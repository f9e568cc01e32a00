"""Ready-made models with the settings to train them: the article's network, a better one, and a convolutional one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from portanet.errors import ConfigError
from portanet.nn import (
    Conv2D,
    Dense,
    Flatten,
    Layer,
    Loss,
    MaxPool2D,
    RandomAffine,
    ReLU,
    Rescale,
    Sequential,
    Standardize,
    cross_entropy,
    uniform,
)
from portanet.optim import (
    EMA,
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
    cosine_decay,
)
from portanet.training.callbacks import Callback


@dataclass(frozen=True)
class Preset:
    """A model for any number of outputs, and how to train it.

    body           (number of outputs) -> the layers after preprocessing
    pixels         the first layers for images
    columns        the first layers for the rows of a table; None where the body takes images only
    whole          whether the body is the model, for certain data, and nothing comes before or after it
    valid          the share of the rows held out to choose and to watch by
    """

    data: str
    body: Callable[[int], Sequence[Layer]]
    pixels: tuple[Layer, ...]
    optimizer: Optimizer
    schedule: Schedule
    epochs: int
    batch_size: int | None
    log_every: int
    valid: float
    columns: tuple[Layer, ...] | None = (Standardize("feature"),)
    whole: bool = False
    loss: Loss = cross_entropy
    callbacks: tuple[Callback, ...] = ()
    accumulate: int = 1

    def model(self, outputs: int, *, images: bool, last: Sequence[Layer] = ()) -> Sequential:
        """The model with so many outputs, from images or from the columns of a table; `last` follows the body.

        Raises ConfigError for a table where the body takes images only.
        """
        first = self.pixels if images else self.columns
        if first is None:
            raise ConfigError(
                "this preset takes images.", remedy='name their shape, as with image=(1, 28, 28), or use preset="mlp"'
            )
        return Sequential(*first, *self.body(outputs), *(() if self.whole else last))


def _classic(outputs: int) -> tuple[Layer, ...]:
    start = uniform(-0.5, 0.5)
    return Flatten(), Dense(16, start), ReLU(), Dense(outputs, start)


def _mlp(outputs: int) -> tuple[Layer, ...]:
    return Flatten(), Dense(256), ReLU(), Dense(128), ReLU(), Dense(outputs)


def _cnn(outputs: int) -> tuple[Layer, ...]:
    return (
        Conv2D(16, 5), ReLU(), MaxPool2D(), Conv2D(32, 5), ReLU(), MaxPool2D(),
        Flatten(), Dense(128), ReLU(), Dense(outputs),
    )  # fmt: skip


PRESETS = {
    "classic": Preset(
        data="mnist:article",
        body=_classic,
        pixels=(Rescale(1 / 255),),
        optimizer=SGD(0.2),
        schedule=constant(),
        epochs=350,
        batch_size=None,
        log_every=10,
        valid=0.0,
    ),
    "mlp": Preset(
        data="mnist",
        body=_mlp,
        pixels=(Standardize("all"),),
        optimizer=AdamW(0.003, weight_decay=0.3),
        schedule=cosine_decay(warmup=0.05),
        epochs=12,
        batch_size=128,
        log_every=1,
        valid=1 / 12,
    ),
    "cnn": Preset(
        data="mnist",
        body=_cnn,
        pixels=(RandomAffine(), Standardize("all")),
        optimizer=EMA(AdamW(0.003, weight_decay=0.05), decay=0.995),
        schedule=cosine_decay(warmup=0.05),
        epochs=10,
        batch_size=128,
        log_every=1,
        valid=1 / 12,
        columns=None,
    ),
}

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


def preset(name: str) -> Preset:
    """The preset of this name; ConfigError for an unknown one."""
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; choose from {', '.join(PRESETS)}.")
    return PRESETS[name]


def optimizer(name: str) -> Optimizer:
    """The optimizer of this name, with a learning rate that usually suits it; ConfigError for an unknown one."""
    if name not in _OPTIMIZERS:
        raise ConfigError(f"there is no optimizer {name!r}; choose from {', '.join(OPTIMIZERS)}.")
    return _OPTIMIZERS[name]
