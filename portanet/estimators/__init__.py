"""`MLPClassifier` and `MLPRegressor`: scikit-learn's networks, by portanet, on any backend.

Change the import, and scripts, pipelines and searches run on:

    from portanet import MLPClassifier, MLPRegressor

All arguments, attributes and meanings are scikit-learn's (1.9), and with the same `random_state` they begin with the
same weights, take the same batches and go through the same numbers, up to rounding.
"""

from __future__ import annotations

import importlib
from typing import Any

from portanet.errors import PortanetError

__all__ = ["MLPClassifier", "MLPRegressor"]


_HOMES = {
    "MLPClassifier": "portanet.estimators.classifier",
    "MLPRegressor": "portanet.estimators.regressor",
    "as_estimator": "portanet.estimators.base",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import sklearn.callback  # noqa: F401 - the newest part that is needed
    except ImportError as error:
        return _absent(name, str(error))
    return getattr(importlib.import_module(_HOMES[name]), name)


def _absent(name: str, problem: str) -> type:
    """Return a class that says what is missing when it is called: `from portanet import *` works without it."""

    def init(self: Any, *arguments: Any, **keywords: Any) -> None:
        remedy = "pip install 'portanet[sklearn]'"
        raise PortanetError(f"{name} needs scikit-learn 1.9 or newer ({problem})", remedy=remedy)

    return type(name, (), {"__init__": init, "__module__": __name__})
