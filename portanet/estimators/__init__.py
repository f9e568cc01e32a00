"""`MLPClassifier` and `MLPRegressor`: scikit-learn's networks, by portanet, on any backend (extra `sklearn`).

Change the import, and scripts, pipelines and searches run on:

    from portanet import MLPClassifier, MLPRegressor

All arguments, attributes and meanings are those of scikit-learn 1.9, and with the same `random_state` the networks
begin with the same weights, take the same batches and go through the same losses, up to rounding. What differs:

- `log_loss` is not cut off where a probability rounds to 0 or 1, so its value is larger there; its gradient is the
  same.
- `warm_start=True` keeps the state of Adam and of momentum, and the learning rate.
- `partial_fit` takes `early_stopping=True` with `X_val` and `y_val`, and several labels at once.
- A frame with text, dates or gaps is read as a table, in float64, and the network begins with `portanet.nn.Columns`; a
  frame of numbers without gaps gives the bits of its array. Targets are never scaled.
- A `loss` of classes has an output for each of two classes as well; a `loss` of the wrong kind of target is refused.
- `coefs_` and `intercepts_` are the arrays of the Dense layers where the network is made of others too.
- `fit(X_val=, y_val=, sample_weight_val=)` measures rows of your own after each epoch: `validation_scores_`,
  `validation_loss_curve_`. `set_callbacks` takes scikit-learn's callbacks and portanet's.
- With `array_api_dispatch` rows, weights and answers stay in their library, on their device.
- `save` and `load` use a file that holds no code; `to_portanet()` and `TrainedModel.as_estimator()` go between both.

Beside scikit-learn 1.9.1 with default arguments: mean score on held-out quarters over ten seeds (accuracy, R2), the
same on both sides to four decimals, and processor seconds of one fit, by `nox -s estimators` on two busy cores:

| data | score, both | scikit-learn, s | portanet, s | ratio | portanet on the frame |
|---|---|---|---|---|---|
| iris | 0.9579 | 0.21 | 0.07 | 0.34 |  |
| wine | 0.6667 | 0.13 | 0.05 | 0.36 |  |
| breast_cancer | 0.9238 | 0.38 | 0.14 | 0.38 |  |
| digits | 0.9687 | 1.57 | 0.74 | 0.47 |  |
| diabetes | -3.2479 | 0.40 | 0.13 | 0.33 |  |
| titanic | 0.8051 | 1.92 | 0.61 | 0.32 | 0.8063 |
| apartments | -12.2599 | 0.80 | 0.26 | 0.32 | -3.1644 |
| german | 0.7312 | 1.02 | 0.35 | 0.34 | 0.7280 |
| wine, GridSearchCV of 36 fits | 0.9776 | 8.50 | 3.98 | 0.47 | |

A fit takes some megabytes beside its rows (64 MB of rows: 4.2 MB; scikit-learn 0.6 MB). Steps are traced in the first
fit of a shape, and later fits of a process take them from there. Tracing takes about 0.1 s for each number of rows and
each network, as long as 150 epochs of breast_cancer, so a search of short fits gains less: 36 of 20 epochs each on
breast_cancer take 0.8 of scikit-learn's time, 0.6 once they are traced; the search itself and the checks of rows and
settings, some 15 ms a fit, are scikit-learn's on both sides.
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
