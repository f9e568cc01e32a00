"""scikit-learn's callbacks, told of the epochs of a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from portanet.estimators.training import Training


@dataclass
class Contexts:
    """One task for the fit, and one below it for each epoch.

    estimator  being fitted
    given      X, y and metadata as `fit` got them, for the hooks that ask for them
    """

    estimator: Any
    given: dict[str, Any]
    _fit: Any = field(init=False)
    _epoch: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._fit = self.estimator._init_callback_context(max_subtasks=self.estimator.max_iter)
        self._fit.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    @property
    def are_watched(self) -> bool:
        """Whether there are callbacks."""
        return hasattr(self.estimator, "_skl_callbacks")

    def begin(self) -> None:
        """Tell that an epoch begins."""
        if self.are_watched:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    def end(self, training: Training) -> bool:
        """Tell that the epoch has ended, and return whether a callback wants to stop here."""
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        return self._told(epoch, lambda: {"_params": training.params()})

    def iteration(self, training: Training) -> bool:
        """Tell of an epoch that is over already."""
        self.begin()
        return self.end(training)

    def end_fit(self) -> None:
        """Tell that fit has ended."""
        self._told(self._fit, dict)

    def _told(self, context: Any, attributes: Callable[[], dict[str, Any]]) -> bool:
        return bool(
            context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=attributes, **self.given
            )
        )  # fmt: skip
