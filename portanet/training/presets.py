"""Ready-made training specs: the article's network, a better one, and a convolutional one."""

from __future__ import annotations

from portanet.errors import ConfigError
from portanet.nn import Conv2D, Dense, Flatten, MaxPool2D, RandomAffine, ReLU, Rescale, Standardize, uniform
from portanet.optim import EMA, SGD, AdamW, cosine_decay
from portanet.training.spec import TrainingSpec

_ARTICLE = uniform(-0.5, 0.5)

PRESETS = {
    "classic": TrainingSpec(
        layers=(
            Rescale(1 / 255), Flatten(), Dense(16, initializer=_ARTICLE), ReLU(), Dense(None, initializer=_ARTICLE),
        ),
        optimizer=SGD(0.2),
        epochs=350,
        batch_size="full",
        log_every=10,
    ),
    "mlp": TrainingSpec(
        layers=(Standardize("all"), Flatten(), Dense(256), ReLU(), Dense(128), ReLU(), Dense(None)),
        optimizer=AdamW(0.003, weight_decay=0.3),
        schedule=cosine_decay(warmup=0.05),
        epochs=12,
        valid=1 / 12,
    ),
    "cnn": TrainingSpec(
        layers=(
            RandomAffine(), Standardize("all"), Conv2D(16, 5), ReLU(), MaxPool2D(), Conv2D(32, 5), ReLU(), MaxPool2D(),
            Flatten(), Dense(128), ReLU(), Dense(None),
        ),
        optimizer=EMA(AdamW(0.003, weight_decay=0.05), decay=0.995),
        schedule=cosine_decay(warmup=0.05),
        epochs=10,
        valid=1 / 12,
    ),
}  # fmt: skip
DATA = {"classic": "mnist:article", "mlp": "mnist", "cnn": "mnist"}
"""What each preset is trained on where no data are named."""


def preset(name: str) -> TrainingSpec:
    """The preset of this name; ConfigError for an unknown one."""
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; choose from {', '.join(PRESETS)}.")
    return PRESETS[name]
