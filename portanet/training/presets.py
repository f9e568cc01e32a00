"""Ready-made training specs: the article's network, a better one, a convolutional one, and one for tables.

## Accuracy

The presets over five seeds, from `python scripts/presets.py mlp cnn` (2 cores). The settings were chosen on the
held-out digits, 5,000 of the training images and the same for every seed; the test digits were read once, at the end of
each run:

| preset | held-out digits: mean | lowest | highest | test digits: mean | deviation | lowest | highest | seconds |
|---|---|---|---|---|---|---|---|---|
| `mlp` | 98.40 % | 98.32 % | 98.48 % | **98.55 %** | 0.06 | 98.48 % | 98.62 % | 6 |
| `cnn` | 99.33 % | 99.24 % | 99.42 % | **99.49 %** | 0.03 | 99.45 % | 99.53 % | 39 |

`mlp` is 784-256-128-10 with AdamW, 12 epochs. `cnn` has two convolutions of 5x5 with 16 and 32 filters, a layer of 128
units, AdamW with averaged weights, and images that are shifted, turned and scaled at random, 10 epochs. Both take
batches of 128.

The article's network over ten seeds beside the curve that the article published, and the same 16 units and 350 steps
with He initialisation (He et al. 2015) and standardised pixels, everything else the same. Training accuracy, from
`python scripts/seeds.py`:

| iteration | published | lowest | median | highest | with He initialisation: lowest | median | highest |
|---|---|---|---|---|---|---|---|
| 0 | 0.108 | 0.079 | 0.101 | 0.125 | 0.073 | 0.101 | 0.126 |
| 50 | 0.763 | 0.645 | 0.696 | 0.725 | 0.824 | 0.871 | 0.887 |
| 100 | 0.830 | 0.774 | 0.788 | 0.801 | 0.849 | 0.906 | 0.917 |
| 150 | 0.859 | 0.814 | 0.829 | 0.834 | 0.910 | 0.916 | 0.925 |
| 200 | 0.875 | 0.838 | 0.849 | 0.851 | 0.917 | 0.922 | 0.932 |
| 250 | 0.884 | 0.853 | 0.863 | 0.865 | 0.920 | 0.927 | 0.936 |
| 300 | 0.892 | 0.862 | 0.870 | 0.875 | 0.926 | 0.930 | 0.939 |
| 340 | 0.897 | 0.868 | 0.876 | 0.880 | 0.926 | 0.933 | 0.940 |

The published curve lies above all ten. It was trained on Kaggle's choice of 42,000 digits, which is not available
here, and the article does not show how it scales the pixels; a larger scale acts like a larger learning rate.

Bugs in the article's code that `classic` does not reproduce:

- Its softmax does not subtract the maximum, so it overflows once a logit passes 709 (in float32: 88).
- It sums the bias gradients over the units as well as over the samples, so all biases of a layer move alike.
- It divides by a global `m` that no function defines.
- Its one-hot matrix has as many rows as the largest label in the data, so data without a 9 breaks it.

## Tables

The preset `table` beside scikit-learn's MLP, HistGradientBoosting and logistic or ridge regression, and pytabkit's
RealMLP-TD-S, all with default settings, from `python scripts/tables.py`: mean errors over five splits of at most 10,000
training rows (the fraction of wrong classes; of numbers the root of 1 - R2). The scores of the others are kept in
scripts/tables.json; `--peers` and `--realmlp` repeat them. portanet is given raw CSV files.

| table | portanet | MLP | HistGB | linear | RealMLP-TD-S |
|---|---|---|---|---|---|
| diamonds | 0.1475 | 0.2441 | 0.1505 | 0.2824 | 0.1495 |
| diamonds_cut | 0.2333 | 0.2403 | 0.2221 | 0.3500 | 0.2341 |
| credit | 0.2004 | 0.2115 | 0.2095 | 0.1987 | 0.2054 |
| ames | 0.2878 | 2.1646 | 0.2914 | 0.3481 | 0.2876 |
| mlc_churn | 0.0669 | 0.0939 | 0.0434 | 0.1370 | 0.0650 |
| attrition | 0.1250 | 0.1326 | 0.1321 | 0.1207 | 0.1288 |
| lending | 0.0527 | 0.0712 | 0.0538 | 0.0531 | 0.0533 |
| hotel | 0.2305 | 0.2389 | 0.2172 | 0.3158 | 0.2263 |
| flights | 0.2230 | 0.2834 | 0.3148 | 0.3378 | 0.2464 |
| titanic | 0.2232 | 0.2207 | 0.2201 | 0.2232 | 0.2232 |
| concrete | 0.3150 | 0.7142 | 0.2678 | 0.6250 | 0.3117 |
| breast_cancer | 0.0364 | 0.0322 | 0.0364 | 0.0252 | 0.0364 |
| wine | 0.0133 | 0.0222 | 0.0267 | 0.0089 | 0.0222 |
| iris | 0.0105 | 0.0368 | 0.0368 | 0.0368 | 0.0316 |
| diabetes | 0.6964 | 1.3804 | 0.7510 | 0.6804 | 0.6901 |
| mean rank | 2.1 | 3.9 | 2.8 | 3.1 | 2.4 |

Its error is lower than MLP's on 13 of the 15 tables, and within the deviation of the splits on the others; lower than
HistGradientBoosting's on 9; lower than RealMLP-TD-S's or at most 1 % higher on 12 of 15. Of the three misses concrete
is 1.1, hotel 1.9 and mlc_churn 2.9 % behind, each less than the deviation of the splits. Fitting and predicting takes
0.48 to 0.59 of RealMLP-TD-S's processor time: 8.0 of 16.8 seconds on credit, 2.3 of 4.1 on concrete, 8.5 of 14.3 on
ames (the first split of scripts/tables.py as a data frame, `fit(..., workers=1)` and `n_threads=1`, without imports,
the minimum of several runs beside other programs). Matrix products are two thirds of it. `portanet train` and `predict`
need some 2.5 seconds more to start.

## Certainty

Intervals and probabilities are calibrated on the rows that the preset `table` holds out, and measured on up to 4,000
others: means and deviations over five splits with at most 2,000 rows to train on.

Intervals of 90 % (`--intervals 0.9`), from `python scripts/certainty.py intervals`; the width is in standard deviations
of the target:

| table | targets inside | deviation | mean width | R2 |
|---|---|---|---|---|
| diamonds | 89.5 % | 0.4 | 0.34 | 0.97 |
| ames | 91.1 % | 1.2 | 0.82 | 0.87 |
| hotel | 90.3 % | 1.7 | 0.82 | 0.91 |
| flights | 89.7 % | 1.6 | 1.37 | 0.70 |
| wage | 90.8 % | 1.6 | 2.40 | 0.33 |
| cps | 89.7 % | 1.6 | 2.15 | 0.30 |

Classes before and after the temperature, which the preset applies unless told `--no-calibrate`, from
`python scripts/certainty.py temperature`:

| table | log loss before | after | calibration error before | after |
|---|---|---|---|---|
| credit | 0.429 ± 0.008 | 0.429 ± 0.008 | 0.021 | 0.021 |
| mlc_churn | 0.253 ± 0.018 | 0.248 ± 0.022 | 0.030 | 0.017 |
| attrition | 0.348 ± 0.023 | 0.345 ± 0.024 | 0.040 | 0.036 |
| lending | 0.212 ± 0.016 | 0.206 ± 0.020 | 0.027 | 0.010 |
| titanic | 0.476 ± 0.028 | 0.469 ± 0.021 | 0.073 | 0.071 |
| diamonds_cut | 0.833 ± 0.011 | 0.825 ± 0.017 | 0.056 | 0.042 |
| breast_cancer | 0.108 ± 0.015 | 0.085 ± 0.022 | 0.055 | 0.018 |
| wine | 0.186 ± 0.090 | 0.065 ± 0.018 | 0.150 | 0.049 |
| wa_churn | 0.438 ± 0.011 | 0.437 ± 0.011 | 0.025 | 0.022 |
| hmda | 0.288 ± 0.030 | 0.282 ± 0.034 | 0.038 | 0.023 |
| penguins | 0.178 ± 0.094 | 0.053 ± 0.014 | 0.131 | 0.019 |
| digits | 0.175 ± 0.017 | 0.062 ± 0.021 | 0.118 | 0.012 |
| mean | 0.327 | 0.292 | 0.064 | 0.028 |
"""

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
from portanet.training.inputs.tasks import Task
from portanet.training.spec import TrainingSpec

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
        calibrate=True,
    ),
}  # fmt: skip
_FOR_NUMBERS = {
    "table": replace(
        PRESETS["table"],
        layers=_of_table(Mish()),
        loss=mean_squared_error,
        optimizer=Adam(0.07, beta2=0.95),
        callbacks=(KeepBest(),),
        calibrate=False,
    )
}
DATA = {"classic": "mnist:article", "mlp": "mnist", "cnn": "mnist"}
"""What a preset is trained on where no data are named; that for tables needs some."""

