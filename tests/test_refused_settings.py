"""Every refused setting is told with its name, its value and its bound."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from portanet import Checkpoints, ConfigError, EarlyStopping, KeepBest, ReduceOnPlateau, metrics, nn, read
from portanet.data import Dataset
from portanet.data.split import holdout
from portanet.training import presets
from portanet.training.callbacks import CALLBACKS
from portanet.training.inputs import named

LOGITS, LABELS = np.zeros((4, 3)), np.zeros(4, np.int32)

# What refuses, the setting, its bound, and values beyond it.
REFUSED: list[tuple[Any, str, str, list[Any]]] = [
    (EarlyStopping, "monitor", "name of an entry", [3, None]),
    (EarlyStopping, "patience", ">= 1", [0, -1, 2.5, "3", True, None]),
    (EarlyStopping, "min_change", ">= 0", [-1.0, math.nan, math.inf, "0.1", None]),
    (KeepBest, "monitor", "name of an entry", [3, None]),
    (ReduceOnPlateau, "monitor", "name of an entry", [3]),
    (ReduceOnPlateau, "factor", "> 0 and < 1", [0.0, 1.0, -0.5, math.nan, "0.5"]),
    (ReduceOnPlateau, "patience", ">= 0", [-1, 0.5, "3"]),
    (ReduceOnPlateau, "threshold", ">= 0", [-1e-4, math.nan, math.inf]),
    (ReduceOnPlateau, "cooldown", ">= 0", [-1, 0.5]),
    (nn.CrossEntropy, "label_smoothing", "0 <= label_smoothing <= 1", [-0.1, 1.1, math.nan]),
    (nn.CrossEntropy, "class_weight", ">= 0", [(1.0, -1.0), (1.0, math.inf), (1.0, math.nan), "auto", 2.0]),
    (nn.CrossEntropy, "class_weight", "a dict of them by class", ["123", {0: "a"}, {0: -1.0}, b"12", (1.0, "b")]),
    (nn.CrossEntropy, "class_weight", "not all 0", [(0.0, 0.0)]),
    (nn.Hinge, "margin", "> 0", [0.0, -1.0, math.nan, math.inf]),
    (nn.Quantile, "levels", "between 0 and 1", [(0.0, 0.5, 0.9), (0.5, 0.8, 1.0), (0.9, 0.5, 0.1), (0.1, 0.9)]),
    (nn.Huber, "delta", "> 0", [0.0, -1.0, math.nan, math.inf]),
    (lambda every: Checkpoints("folder", every=every), "every", ">= 0", [-1.0, math.nan, math.inf]),
    (lambda task: read("mnist", task=task), "task", "'auto', 'classify', 'regress'", ["rank", None]),
    (lambda valid: holdout(Dataset("rows", LOGITS), valid, 0), "valid", "1 to 3 rows", [0, 0.01, 4, 2.5, -1, math.nan]),
    (lambda k: metrics.top_k(LOGITS, LABELS, k), "k", "1 <= k <= 3", [0, 4, -1]),
    (lambda bins: metrics.calibration_error(LOGITS, LABELS, bins), "bins", ">= 1", [0, -2]),
    (lambda preset: presets.preset(preset), "preset", "classic, mlp, cnn, table", ["mpl", ""]),
    (lambda optimizer: named.optimizer(optimizer), "optimizer", "sgd, momentum", ["admn"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "name", "bound", "value"),
    [(make, name, bound, value) for make, name, bound, values in REFUSED for value in values],
    ids=lambda part: getattr(part, "__name__", repr(part)),
)
def test_a_refusal_tells_name_value_and_bound(make: Any, name: str, bound: str, value: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        make(**{name: value})
    message = str(refused.value)
    assert name in message
    assert repr(value) in message
    assert bound in message


@pytest.mark.parametrize("made", [*CALLBACKS.values(), *nn.LOSSES.values()], ids=lambda made: made.__name__)
def test_every_setting_is_in_the_table(made: Any) -> None:
    fields = {field.name for field in dataclasses.fields(made) if field.init}
    assert fields == {name for make, name, _, _ in REFUSED if make is made}


def test_bounds_themselves_are_allowed() -> None:
    EarlyStopping(patience=1, min_change=0.0)
    EarlyStopping(patience=np.int64(1), min_change=np.float32(0.5))  # type: ignore[arg-type]
    ReduceOnPlateau(patience=0, threshold=0, cooldown=0)
    nn.CrossEntropy(label_smoothing=0)
    nn.CrossEntropy(label_smoothing=1.0, class_weight=(0.0, 1.0))
    Checkpoints("folder", every=0)
    assert len(holdout(Dataset("rows", LOGITS), 3, 0)[1]) == 3
