"""The loop over epochs, with scikit-learn's rules for shuffling, the learning rate and stopping."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from portanet._typing import HostArray
from portanet.estimators.contexts import Contexts
from portanet.estimators.improvement import Improvement
from portanet.estimators.saving import Saving
from portanet.estimators.training import Rows, Training
from portanet.estimators.validation import Validation
from portanet.training.inputs.arguments import as_checkpoints


@dataclass
class Loop:
    """Trains an estimator's network and updates the estimator's attributes after each epoch.

    constant  added to each loss: the part that does not depend on the network
    """

    estimator: Any
    training: Training
    rows: Rows
    validation: Validation | None
    draws: np.random.RandomState
    constant: float = 0.0

    def run(self, contexts: Contexts | None) -> None:
        """Train until the loss or the validation score no longer improves; without contexts, for one epoch."""
        mlp = self.estimator
        mlp.n_iter_ = 0
        order, size = np.arange(len(self.rows)), self._batch_size()
        if contexts is None:
            self._epoch(self._shuffled(order), size)
            mlp.stopped_ = mlp.early_stopping and self._is_over()
            return
        try:
            self._epochs(contexts, order, size)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)

    def _epochs(self, contexts: Contexts, order: HostArray, size: int) -> None:
        mlp, began = self.estimator, time.monotonic()
        saving = self._saving()
        if saving is not None:
            saved = saving.restore(self.rows, self.draws)
            order = order if saved is None else saved
        stopped = saving is not None and saving.is_over
        while not stopped and mlp.n_iter_ < mlp.max_iter:
            order = self._shuffled(order)
            contexts.begin()
            self._epoch(order, size)
            stopped = contexts.end(self.training) | self._is_over()
            late = mlp.time_limit is not None and time.monotonic() - began >= mlp.time_limit
            if saving is not None:
                over = stopped or mlp.n_iter_ == mlp.max_iter
                saving.save(order, self.draws, over=over, now=late)
            if late:
                return
        if not stopped:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({mlp.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _saving(self) -> Saving | None:
        checkpoints = as_checkpoints(self.estimator.checkpoints)
        return None if checkpoints is None else Saving(checkpoints, self.estimator, self.training)

    def _epoch(self, order: HostArray, size: int) -> None:
        mlp = self.estimator
        factor = math.prod(getattr(callback, "rate_factor", 1.0) for callback in getattr(mlp, "_skl_callbacks", ()))
        loss = self.training.epoch(self.rows, order, size, mlp._rate * factor) + self.constant
        mlp.n_iter_ += 1
        mlp.t_ += len(self.rows)
        mlp.loss_ = loss
        mlp.loss_curve_.append(loss)
        if mlp.verbose:
            print(f"Iteration {mlp.n_iter_}, loss = {loss:.8f}")
        improvement: Improvement = mlp._improvement
        if self.validation is not None:
            score = self.validation.measure(mlp, self.training)
            if mlp.verbose:
                print(f"Validation score: {score:f}")
        if improvement.higher_is_better:
            if improvement.update(score):
                improvement.best_params = self.training.params()
            mlp.best_validation_score_ = improvement.best
        else:
            improvement.update(loss)
            mlp.best_loss_ = improvement.best
        if mlp.solver == "sgd" and mlp.learning_rate == "invscaling":
            mlp._rate = mlp.learning_rate_init / (mlp.t_ + 1) ** mlp.power_t

    def _is_over(self) -> bool:
        mlp, improvement = self.estimator, self.estimator._improvement
        if not improvement.is_over:
            return False
        if mlp.verbose:
            name = "Validation score" if improvement.higher_is_better else "Training loss"
            print(f"{name} did not improve more than tol={mlp.tol:f} for {mlp.n_iter_no_change} consecutive epochs.")
        if mlp.solver == "sgd" and mlp.learning_rate == "adaptive" and mlp._rate > 1e-6:
            mlp._rate /= 5.0
            improvement.waited = 0
            return False
        return True

    def _batch_size(self) -> int:
        size, rows = self.estimator.batch_size, len(self.rows)
        if size == "auto":
            return min(200, rows)
        if size > rows:
            warnings.warn(
                f"batch_size={size} is larger than the {rows} rows; batches take all rows", stacklevel=2
            )  # fmt: skip
        return int(min(size, rows))

    def _shuffled(self, order: HostArray) -> HostArray:
        if not self.estimator.shuffle:
            return order
        permutation = np.arange(len(order))
        self.draws.shuffle(permutation)
        return order[permutation]