FOR_TABLES, FOR_OTHERS = "table", "mlp"


def default(data: Dataset, base: str | None = None) -> str:
    """The name of the preset for data, or for a model to start from that was trained with the preset `base`.

    `table` for a table whose columns are known, `mlp` for images and arrays. A model to start from keeps `table` if it
    was trained with it, since those settings suit its layers; otherwise it gets `mlp`.
    """
    return FOR_TABLES if base == FOR_TABLES or (base is None and data.table is not None) else FOR_OTHERS


def preset(name: str, task: Task | None = None) -> TrainingSpec:
    """The preset of this name, for classification or another task; raises ConfigError for an unknown one."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; choose from {', '.join(PRESETS)}.")
    spec = PRESETS[name] if task is None or task.is_classification else _FOR_NUMBERS.get(name, PRESETS[name])
    if task is None or task.suits(spec.loss):
        return spec
    return replace(spec, loss=task.loss, calibrate=spec.calibrate and task.has_one_class)


def data(name: str | None) -> str:
    """The default data of the preset of this name; raises ConfigError if there are none."""
    name = FOR_OTHERS if name is None else name
    if name in PRESETS and name not in DATA:
        raise ConfigError(f"the preset {name!r} needs data, such as a CSV file.")
    return DATA.get(name, "")
