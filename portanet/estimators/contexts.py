"""The contexts of scikit-learn's callbacks during a fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from portanet.estimators.training import Training


@dataclass
class Contexts:
    """A task for the fit, with a subtask for each epoch.

    estimator  the estimator that is fitted
    arguments  X, y and metadata of `fit`, for the hooks that ask for them
    """

    estimator: Any
    arguments: dict[str, Any]
    _fit: Any = field(init=False)
    _epoch: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._fit = self.estimator._init_callback_context(max_subtasks=self.estimator.max_iter)
        self._fit.call_on_fit_task_begin(estimator=self.estimator, **self.arguments)

    @property
    def are_watched(self) -> bool:
        """Whether there are callbacks."""
        return hasattr(self.estimator, "_skl_callbacks")

    def begin(self) -> None:
        """Begin an epoch."""
        if self.are_watched:
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=self.estimator, **self.arguments)

    def end(self, training: Training) -> bool:
        """End the epoch, and return whether a callback wants to stop."""
        if self._epoch is None:
            return False
        epoch, self._epoch = self._epoch, None
        return self._end_task(epoch, lambda: {"_params": training.params()})

    def iteration(self, training: Training) -> bool:
        """Begin and end an epoch that has already run."""
        self.begin()
        return self.end(training)

    def end_fit(self) -> None:
        """End the fit."""
        self._end_task(self._fit, dict)

    def _end_task(self, context: Any, attributes: Callable[[], dict[str, Any]]) -> bool:
        return bool(
            context.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=attributes, **self.arguments
            )
        )  # fmt: skip
