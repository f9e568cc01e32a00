"""What both estimators share: validated arguments, fit and partial_fit, and the network's attributes."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils._array_api import check_same_namespace
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from portanet._typing import Array, HostArray, Params
from portanet.errors import CheckpointError
from portanet.estimators.adapter import Adapted
from portanet.estimators.bridge import restored, settings_of, to_portanet
from portanet.estimators.contexts import Contexts
from portanet.estimators.features import checked, placed
from portanet.estimators.fitting import STOCHASTIC, Fit, initialize, row_weights
from portanet.estimators.improvement import Improvement
from portanet.estimators.network import DenseArrays, with_dense_arrays
from portanet.estimators.parameters import CONSTRAINTS
from portanet.nn import Dense
from portanet.nn.losses.loss import LossFunction
from portanet.training.arrays import is_host, to_host
from portanet.training.callbacks import Callback
from portanet.training.model import TrainedModel, load


class BaseMLP(CallbackSupportMixin, BaseEstimator):
    """A network of Dense layers behind scikit-learn's interface.

    hidden_layer_sizes   the width of each hidden layer
    activation           of the hidden layers: "relu", "tanh", "logistic", "identity", another name of `portanet.nn`, or
                         a layer
    solver               "adam" or "sgd" for steps on batches, "lbfgs" for all rows at once
    alpha                the strength of the L2 penalty on weights, divided by the number of rows
    batch_size           rows in a step; "auto" is 200, or all rows if they are fewer; "lbfgs" does without
    learning_rate        the schedule of "sgd": "constant", "invscaling", or "adaptive", a fifth whenever the loss
                         stalls
    learning_rate_init   the learning rate of "sgd" and "adam", at the beginning
    power_t              the exponent of "invscaling"
    max_iter             the most epochs; with "lbfgs" the most iterations
    shuffle              whether rows are shuffled in each epoch
    random_state         of the first weights, the batches and the held-out rows
    tol                  the least improvement of loss or score that counts
    verbose              whether progress is printed
    warm_start           whether `fit` continues from the weights of the last call
    momentum             of "sgd"
    nesterovs_momentum   whether "sgd" looks one step of momentum ahead
    early_stopping       whether to hold out rows, and stop when their score stalls
    validation_fraction  the fraction of rows that is held out for that
    beta_1               the decay of "adam"'s running mean of the gradient
    beta_2               the decay of "adam"'s running mean of its square
    epsilon              added to "adam"'s divisor, so that nothing is divided by 0
    n_iter_no_change     epochs without an improvement of `tol` before training stops
    max_fun              the most evaluations of the loss with "lbfgs"
    backend              a Backend or its name; by default the library of the arrays
    device               of the backend, such as "cuda"
    dtype                "float32" or "float64"; by default that of the rows
    layers               all layers but the last, in place of those that the settings describe
    hidden_activations   one activation for each hidden layer, in place of `activation`
    dropout              the fraction of each hidden layer's outputs that is dropped in training
    batch_norm           whether a BatchNorm follows each hidden Dense
    scoring              what early stopping watches, by scikit-learn's names; by default accuracy or R2
    time_limit           seconds after which training stops
    checkpoints          a folder, or `Checkpoints`, that fit saves itself in, and resumes from
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS
    _params: Params

    # What a subclass knows of its targets

    @abstractmethod
    def _targets(self, y: Any, rows: int, *, first: bool, incremental: bool) -> HostArray:
        """Return targets as the loss takes them; when `first`, the outputs follow from them."""

    @abstractmethod
    def _loss_and_told(self) -> tuple[LossFunction, float]:
        """Return the loss, and what its value is multiplied by to be scikit-learn's."""

    @abstractmethod
    def _validation_score(self, x: Any, y: Any, weights: Any) -> float:
        """Return how well the network does on rows that are checked."""

    def _row_weights(self, sample_weight: Any, x: Any, y: Any) -> HostArray | None:
        return row_weights(sample_weight, x)

    def _constant(self, targets: HostArray, weights: HostArray | None) -> float:
        """Return the part of the loss that no network changes."""
        return 0.0

    def _restore(self, labels: Any, *, several: bool, outputs: int | None = None) -> None:
        """Know the classes of a model that was trained elsewhere."""

    def _needs_validation(self) -> bool:
        return bool(self.early_stopping) and self.solver in STOCHASTIC

    def _after_training(self, validation: Any) -> None:
        """Learn what follows from rows that the network has not been trained on."""

    def _stratify(self, y: Any) -> Any:
        return None

    # Training

    def set_callbacks(self, *callbacks: Any) -> Any:
        """Set the callbacks of fit: scikit-learn's, such as ProgressBar, and portanet's, such as EarlyStopping.

        callbacks  of both kinds; none takes them away
        """
        return super().set_callbacks(*(Adapted(each) if isinstance(each, Callback) else each for each in callbacks))

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:  # fmt: skip
        """Train the network on rows X (N, D) with their targets y.

        sample_weight      (N,) how much each row counts
        X_val, y_val       rows to validate on after each epoch, never trained on; with early_stopping they take the
                           place of held-out ones
        sample_weight_val  (M,) how much each of those counts
        """
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        contexts = Contexts(self, {"X": X, "y": y, "metadata": metadata})
        self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), contexts)
        contexts.end_fit()
        return self

    @available_if(lambda self: self._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:  # fmt: skip
        """Take one epoch over these rows, and keep all that was learned before; the rest is as in fit."""
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), None)

    def _is_stochastic(self) -> bool:
        if self.solver not in STOCHASTIC:
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, valid: tuple[Any, Any, Any], contexts: Contexts | None
    ) -> Any:  # fmt: skip
        """Train; without contexts for one epoch, as partial_fit does."""
        incremental = contexts is None
        first = not hasattr(self, "_params") or not (self.warm_start or incremental)
        x = checked(self, X, reset=first)
        targets = self._targets(y, x.shape[0], first=first, incremental=incremental)
        weights = self._row_weights(sample_weight, x, y)
        self._random_state = check_random_state(self.random_state)
        if first:
            initialize(self, x, targets)
        Fit(self, x, y, targets, weights, contexts).run(valid)
        return self

    @abstractmethod
    def _outputs(self, targets: HostArray) -> int:
        """Return how many outputs the network has."""

    def _begin_curves(self) -> None:
        scores, self.stopped_ = self.early_stopping, False
        self._rate = self.learning_rate_init
        self._improvement = Improvement.of(self.tol, self.n_iter_no_change, scores=scores)
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if scores else None
        self.best_loss_: float | None = None if scores else np.inf
        self.best_validation_score_: float | None = -np.inf if scores else None

    # Files, and the model as portanet has it

    def to_portanet(self) -> TrainedModel:
        """Return the network as a `TrainedModel`, which exports, reports and predicts by itself."""
        check_is_fitted(self)
        return to_portanet(self)

    def save(self, path: str | Path) -> Path:
        """Write the fitted estimator to a .safetensors file, and return its path; nothing in it is ever executed.

        `load` reads it, and `portanet.load` its network alone. A layer, a loss or a scorer among the settings is kept
        as the network has it, or not at all; a solver's state is not kept.
        """
        model = self.to_portanet()
        model.about = {"estimator": settings_of(self)}
        return model.save(path)

    @classmethod
    def load(cls, path: str | Path, *, custom: Any = (), backend: Any = "numpy") -> Any:
        """Return the fitted estimator in a file, or the network of any model file as one.

        custom   own layers and losses, as for `portanet.load`
        backend  to compute on

        Raises CheckpointError for a file that holds something else.
        """
        own = as_estimator(load(path, custom=custom, backend=backend), path)
        if not isinstance(own, cls):
            kind = type(own).__name__
            raise CheckpointError(f"{path} holds another model", remedy=f"read it with {kind}.load")
        return own

    # The network

    @property
    def coefs_(self) -> list[Any]:
        """The weights (inputs, units) of each Dense layer; others of the same shapes can be set."""
        return self._arrays("weight")

    @coefs_.setter
    def coefs_(self, arrays: Any) -> None:
        self._set_arrays("weight", arrays)

    @property
    def intercepts_(self) -> list[Any]:
        """The biases (units,) of each Dense layer; others of the same shapes can be set."""
        return self._arrays("bias")

    @intercepts_.setter
    def intercepts_(self, arrays: Any) -> None:
        self._set_arrays("bias", arrays)

    def _arrays(self, name: str) -> list[Any]:
        if "_params" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no weights before fit.")
        return DenseArrays(self._params, name, lambda arrays: self._set_arrays(name, arrays))

    def _set_arrays(self, name: str, arrays: Any) -> None:
        if "_params" not in vars(self):
            raise AttributeError(f"{type(self).__name__} has no weights before fit.")
        placed = [self._backend.as_device_array(to_host(array), self._dtype) for array in arrays]
        self._params = with_dense_arrays(self._params, name, placed)

    def _logits(self, x: Any) -> Array:
        """Return the outputs of the last Dense layer for rows that are checked."""
        with self._backend.session(self._dtype):
            return self._network.forward(self._params, placed(x, self._backend, self._dtype))[0]

    def activations(self, X: Any) -> list[Any]:
        """Return what each hidden layer gives for rows X, and the outputs (N, K): all that a Dense layer is given, in
        order, but for the rows themselves, and what `out_activation_` makes of the last one's.

        X  (N, D)
        """
        x = self._checked_for("activations", X)
        found: list[Any] = []
        with self._backend.session(self._dtype):
            value = placed(x, self._backend, self._dtype)
            for i, (name, layer) in enumerate(self._network.children.items()):
                if isinstance(layer, Dense) and i:
                    found.append(value)
                value = layer.forward(self._params.get(name, {}), value)[0]
            return [self._answer(array) for array in (*found, self._activated(value))]

    @abstractmethod
    def _activated(self, outputs: Array) -> Array:
        """Return probabilities or predictions for the outputs of the last layer."""

    def _answer(self, array: Array) -> Any:
        """Return an array of the backend in the library of the rows."""
        stays = self._like is not None and not is_host(self._like)
        return array if stays else self._backend.to_numpy(array)

    def _checked_for(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        if self._like is not None:
            check_same_namespace(X, self, attribute="_like", method=method)
        return checked(self, X, reset=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.array_api_support = True
        return tags


def as_estimator(run: TrainedModel, path: str | Path = "the model") -> Any:
    """Return a trained model as a fitted MLPClassifier or MLPRegressor."""
    from portanet.estimators.classifier import MLPClassifier
    from portanet.estimators.regressor import MLPRegressor

    return restored(run, path, MLPClassifier, MLPRegressor)
