"""One call of fit or partial_fit: from checked rows to the network's arrays."""

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
from portanet.estimators.features import checked, placed, select
from portanet.estimators.lbfgs import fit_lbfgs
from portanet.estimators.loop import Loop
from portanet.estimators.memory import memory
from portanet.estimators.network import first_params, network
from portanet.estimators.solvers import SGD, Adam
from portanet.estimators.targets import on_host
from portanet.estimators.training import Problem, Rows, Training, put_params
from portanet.estimators.validation import Validation, held_out, scorer_of
from portanet.training.arrays import to_host

_STOPPED = 99  # SciPy's status after StopIteration
STOCHASTIC = ("sgd", "adam")


@dataclass
class Fit:
    """Trains an estimator's network on rows that are checked.

    estimator  whose attributes follow
    y          as it was given
    targets    as the loss takes them, on the host
    weights    (N,), or None
    contexts   of callbacks; None for the one epoch of partial_fit
    """

    estimator: Any
    x: Any
    y: Any
    targets: HostArray
    weights: HostArray | None
    contexts: Contexts | None

    def run(self, valid: tuple[Any, Any, Any]) -> None:
        """Train, with (X, y, sample_weight) to validate on, or None for each."""
        own, problem = self.estimator, self._problem()
        with problem.backend.session(problem.dtype):
            training = Training.begin(problem, own._params, own._solver_state, own._epochs)
            validation = _given(own, *valid)
            if validation is None and own._needs_validation():
                validation = self._hold_out()
            if own.solver == "lbfgs":
                self._run_lbfgs(training)
            else:
                self._run_stochastic(training, validation)
        require_finite(own)
        own._after_training(validation)

    def _problem(self) -> Problem:
        own = self.estimator
        loss, told = own._loss_and_told()
        own._trained_loss = loss
        if own.solver == "sgd":
            solver: Any = SGD(own.momentum, own.nesterovs_momentum)
        else:
            solver = Adam(own.beta_1, own.beta_2, own.epsilon)
        shape = tuple(self.x.shape[1:])
        return Problem(own._network, loss, solver, float(own.alpha), own._backend, own._dtype, shape, told)

    def _run_lbfgs(self, training: Training) -> None:
        own, contexts = self.estimator, self.contexts
        if own.checkpoints is not None:
            raise ConfigError("checkpoints are for the solvers adam and sgd, got solver='lbfgs'.")
        watches = [contexts.iteration] if contexts is not None and contexts.are_watched else []
        if own.time_limit is not None:
            end = time.monotonic() + own.time_limit
            watches.append(lambda training: time.monotonic() >= end)
        rows = rows_on(own, self.x, self.targets, self.weights)
        found = fit_lbfgs(training, rows, watches, maxfun=own.max_fun, maxiter=own.max_iter, gtol=own.tol)
        stopped = found.status == _STOPPED
        own.n_iter_ = found.nit if stopped else _check_optimize_result("lbfgs", found, own.max_iter)
        own.loss_ = float(found.fun) + own._constant(self.targets, self.weights)
        own._params = training.params()

    def _run_stochastic(self, training: Training, validation: Validation | None) -> None:
        own, once = self.estimator, self.contexts is None
        if once and own.stopped_:
            return
        if validation is not None and own.validation_scores_ is None:
            own.validation_scores_ = []
        rows = rows_on(own, self.x, self.targets, self.weights)
        constant = own._constant(self.targets, self.weights)
        training, rows = memory.begin(training, rows)
        Loop(own, training, rows, validation, own._random_state, constant).run(self.contexts)
        own._params = training.params()
        own._solver_state, own._epochs = training.solver_state(), training.epochs
        memory.end(training, rows)
        if own.early_stopping and own._improvement.kept is not None and not (once and not own.stopped_):
            own._params = own._improvement.kept

    def _hold_out(self) -> Validation:
        """Take rows away from those to train on."""
        own = self.estimator
        if self.contexts is None:
            raise ValueError(
                "partial_fit does not support early_stopping=True or intervals without rows to validate on: give it "
                "X_val and y_val, the same in each call."
            )
        kept, held = held_out(own.validation_fraction, len(self.targets), own._random_state, own._stratify(self.y))
        weights, y = self.weights, on_host(self.y)[held]
        held_weights, self.weights = (None, None) if weights is None else (weights[held], weights[kept])
        validation = _validation(own, select(self.x, held), y, self.targets[held], held_weights)
        self.x, self.targets = select(self.x, kept), self.targets[kept]
        return validation


