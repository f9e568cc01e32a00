"""One call of fit or partial_fit: from validated rows to the network's arrays."""

from __future__ import annotations

import time
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
from sklearn.utils.optimize import _check_optimize_result
from sklearn.utils.validation import _check_sample_weight

from portanet import backends
from portanet._typing import HostArray
from portanet.backends import Backend, choose
from portanet.errors import ConfigError
from portanet.estimators.contexts import Contexts
from portanet.estimators.features import place, select, validate_rows
from portanet.estimators.lbfgs import fit_lbfgs
from portanet.estimators.loop import Loop
from portanet.estimators.memory import memory
from portanet.estimators.network import first_params, network
from portanet.estimators.solvers import SGD, Adam
from portanet.estimators.targets import on_host
from portanet.estimators.training import Problem, Rows, Training, put_params
from portanet.estimators.validation import Validation, held_out, scorer_of
from portanet.training.inputs.arrays import to_host

_STOPPED = 99  # SciPy's status after StopIteration
STOCHASTIC = ("sgd", "adam")


@dataclass
class Fit:
    """Trains an estimator's network on validated rows.

    estimator  its attributes are updated
    y          the targets as passed to fit
    targets    the targets as the loss takes them, on the host
    weights    (N,), or None
    contexts   of callbacks; None for the single epoch of partial_fit
    """

    estimator: Any
    x: Any
    y: Any
    targets: HostArray
    weights: HostArray | None
    contexts: Contexts | None

    def run(self, valid: tuple[Any, Any, Any]) -> None:
        """Train; `valid` is (X, y, sample_weight) to validate on, or None for each."""
        mlp, problem = self.estimator, self._problem()
        with problem.backend.session(problem.dtype):
            training = Training.begin(problem, mlp._params, mlp._solver_state, mlp._epochs)
            validation = _from_arguments(mlp, *valid)
            if validation is None and mlp._needs_validation():
                validation = self._hold_out()
            if mlp.solver == "lbfgs":
                self._run_lbfgs(training)
            else:
                self._run_stochastic(training, validation)
        require_finite(mlp)
        mlp._after_training(validation)

    def _problem(self) -> Problem:
        mlp = self.estimator
        loss, loss_scale = mlp._loss_and_scale()
        mlp._trained_loss = loss
        if mlp.solver == "sgd":
            solver: Any = SGD(mlp.momentum, mlp.nesterovs_momentum)
        else:
            solver = Adam(mlp.beta_1, mlp.beta_2, mlp.epsilon)
        shape = tuple(self.x.shape[1:])
        return Problem(mlp._network, loss, solver, float(mlp.alpha), mlp._backend, mlp._dtype, shape, loss_scale)

    def _run_lbfgs(self, training: Training) -> None:
        mlp, contexts = self.estimator, self.contexts
        if mlp.checkpoints is not None:
            raise ConfigError("checkpoints are for the solvers adam and sgd, got solver='lbfgs'.")
        watches = [contexts.iteration] if contexts is not None and contexts.are_watched else []
        if mlp.time_limit is not None:
            end = time.monotonic() + mlp.time_limit
            watches.append(lambda training: time.monotonic() >= end)
        rows = rows_on(mlp, self.x, self.targets, self.weights)
        result = fit_lbfgs(training, rows, watches, maxfun=mlp.max_fun, maxiter=mlp.max_iter, gtol=mlp.tol)
        stopped = result.status == _STOPPED
        mlp.n_iter_ = result.nit if stopped else _check_optimize_result("lbfgs", result, mlp.max_iter)
        mlp.loss_ = float(result.fun) + mlp._constant(self.targets, self.weights)
        mlp._params = training.params()

    def _run_stochastic(self, training: Training, validation: Validation | None) -> None:
        mlp, once = self.estimator, self.contexts is None
        if once and mlp.stopped_:
            return
        if validation is not None and mlp.validation_scores_ is None:
            mlp.validation_scores_ = []
        rows = rows_on(mlp, self.x, self.targets, self.weights)
        constant = mlp._constant(self.targets, self.weights)
        training, rows = memory.begin(training, rows)
        Loop(mlp, training, rows, validation, mlp._random_state, constant).run(self.contexts)
        mlp._params = training.params()
        mlp._solver_state, mlp._epochs = training.solver_state(), training.epochs
        memory.end(training, rows)
        if mlp.early_stopping and mlp._improvement.best_params is not None and not (once and not mlp.stopped_):
            mlp._params = mlp._improvement.best_params

    def _hold_out(self) -> Validation:
        """Hold out some of the training rows."""
        mlp = self.estimator
        if self.contexts is None:
            raise ValueError(
                "partial_fit needs X_val and y_val for early_stopping=True or intervals; pass the same ones in each "
                "call."
            )
        train, held = held_out(mlp.validation_fraction, len(self.targets), mlp._random_state, mlp._stratify(self.y))
        weights, y = self.weights, on_host(self.y)[held]
        held_weights, self.weights = (None, None) if weights is None else (weights[held], weights[train])
        validation = _validation(mlp, select(self.x, held), y, self.targets[held], held_weights)
        self.x, self.targets = select(self.x, train), self.targets[train]
        return validation


