"""MLPRegressor: scikit-learn's, on any backend."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy.special import xlogy
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from portanet._typing import HostArray
from portanet.estimators.base import BaseMLP
from portanet.estimators.losses import regression_loss
from portanet.estimators.parameters import keep
from portanet.estimators.targets import checked_numbers
from portanet.metrics import R2
from portanet.nn.losses.loss import LossFunction, TaskKind
from portanet.xp import namespace


class MLPRegressor(RegressorMixin, BaseMLP):
    """A network that predicts numbers: scikit-learn's MLPRegressor, with its arguments, on any backend.

    loss  "squared_error", "poisson" for counts, or one of portanet for numbers

    All other arguments are those of `BaseMLP`. Raises ValueError for impossible ones, as scikit-learn does.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {**BaseMLP._parameter_constraints, "loss": [str, callable]}

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
    ) -> None:
        keep(self, locals())

    def _targets(self, y: Any, rows: int, *, first: bool, incremental: bool) -> HostArray:
        return checked_numbers(self, y, rows)

    def _outputs(self, targets: HostArray) -> int:
        return int(targets.shape[1])

    def _loss_and_told(self) -> tuple[LossFunction, float]:
        told = 1.0 / self.n_outputs_ if self.loss == "squared_error" else 1.0
        return regression_loss(self.loss, self.n_outputs_), told

    def _constant(self, targets: HostArray, weights: HostArray | None) -> float:
        if self.loss != "poisson":
            return 0.0
        return float(np.average(xlogy(targets, targets) - targets, weights=weights, axis=0).sum())

    def _validation_score(self, x: Any, y: Any, weights: Any) -> float:
        predicted = self._backend.to_numpy(self._numbers(x))
        return float(r2_score(y, predicted, sample_weight=weights)) if np.isfinite(predicted).all() else np.nan

    @property
    def out_activation_(self) -> str:
        """The function of the outputs that gives predictions: "identity", or "exp" for counts."""
        kind = getattr(self._loss_and_told()[0], "task", TaskKind.REGRESS)
        return "exp" if kind is TaskKind.COUNT else "identity"

    def _numbers(self, x: Any) -> Any:
        numbers = self._activated(self._logits(x))
        return numbers[:, 0] if self.n_outputs_ == 1 else numbers

    def _activated(self, outputs: Any) -> Any:
        return namespace(outputs).exp(outputs) if self.out_activation_ == "exp" else outputs

    def predict(self, X: Any) -> Any:
        """Return the number for each row, (N,), or (N, K) for several targets."""
        return self._answer(self._numbers(self._checked_for("predict", X)))
