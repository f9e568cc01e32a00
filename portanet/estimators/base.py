"""The base of both estimators: arguments, fit and partial_fit, and the network's attributes."""

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
from portanet.estimators.features import place, validate_rows
from portanet.estimators.fitting import STOCHASTIC, Fit, initialize, row_weights
from portanet.estimators.improvement import Improvement
from portanet.estimators.network import DenseArrays, with_dense_arrays
from portanet.estimators.parameters import CONSTRAINTS
from portanet.nn import Dense
from portanet.nn.losses.loss import LossFunction
from portanet.training.callbacks import Callback
from portanet.training.inputs.arrays import is_host, to_host
from portanet.training.model import TrainedModel, load


class BaseMLP(CallbackSupportMixin, BaseEstimator):
    """A network of Dense layers behind scikit-learn's interface.

    hidden_layer_sizes   the width of each hidden layer
    activation           of the hidden layers: "relu", "tanh", "logistic", "identity", another name of `portanet.nn`, or
                         a layer
    solver               "adam" or "sgd" for steps on batches, "lbfgs" for all rows at once
    alpha                the strength of the L2 penalty on weights, divided by the number of rows
    batch_size           rows in a step; "auto" is 200, or all rows if they are fewer; "lbfgs" ignores it
    learning_rate        the schedule of "sgd": "constant", "invscaling", or "adaptive", which divides by 5 whenever the
                         loss stalls
    learning_rate_init   the initial learning rate of "sgd" and "adam"
    power_t              the exponent of "invscaling"
    max_iter             the maximum number of epochs, or of iterations with "lbfgs"
    shuffle              whether rows are shuffled in each epoch
    random_state         of the initial weights, the batches and the held-out rows
    tol                  the smallest improvement of loss or score that counts
    verbose              whether progress is printed
    warm_start           whether `fit` continues from the weights of the last call
    momentum             of "sgd"
    nesterovs_momentum   whether "sgd" uses Nesterov's momentum
    early_stopping       whether to hold out rows and to stop when their score stalls
    validation_fraction  the fraction of rows that is held out for that
    beta_1               the decay of "adam"'s running mean of the gradient
    beta_2               the decay of "adam"'s running mean of its square
    epsilon              added to "adam"'s denominator
    n_iter_no_change     epochs without an improvement of `tol` before training stops
    max_fun              the maximum number of evaluations of the loss with "lbfgs"
    backend              a Backend or its name; by default the library of the arrays
    device               of the backend, such as "cuda"
    dtype                "float32" or "float64"; by default that of the rows
    layers               all layers but the last, instead of those that the other settings describe
    hidden_activations   one activation for each hidden layer, instead of `activation`
    dropout              the fraction of each hidden layer's outputs that is dropped in training
    batch_norm           whether a BatchNorm follows each hidden Dense
    scoring              the score of early stopping, by its name in scikit-learn; by default accuracy or R2
    time_limit           seconds after which training stops
    checkpoints          a folder, or `Checkpoints`, that fit saves its state to and resumes from
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = CONSTRAINTS
    _params: Params

    # The targets, implemented by the subclass

    @abstractmethod
    def _targets(self, y: Any, rows: int, *, first: bool, incremental: bool) -> HostArray:
        """Return targets as the loss takes them; if `first`, they decide the outputs."""

    @abstractmethod
    def _loss_and_scale(self) -> tuple[LossFunction, float]:
        """Return the loss, and the factor that turns its value into scikit-learn's."""

    @abstractmethod
    def _validation_score(self, x: Any, y: Any, weights: Any) -> float:
        """Return the network's score on validated rows."""

    def _row_weights(self, sample_weight: Any, x: Any, y: Any) -> HostArray | None:
        return row_weights(sample_weight, x)

    def _constant(self, targets: HostArray, weights: HostArray | None) -> float:
        """Return the part of the loss that does not depend on the network."""
        return 0.0

    def _restore(self, labels: Any, *, several: bool, outputs: int | None = None) -> None:
        """Restore the classes of a loaded or converted model."""

    def _needs_validation(self) -> bool:
        return bool(self.early_stopping) and self.solver in STOCHASTIC

    def _after_training(self, validation: Any) -> None:
        """Compute attributes from validation rows, such as the margin of intervals."""

    def _stratify(self, y: Any) -> Any:
        return None

    # Training

    def set_callbacks(self, *callbacks: Any) -> Any:
        """Set the callbacks of fit: scikit-learn's, such as ProgressBar, and portanet's, such as EarlyStopping.

        callbacks  of both kinds; without any, earlier ones are removed
        """
        return super().set_callbacks(*(Adapted(each) if isinstance(each, Callback) else each for each in callbacks))

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:  # fmt: skip
        """Train the network on rows X (N, D) with their targets y.

        sample_weight      (N,) row weights
        X_val, y_val       rows to validate on after each epoch; early_stopping uses them instead of held-out rows
        sample_weight_val  (M,) the weights of those rows
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
        """Train for one epoch on these rows, starting from the current weights; otherwise as fit."""
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
        """Train; without contexts for one epoch, as in partial_fit."""
        incremental = contexts is None
        first = not hasattr(self, "_params") or not (self.warm_start or incremental)
        x = validate_rows(self, X, reset=first)
        targets = self._targets(y, x.shape[0], first=first, incremental=incremental)
        weights = self._row_weights(sample_weight, x, y)
        self._random_state = check_random_state(self.random_state)
        if first:
            initialize(self, x, targets)
        Fit(self, x, y, targets, weights, contexts).run(valid)
        return self

    @abstractmethod
    def _outputs(self, targets: HostArray) -> int:
        """Return the number of outputs of the network."""

    def _begin_curves(self) -> None:
        scores, self.stopped_ = self.early_stopping, False
        self._rate = self.learning_rate_init
        self._improvement = Improvement.of(self.tol, self.n_iter_no_change, scores=scores)
        self.loss_curve_: list[float] = []
        self.validation_loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if scores else None
        self.best_loss_: float | None = None if scores else np.inf
        self.best_validation_score_: float | None = -np.inf if scores else None

    # Files, and conversion to a TrainedModel

    def to_portanet(self) -> TrainedModel:
        """Return the network as a `TrainedModel`, which exports, reports and predicts."""
        check_is_fitted(self)
        return to_portanet(self)

    def save(self, path: str | Path) -> Path:
        """Write the fitted estimator to a .safetensors file, and return its path; nothing in it is ever executed.

        `load` reads it; `portanet.load` reads its network alone. Of settings that are objects the network's layers and
        the loss are saved; a scorer and the solver's state are not.
        """
        model = self.to_portanet()
        model.about = {"estimator": settings_of(self)}
        return model.save(path)

    @classmethod
    def load(cls, path: str | Path, *, custom: Any = (), backend: Any = "numpy") -> Any:
        """Return the fitted estimator in a file, or the network of any model file as an estimator.

        custom   custom layers and losses, as for `portanet.load`
        backend  to compute on

        Raises CheckpointError for a file of another kind of model.
        """
        mlp = as_estimator(load(path, custom=custom, backend=backend), path)
        if not isinstance(mlp, cls):
            kind = type(mlp).__name__
            raise CheckpointError(f"{path} holds another model", remedy=f"read it with {kind}.load")
        return mlp

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
        device_arrays = [self._backend.as_device_array(to_host(array), self._dtype) for array in arrays]
        self._params = with_dense_arrays(self._params, name, device_arrays)

    def _logits(self, x: Any) -> Array:
        """Return the outputs of the last Dense layer for validated rows."""
        with self._backend.session(self._dtype):
            return self._network.forward(self._params, place(x, self._backend, self._dtype))[0]

    def activations(self, X: Any) -> list[Any]:
        """Return the hidden activations of rows X, as the inputs of the Dense layers after the first, and the outputs
        (N, K) after `out_activation_`.

        X  (N, D)
        """
        x = self._validated("activations", X)
        hidden: list[Any] = []
        with self._backend.session(self._dtype):
            value = place(x, self._backend, self._dtype)
            for i, (name, layer) in enumerate(self._network.children.items()):
                if isinstance(layer, Dense) and i:
                    hidden.append(value)
                value = layer.forward(self._params.get(name, {}), value)[0]
            return [self._answer(array) for array in (*hidden, self._activated(value))]

    @abstractmethod
    def _activated(self, outputs: Array) -> Array:
        """Return probabilities or predictions for the outputs of the last layer."""

    def _answer(self, array: Array) -> Any:
        """Return an array of the backend in the library of the training rows."""
        stays = self._like is not None and not is_host(self._like)
        return array if stays else self._backend.to_numpy(array)

    def _validated(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        if self._like is not None:
            check_same_namespace(X, self, attribute="_like", method=method)
        return validate_rows(self, X, reset=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.array_api_support = True
        return tags


def as_estimator(run: TrainedModel, path: str | Path = "the model") -> Any:
    """Return a trained model as a fitted MLPClassifier or MLPRegressor."""
    from portanet.estimators.classifier import MLPClassifier
    from portanet.estimators.regressor import MLPRegressor

    return restored(run, path, MLPClassifier, MLPRegressor)
