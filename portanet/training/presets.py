"""Ready-made training specs: the article's network, a better one, a convolutional one, and one for tables."""

from __future__ import annotations

from dataclasses import replace

from portanet.data import Dataset
from portanet.errors import ConfigError
from portanet.metrics import ACCURACY
from portanet.nn import (
    SELU,
    Columns,
    Conv2D,
    CrossEntropy,
    Dense,
    Flatten,
    Layer,
    MaxPool2D,
    Mish,
    NTKDense,
    RandomAffine,
    ReLU,
    Rescale,
    Scale,
    Standardize,
    mean_squared_error,
    uniform,
    zeros,
)
from portanet.optim import EMA, SGD, Adam, AdamW, cos_log, cosine_decay
from portanet.training.callbacks import KeepBest
from portanet.training.spec import TrainingSpec
from portanet.training.tasks import Task

_ARTICLE = uniform(-0.5, 0.5)


def _of_table(activation: Layer) -> tuple[Layer, ...]:
    """The layers of RealMLP-TD-S: Holzmueller et al. 2024, arXiv:2407.04491."""
    hidden = (NTKDense(256), activation) * 3
    return (Columns(), Scale(), *hidden, NTKDense(None, initializer=zeros))


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
    "table": TrainingSpec(
        layers=_of_table(SELU()),
        loss=CrossEntropy(label_smoothing=0.1),
        optimizer=Adam(0.04, beta2=0.95),
        schedule=cos_log(),
        epochs=256,
        batch_size="auto",
        valid=0.2,
        callbacks=(KeepBest(f"valid_{ACCURACY.key}"),),
    ),
}  # fmt: skip
_FOR_NUMBERS = {
    "table": replace(
        PRESETS["table"],
        layers=_of_table(Mish()),
        loss=mean_squared_error,
        optimizer=Adam(0.07, beta2=0.95),
        callbacks=(KeepBest(),),
    )
}
DATA = {"classic": "mnist:article", "mlp": "mnist", "cnn": "mnist"}
"""What a preset is trained on where no data are named; that for tables needs some."""

FOR_TABLES, FOR_OTHERS = "table", "mlp"


def default(data: Dataset, base: str | None = None) -> str:
    """The name of the preset for data, or for a model to start from that was trained with the preset `base`.

    Preset `table` for a table whose columns are known, `mlp` for images and arrays. A model keeps to the preset for
    tables, whose settings go with its layers, and has that of `mlp` otherwise.
    """
    return FOR_TABLES if base == FOR_TABLES or (base is None and data.table is not None) else FOR_OTHERS


def preset(name: str, task: Task | None = None) -> TrainingSpec:
    """The preset of this name, for classes or as the task says; ConfigError for an unknown one."""
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}; choose from {', '.join(PRESETS)}.")
    spec = PRESETS[name] if task is None or task.is_classification else _FOR_NUMBERS.get(name, PRESETS[name])
    return spec if task is None or task.suits(spec.loss) else replace(spec, loss=task.loss)


def data(name: str | None) -> str:
    """What the preset of this name is trained on where no data are named; ConfigError if it needs some."""
    name = FOR_OTHERS if name is None else name
    if name in PRESETS and name not in DATA:
        raise ConfigError(f"the preset {name!r} needs data, such as a CSV file.")
    return DATA.get(name, "")