def initialize(mlp: Any, x: Any, targets: HostArray) -> None:
    """Set an estimator's attributes for the start of training."""
    mlp.n_outputs_, mlp.t_ = mlp._outputs(targets), 0
    mlp._dtype = mlp.dtype or str(x.dtype).rpartition(".")[2]
    mlp._backend, mlp._like = _backend_for(mlp, x), None if hasattr(x, "tocsr") else x[:0, ...]
    mlp._network_inputs = int(x.shape[1])
    mlp._network = network(mlp, mlp.n_outputs_)
    shape = tuple(x.shape[1:])
    mlp._network.output_shape(shape)
    with mlp._backend.session(mlp._dtype):
        params = first_params(mlp._network, shape, mlp._random_state, mlp)
        if mlp._network.needs_fit:
            params = mlp._network.fit(params, [to_host(x)])
        mlp._params = put_params(params, mlp._backend, mlp._dtype)
    mlp._solver_state, mlp._epochs = None, 0
    mlp.n_layers_ = len(mlp.coefs_) + 1
    if mlp.solver in STOCHASTIC:
        mlp._begin_curves()


def rows_on(mlp: Any, x: Any, targets: HostArray, weights: HostArray | None) -> Rows:
    """Return rows, targets and weights on the estimator's backend; a sparse matrix stays on the host."""
    backend = mlp._backend
    put = None if weights is None else backend.put(weights, mlp._dtype)
    y = backend.put(targets, "int32" if targets.dtype.kind == "i" else mlp._dtype)
    return Rows(x if hasattr(x, "tocsr") else place(x, backend, mlp._dtype), y, put)


def row_weights(sample_weight: Any, x: Any) -> HostArray | None:
    """Return the weights (N,) of rows on the host; ValueError unless they are numbers whose sum is above 0."""
    if sample_weight is None:
        return None
    on_host_weight = sample_weight if isinstance(sample_weight, Number) else to_host(sample_weight)
    weights: HostArray = _check_sample_weight(on_host_weight, np.empty((x.shape[0], 1)))
    if len(weights) and weights.sum() <= 0:
        raise ValueError(f"sample_weight adds up to {weights.sum():g}; it must be more than 0.")
    return weights


def require_finite(mlp: Any) -> None:
    """Raise ValueError if training has produced numbers that are not finite."""
    for array in mlp.coefs_ + mlp.intercepts_:
        if not np.isfinite(mlp._backend.to_numpy(array)).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to "
                "be preprocessed."
            )


def _backend_for(mlp: Any, x: Any) -> Backend:
    if isinstance(mlp.backend, Backend):
        return mlp.backend
    if mlp.backend is not None or mlp.device is not None:
        return choose(mlp.backend or "auto", mlp.device)
    return choose("numpy") if isinstance(x, np.ndarray) or hasattr(x, "tocsr") else backends.of(x)


def _from_arguments(mlp: Any, X: Any, y: Any, sample_weight: Any) -> Validation | None:
    if X is None and y is None:
        return None
    if X is None or y is None:
        raise ValueError("validation rows need both X_val and y_val.")
    x = validate_rows(mlp, X, reset=False)
    targets = mlp._targets(y, x.shape[0], first=False, incremental=True)
    weights = row_weights(sample_weight, x)
    return _validation(mlp, x, on_host(y), targets, weights)


def _validation(mlp: Any, x: Any, y: Any, targets: HostArray, weights: HostArray | None) -> Validation:
    rows, constant = rows_on(mlp, x, targets, weights), mlp._constant(targets, weights)
    return Validation(x, y, weights, rows, constant, scorer_of(mlp, mlp.scoring))
