"""Validation rows: passed to fit, or held out as in scikit-learn."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from portanet._typing import HostArray
from portanet.estimators.training import Rows, Training
from portanet.xp import namespace


@dataclass(frozen=True)
class Validation:
    """Rows to measure on after each epoch.

    x, y      in the form that the estimator's methods take
    weights   (N,), or None
    rows      the same rows on the backend, with targets as the loss takes them
    constant  the part of their loss that does not depend on the network
    scorer    scores a fitted estimator, instead of accuracy or R2
    """

    x: Any
    y: Any
    weights: Any
    rows: Rows
    constant: float
    scorer: Any = None

    def measure(self, estimator: Any, training: Training) -> float:
        """Append the score and the loss of these rows to the estimator's curves, and return the score."""
        estimator._params = training.params()
        estimator.validation_loss_curve_.append(self._loss(estimator, training))
        score = self._score(estimator)
        estimator.validation_scores_.append(score)
        return score

    def _score(self, estimator: Any) -> float:
        if self.scorer is None:
            return estimator._validation_score(self.x, self.y, self.weights)
        fitted = copy.copy(estimator)
        vars(fitted).pop("feature_names_in_", None)  # these rows have already been validated
        weights = {} if self.weights is None else {"sample_weight": self.weights}
        return float(self.scorer(fitted, self.x, self.y, **weights))

    def _loss(self, estimator: Any, training: Training) -> float:
        problem, rows = training.problem, self.rows
        logits = estimator._logits(rows.x)
        xp = namespace(logits)
        weights = xp.ones_like(logits[:, 0]) if rows.weights is None else rows.weights
        loss: Any = problem.loss(logits, rows.targets, weights / xp.sum(weights))[0]
        return float(loss) * problem.loss_scale + self.constant


def scorer_of(estimator: Any, scoring: Any) -> Any:
    """Return scikit-learn's scorer of this name; None for the default score."""
    return None if scoring is None else check_scoring(estimator, scoring)


def held_out(fraction: float, rows: int, draws: np.random.RandomState, stratify: Any) -> tuple[HostArray, HostArray]:
    """Return the indices of the rows to train on and of those held out. Raises ValueError for too few."""
    train, held = train_test_split(np.arange(rows), random_state=draws, test_size=fraction, stratify=stratify)
    if len(held) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return train, held
