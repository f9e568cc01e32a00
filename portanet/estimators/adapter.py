"""portanet's callbacks as scikit-learn callbacks."""

from __future__ import annotations

from typing import Any

from portanet.estimators.bridge import network_as_model
from portanet.training.callbacks import Callback
from portanet.training.model import TrainedModel


class Adapted:
    """A callback of portanet behind scikit-learn's protocol; it gets a row of the history for each epoch.

    callback  of portanet: EarlyStopping, KeepBest, ReduceOnPlateau, Progress or another
    """

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self._run: TrainedModel | None = None

    @property
    def rate_factor(self) -> float:
        """The factor of the learning rate."""
        return self.callback.rate_factor

    def setup(self, estimator: Any, context: Any) -> None:
        """Reset: the network does not exist before the first epoch."""
        self._run = None

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None) -> bool:
        """Pass an epoch's row to the callback, and return whether it wants to stop."""
        if context.parent is None or context.task_name != "epoch":
            return False
        if self._run is None:
            self._run = network_as_model(estimator)
            self.callback.begin(self._run, estimator.max_iter)
        self._run.params = fitted_estimator._params
        row = _row(estimator)
        self._run.history.append(row)
        self._run.steps = row["step"]
        self.callback.advance(row["step"])
        return bool(self.callback.log(row))

    def teardown(self, estimator: Any, context: Any) -> None:
        """End the callback, which may replace the last weights with better ones."""
        if self._run is None:
            return
        last = self._run.params
        self.callback.end()
        if self._run.params is not last:
            estimator._params = self._run.params
        self._run = None


def _row(mlp: Any) -> dict[str, Any]:
    """The history row of the latest epoch; steps count epochs."""
    row = {"step": mlp.n_iter_, "epoch": mlp.n_iter_, "learning_rate": mlp._rate, "loss": mlp.loss_}
    if mlp.validation_loss_curve_:
        row |= {"valid_loss": mlp.validation_loss_curve_[-1], f"valid_{mlp._metric.key}": mlp.validation_scores_[-1]}
    return row
