"""The loop over epochs, with scikit-learn's rules for the order of the rows, the learning rate and the end."""

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
from portanet.training.arguments import as_checkpoints


@dataclass
class Loop:
    """Trains a network for an estimator, whose attributes follow each epoch.

    constant  what is added to each loss: the part of it that no network changes
    """

    estimator: Any
    training: Training
    rows: Rows
    validation: Validation | None
    draws: np.random.RandomState
    constant: float = 0.0

    def run(self, contexts: Contexts | None) -> None:
        """Take epochs until the loss, or the validation score, no longer improves; without contexts one epoch."""
        own = self.estimator
        own.n_iter_ = 0
        order, size = np.arange(len(self.rows)), self._batch_size()
        if contexts is None:
            self._epoch(self._shuffled(order), size)
            own.stopped_ = own.early_stopping and self._is_over()
            return
        try:
            self._epochs(contexts, order, size)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)

    def _epochs(self, contexts: Contexts, order: HostArray, size: int) -> None:
        own, began = self.estimator, time.monotonic()
        saving = self._saving()
        if saving is not None:
            saved = saving.restore(self.rows, self.draws)
            order = order if saved is None else saved
        stopped = saving is not None and saving.is_over
        while not stopped and own.n_iter_ < own.max_iter:
            order = self._shuffled(order)
            contexts.begin()
            self._epoch(order, size)
            stopped = contexts.end(self.training) | self._is_over()
            late = own.time_limit is not None and time.monotonic() - began >= own.time_limit
            if saving is not None:
                over = stopped or own.n_iter_ == own.max_iter
                saving.save(order, self.draws, over=over, now=late)
            if late:
                return
        if not stopped:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({own.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )

    def _saving(self) -> Saving | None:
        checkpoints = as_checkpoints(self.estimator.checkpoints)
        return None if checkpoints is None else Saving(checkpoints, self.estimator, self.training)

    def _epoch(self, order: HostArray, size: int) -> None:
        own = self.estimator
        factor = math.prod(getattr(callback, "rate_factor", 1.0) for callback in getattr(own, "_skl_callbacks", ()))
        loss = self.training.epoch(self.rows, order, size, own._rate * factor) + self.constant
        own.n_iter_ += 1
        own.t_ += len(self.rows)
        own.loss_ = loss
        own.loss_curve_.append(loss)
        if own.verbose:
            print(f"Iteration {own.n_iter_}, loss = {loss:.8f}")
        improvement: Improvement = own._improvement
        if self.validation is not None:
            score = self.validation.measure(own, self.training)
            if own.verbose:
                print(f"Validation score: {score:f}")
        if improvement.higher_is_better:
            if improvement.saw(score):
                improvement.kept = self.training.params()
            own.best_validation_score_ = improvement.best
        else:
            improvement.saw(loss)
            own.best_loss_ = improvement.best
        if own.solver == "sgd" and own.learning_rate == "invscaling":
            own._rate = own.learning_rate_init / (own.t_ + 1) ** own.power_t

    def _is_over(self) -> bool:
        own, improvement = self.estimator, self.estimator._improvement
        if not improvement.is_over:
            return False
        if own.verbose:
            what = "Validation score" if improvement.higher_is_better else "Training loss"
            print(f"{what} did not improve more than tol={own.tol:f} for {own.n_iter_no_change} consecutive epochs.")
        if own.solver == "sgd" and own.learning_rate == "adaptive" and own._rate > 1e-6:
            own._rate /= 5.0
            improvement.waited = 0
            return False
        return True

    def _batch_size(self) -> int:
        given, rows = self.estimator.batch_size, len(self.rows)
        if given == "auto":
            return min(200, rows)
        if given > rows:
            warnings.warn(
                f"batch_size={given} is larger than the {rows} rows; batches take all rows", stacklevel=2
            )  # fmt: skip
        return int(min(given, rows))

    def _shuffled(self, order: HostArray) -> HostArray:
        if not self.estimator.shuffle:
            return order
        places = np.arange(len(order))
        self.draws.shuffle(places)
        return order[places]
