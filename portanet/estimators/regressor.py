"""MLPRegressor: scikit-learn's regressor, on any backend."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from scipy.special import xlogy
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import Interval

from portanet._typing import HostArray
from portanet.errors import ConfigError
from portanet.estimators.base import BaseMLP
from portanet.estimators.losses import regression_loss, task_of
from portanet.estimators.parameters import store_arguments
from portanet.estimators.targets import validate_numbers
from portanet.metrics import R2
from portanet.nn.losses.loss import LossFunction, TaskKind
from portanet.training.trained.intervals import conformal
from portanet.xp import namespace


class MLPRegressor(RegressorMixin, BaseMLP):
    """A regressor with Dense layers: scikit-learn's MLPRegressor, with its arguments, on any backend.

    loss       "squared_error", "poisson" for counts, or a regression loss of portanet: "absolute_error", "huber",
               Quantile((0.9,)) of portanet.nn, ...
    intervals  the fraction of targets inside the intervals of `predict_interval`, such as 0.9; they need held-out rows

    All other arguments are those of `BaseMLP`. Raises ValueError for invalid ones, as scikit-learn does, ConfigError
    for a classification loss, and DataError if there are too few validation rows for `intervals`.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "loss": [str, callable],
        "intervals": [Interval(Real, 0, 1, closed="neither"), None],
    }

    _metric = R2

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        backend: Any = None,
        device: str | None = None,
        dtype: str | None = None,
        layers: Any = None,
        hidden_activations: Any = None,
        dropout: float = 0.0,
        batch_norm: bool = False,
        scoring: Any = None,
        time_limit: float | None = None,
        checkpoints: Any = None,
        intervals: float | None = None,
    ) -> None:
        store_arguments(self, locals())

    def _targets(self, y: Any, rows: int, *, first: bool, incremental: bool) -> HostArray:
        targets = validate_numbers(self, y, rows)
        if task_of(regression_loss(self.loss, targets.shape[1])) is TaskKind.COUNT and (targets < 0).any():
            raise ValueError(f"loss='poisson' is for counts >= 0, and y contains {targets.min():g}.")
        return targets

    def _outputs(self, targets: HostArray) -> int:
        return int(targets.shape[1])

    def _loss_and_scale(self) -> tuple[LossFunction, float]:
        scale = 1.0 / self.n_outputs_ if self.loss == "squared_error" else 1.0
        return regression_loss(self.loss, self.n_outputs_), scale

    def _constant(self, targets: HostArray, weights: HostArray | None) -> float:
        if self.loss != "poisson":
            return 0.0
        return float(np.average(xlogy(targets, targets) - targets, weights=weights, axis=0).sum())

    def _validation_score(self, x: Any, y: Any, weights: Any) -> float:
        predicted = self._backend.to_numpy(self._predictions(x))
        return float(r2_score(y, predicted, sample_weight=weights)) if np.isfinite(predicted).all() else np.nan

    def _needs_validation(self) -> bool:
        return super()._needs_validation() or self.intervals is not None

    def _after_training(self, validation: Any) -> None:
        if self.intervals is None or validation is None:
            return
        predicted = self._backend.to_numpy(self._predictions(validation.x))
        errors = np.abs(np.asarray(validation.y, np.float64).reshape(predicted.shape) - predicted)
        remedy = "give X_val and y_val, or a larger validation_fraction"
        self.margin_ = conformal(errors, self.intervals, remedy)

    def predict_interval(self, X: Any) -> tuple[Any, Any]:
        """Return the lower and upper bounds of intervals that contain a fraction `intervals` of the targets.

            prediction - margin_, prediction + margin_

        margin_ is a quantile of the absolute errors on held-out rows (or X_val), so for any network the fraction also
        holds for new rows of the same distribution: split conformal prediction, Lei et al. 2018,
        doi:10.1080/01621459.2017.1307116. All rows have the same width; `portanet.fit` with
        `nn.Quantile((0.05, 0.5, 0.95))` learns a width for each row and corrects it by the same rule. Raises
        ConfigError for an estimator without `intervals`.

        X  (N, D)
        """
        predicted = self.predict(X)
        if not hasattr(self, "margin_"):
            raise ConfigError("MLPRegressor was fitted without intervals", remedy="write MLPRegressor(intervals=0.9)")
        margin = self._answer(self._backend.put(self.margin_, self._dtype))
        return predicted - margin, predicted + margin

    @property
    def out_activation_(self) -> str:
        """The function from outputs to predictions: "identity", or "exp" for counts."""
        kind = getattr(self._trained_loss, "task", TaskKind.REGRESS)
        return "exp" if kind is TaskKind.COUNT else "identity"

    def _predictions(self, x: Any) -> Any:
        predictions = self._activated(self._logits(x))
        return predictions[:, 0] if self.n_outputs_ == 1 else predictions

    def _activated(self, outputs: Any) -> Any:
        return namespace(outputs).exp(outputs) if self.out_activation_ == "exp" else outputs

    def predict(self, X: Any) -> Any:
        """Return the predictions, (N,), or (N, K) for several targets."""
        return self._answer(self._predictions(self._validated("predict", X)))
