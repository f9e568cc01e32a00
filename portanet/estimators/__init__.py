"""`MLPClassifier` and `MLPRegressor`: scikit-learn's networks on any backend (extra `sklearn`).

Change the import in your scripts, pipelines and searches:

    from portanet import MLPClassifier, MLPRegressor

Arguments and attributes are those of scikit-learn 1.9. With the same `random_state` the networks start from the same
weights, take the same batches and have the same losses, up to rounding. Differences:

- `log_loss` is not clipped where a probability rounds to 0 or 1, so its value is larger there; its gradient is the
  same.
- `warm_start=True` keeps the state of Adam and of momentum, and the learning rate.
- `partial_fit` takes `early_stopping=True` with `X_val` and `y_val`, and multi-label targets.
- A frame with text, dates or gaps is read as a table, in float64, and the network begins with `portanet.nn.Columns`; a
  frame of numbers without gaps gives the same bits as its array. Targets are never scaled.
- With a classification `loss` of portanet, two classes have two outputs as well. A `loss` for the wrong kind of target
  is refused.
- A setting that is changed after `fit`, such as `activation` or `loss`, takes effect at the next `fit`.
- If the network has other layers too, `coefs_` and `intercepts_` hold only those of the Dense layers.
- `fit(X_val=, y_val=, sample_weight_val=)` measures given validation rows after each epoch: `validation_scores_`,
  `validation_loss_curve_`. `set_callbacks` takes scikit-learn's and portanet's callbacks.
- With `array_api_dispatch`, rows, weights and predictions stay in their library and on their device.
- `save` and `load` use a file without code; `to_portanet()` and `TrainedModel.as_estimator()` convert between the two
  kinds of model.

Compared with scikit-learn 1.9.1, with default arguments and columns that are not scaled: the mean score on held-out
quarters over ten seeds (accuracy or R2), identical to four decimals, and the processor seconds of one fit, by `nox -s
estimators` on two busy cores. R2 below 0 is what the defaults come to on both sides, in 200 epochs:

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

A fit takes some megabytes besides its rows (for 64 MB of rows 4.2 MB; scikit-learn 0.6 MB). The first fit of a shape
traces its steps, and later fits of the process reuse them. Tracing takes about 0.1 s for each network and number of
rows, as long as 150 epochs of breast_cancer, so a search of short fits gains less: 36 fits of 20 epochs on
breast_cancer take 0.8 of scikit-learn's time, and 0.6 once their steps are traced. The search itself and the checks of
rows and settings, about 15 ms a fit, are scikit-learn's code in both.
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
        import sklearn.callback  # noqa: F401 - the newest part in use
    except ImportError as error:
        return _absent(name, str(error))
    return getattr(importlib.import_module(_HOMES[name]), name)


def _absent(name: str, problem: str) -> type:
    """Return a class that raises when it is called, so that `from portanet import *` works without scikit-learn."""

    def init(self: Any, *arguments: Any, **keywords: Any) -> None:
        remedy = "pip install 'portanet[sklearn]'"
        raise PortanetError(f"{name} needs scikit-learn 1.9 or newer ({problem})", remedy=remedy)

    return type(name, (), {"__init__": init, "__module__": __name__})
