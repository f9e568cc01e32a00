"""Neural networks whose maths is written once, against the array API standard, for any array library.

Names are imported when first used, so `import portanet` is quick. Start with `fit`, `load` and `read`; the
layers and losses are in `portanet.nn`, the optimizers and schedules in `portanet.optim`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portanet import metrics, nn, optim
    from portanet.backends import Backend, choose
    from portanet.checks.gradcheck import gradcheck
    from portanet.data import Dataset, read
    from portanet.errors import (
        BackendError,
        CheckpointError,
        ConfigError,
        DataError,
        DivergenceError,
        ModelError,
        PortanetError,
    )
    from portanet.estimators.classifier import MLPClassifier
    from portanet.estimators.regressor import MLPRegressor
    from portanet.training.callbacks import Callback, EarlyStopping, KeepBest, ReduceOnPlateau
    from portanet.training.fine_tune import fine_tune
    from portanet.training.fit import fit
    from portanet.training.model import TrainedModel, load
    from portanet.training.progress import Progress
    from portanet.training.resume import Checkpoints
    from portanet.xp import namespace

__version__ = "0.1.0"

__all__ = [
    "Backend",
    "BackendError",
    "Callback",
    "CheckpointError",
    "Checkpoints",
    "ConfigError",
    "DataError",
    "Dataset",
    "DivergenceError",
    "EarlyStopping",
    "KeepBest",
    "MLPClassifier",
    "MLPRegressor",
    "ModelError",
    "PortanetError",
    "Progress",
    "ReduceOnPlateau",
    "TrainedModel",
    "choose",
    "fine_tune",
    "fit",
    "gradcheck",
    "load",
    "metrics",
    "namespace",
    "nn",
    "optim",
    "read",
]

_HOMES = {
    "Backend": "portanet.backends",
    "BackendError": "portanet.errors",
    "Callback": "portanet.training.callbacks",
    "CheckpointError": "portanet.errors",
    "Checkpoints": "portanet.training.resume",
    "ConfigError": "portanet.errors",
    "DataError": "portanet.errors",
    "Dataset": "portanet.data",
    "DivergenceError": "portanet.errors",
    "EarlyStopping": "portanet.training.callbacks",
    "KeepBest": "portanet.training.callbacks",
    "MLPClassifier": "portanet.estimators",
    "MLPRegressor": "portanet.estimators",
    "ModelError": "portanet.errors",
    "PortanetError": "portanet.errors",
    "Progress": "portanet.training.progress",
    "ReduceOnPlateau": "portanet.training.callbacks",
    "TrainedModel": "portanet.training.model",
    "choose": "portanet.backends",
    "fine_tune": "portanet.training.fine_tune",
    "fit": "portanet.training.fit",
    "gradcheck": "portanet.checks.gradcheck",
    "load": "portanet.training.model",
    "namespace": "portanet.xp",
    "read": "portanet.data",
}


def __getattr__(name: str) -> Any:
    if name in ("metrics", "nn", "optim"):
        return importlib.import_module(f"portanet.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'portanet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
