"""Whether training still gets better, as scikit-learn counts it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass
class Improvement:
    """Counts epochs in a row that were not better than the best by more than `tol`.

    best     the loss, or the validation score
    kept     the network's arrays with the best validation score
    """

    tol: float
    patience: float
    higher_is_better: bool
    best: float
    waited: int = 0
    kept: Any = None

    @classmethod
    def of(cls, tol: float, patience: float, *, scores: bool) -> Improvement:
        """Begin to count."""
        return cls(tol, patience, scores, -math.inf if scores else math.inf)

    def saw(self, value: float) -> bool:
        """Take the value of an epoch, and return whether it is the best so far."""
        better, enough = value < self.best, value <= self.best - self.tol
        if self.higher_is_better:
            better, enough = value > self.best, not value < self.best + self.tol
        self.waited = 0 if enough else self.waited + 1
        if better:
            self.best = value
        return better

    @property
    def is_over(self) -> bool:
        """Whether it has not improved for too long."""
        return self.waited > self.patience