def initialize(own: Any, x: Any, targets: HostArray) -> None:
    """Set an estimator's attributes as they are before the first epoch."""
    own.n_outputs_, own.t_ = own._outputs(targets), 0
    own._dtype = own.dtype or str(x.dtype).rpartition(".")[2]
    own._backend, own._like = _backend_for(own, x), None if hasattr(x, "tocsr") else x[:0, ...]
    own._network_inputs = int(x.shape[1])
    own._network = network(own, own.n_outputs_)
    shape = tuple(x.shape[1:])
    own._network.output_shape(shape)
    with own._backend.session(own._dtype):
        params = first_params(own._network, shape, own._random_state, own)
        if own._network.needs_fit:
            params = own._network.fit(params, [to_host(x)])
        own._params = put_params(params, own._backend, own._dtype)
    own._solver_state, own._epochs = None, 0
    own.n_layers_ = len(own.coefs_) + 1
    if own.solver in STOCHASTIC:
        own._begin_curves()


def rows_on(own: Any, x: Any, targets: HostArray, weights: HostArray | None) -> Rows:
    """Return rows, targets and weights on the estimator's backend; a sparse matrix stays on the host."""
    backend = own._backend
    put = None if weights is None else backend.put(weights, own._dtype)
    y = backend.put(targets, "int32" if targets.dtype.kind == "i" else own._dtype)
    return Rows(x if hasattr(x, "tocsr") else placed(x, backend, own._dtype), y, put)


def row_weights(sample_weight: Any, x: Any) -> HostArray | None:
    """Return the weights (N,) of rows on the host; ValueError unless they are numbers whose sum is above 0."""
    if sample_weight is None:
        return None
    given = sample_weight if isinstance(sample_weight, Number) else to_host(sample_weight)
    weights: HostArray = _check_sample_weight(given, np.empty((x.shape[0], 1)))
    if len(weights) and weights.sum() <= 0:
        raise ValueError(f"sample_weight adds up to {weights.sum():g}; it must be more than 0.")
    return weights


def require_finite(own: Any) -> None:
    """Raise ValueError where training has left numbers that are not finite."""
    for array in own.coefs_ + own.intercepts_:
        if not np.isfinite(own._backend.to_numpy(array)).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to "
                "be preprocessed."
            )


def _backend_for(own: Any, x: Any) -> Backend:
    if isinstance(own.backend, Backend):
        return own.backend
    if own.backend is not None or own.device is not None:
        return choose(own.backend or "auto", own.device)
    return choose("numpy") if isinstance(x, np.ndarray) or hasattr(x, "tocsr") else backends.of(x)


def _given(own: Any, X: Any, y: Any, sample_weight: Any) -> Validation | None:
    if X is None and y is None:
        return None
    if X is None or y is None:
        raise ValueError("rows to validate on are X_val and y_val; give both.")
    x = checked(own, X, reset=False)
    targets = own._targets(y, x.shape[0], first=False, incremental=True)
    weights = row_weights(sample_weight, x)
    return _validation(own, x, on_host(y), targets, weights)


def _validation(own: Any, x: Any, y: Any, targets: HostArray, weights: HostArray | None) -> Validation:
    rows, constant = rows_on(own, x, targets, weights), own._constant(targets, weights)
    return Validation(x, y, weights, rows, constant, scorer_of(own, own.scoring))
