"""Early stopping by scikit-learn's rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass
class Improvement:
    """Counts consecutive epochs that did not improve the best value by more than `tol`.

    best         the loss, or the validation score
    best_params  the network's arrays with the best validation score
    """

    tol: float
    patience: float
    higher_is_better: bool
    best: float
    waited: int = 0
    best_params: Any = None

    @classmethod
    def of(cls, tol: float, patience: float, *, scores: bool) -> Improvement:
        """Return a new counter, of scores or of losses."""
        return cls(tol, patience, scores, -math.inf if scores else math.inf)

    def update(self, value: float) -> bool:
        """Count the value of an epoch, and return whether it is the best so far."""
        better, enough = value < self.best, value <= self.best - self.tol
        if self.higher_is_better:
            better, enough = value > self.best, not value < self.best + self.tol
        self.waited = 0 if enough else self.waited + 1
        if better:
            self.best = value
        return better

    @property
    def is_over(self) -> bool:
        """Whether more epochs than `patience` went without an improvement."""
        return self.waited > self.patience
