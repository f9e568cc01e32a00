"""Checkpoints of a fit, from which the next call with the same settings and rows resumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet._settings import to_dict
from portanet._tree import from_plain, to_plain, tree_map
from portanet._typing import HostArray
from portanet.data.fingerprint import fingerprint
from portanet.estimators.training import Rows, Training
from portanet.training.checkpoints import Checkpoints

_CURVES = ("loss_curve_", "validation_loss_curve_", "validation_scores_", "best_loss_", "best_validation_score_",
           "n_iter_", "t_", "loss_", "_rate")  # fmt: skip
_NOT_SETTINGS = ("max_iter", "verbose", "time_limit", "checkpoints", "backend", "device", "warm_start")


@dataclass
class Saving:
    """Saves a fit to a folder and restores it.

    is_over  whether the restored fit had ended
    """

    checkpoints: Checkpoints
    estimator: Any
    training: Training
    is_over: bool = False

    def restore(self, rows: Rows, draws: np.random.RandomState) -> HostArray | None:
        """Restore the saved fit of these rows, and return the order of its rows; None without a saved fit.

        Raises ConfigError if the folder has a fit with other settings or rows.
        """
        mlp, training = self.estimator, self.training
        tree = self.checkpoints.restore(self._identity(rows), lambda step, steps: 1.0, mlp.max_iter)
        if tree is None:
            return None
        put = training.problem.backend.put
        state = tree_map(from_plain(training.state, tree["state"]), put)
        training.state, training.epochs = state._replace(averaged={}), tree["epochs"]
        draws.set_state(tree["draws"])
        for name in _CURVES:
            setattr(mlp, name, tree["fitted"][name])
        improvement = mlp._improvement
        improvement.best, improvement.waited = tree["best"], tree["waited"]
        improvement.best_params = tree_map(tree["kept"], put) if tree["kept"] else None
        self.is_over = tree["over"] and tree["planned_steps"] == mlp.max_iter
        return np.asarray(tree["order"])

    def save(self, order: HostArray, draws: np.random.RandomState, *, over: bool, now: bool) -> None:
        """Save the fit after an epoch if a checkpoint is due, if the fit is over, or `now`."""
        if not over and not now and not self.checkpoints.due():
            return
        mlp, training = self.estimator, self.training

        def host(array: Any) -> HostArray:
            return np.asarray(training.problem.backend.to_numpy(array))

        self.checkpoints.save(
            {
                "steps": mlp.n_iter_, "planned_steps": mlp.max_iter, "epochs": training.epochs, "over": over,
                "state": to_plain(tree_map(training.state, host)), "order": order,
                "draws": draws.get_state(legacy=False), "fitted": {name: getattr(mlp, name) for name in _CURVES},
                "best": mlp._improvement.best, "waited": mlp._improvement.waited,
                "kept": tree_map(mlp._improvement.best_params or {}, host),
            }
        )  # fmt: skip

    def _identity(self, rows: Rows) -> dict[str, Any]:
        mlp, backend = self.estimator, self.training.problem.backend
        settings = mlp.get_params(deep=False)
        named = {name: repr(value) for name, value in settings.items() if name not in _NOT_SETTINGS}
        x = rows.x.toarray() if rows.is_sparse else backend.to_numpy(rows.x)
        weights = None if rows.weights is None else backend.to_numpy(rows.weights)
        data = fingerprint(np.asarray(x), backend.to_numpy(rows.targets), weights)
        return {**named, "epochs": mlp.max_iter, "layers": to_dict(self.training.problem.model), "data": data}
