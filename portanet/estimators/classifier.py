"""MLPClassifier: scikit-learn's classifier, on any backend."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from portanet._typing import HostArray
from portanet.estimators.base import BaseMLP
from portanet.estimators.losses import classification_loss, has_output_per_class
from portanet.estimators.parameters import store_arguments
from portanet.estimators.targets import Classes, validate_labels
from portanet.metrics import ACCURACY
from portanet.nn import sigmoid, softmax
from portanet.nn.losses.loss import LossFunction
from portanet.xp import namespace


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A classifier with Dense layers: scikit-learn's MLPClassifier, with its arguments, on any backend.

    loss          "log_loss" by default, or a classification loss of portanet
    class_weight  a dict of weights by class, or "balanced": inverse class frequency; by default 1 for all

    All other arguments are those of `BaseMLP`. Raises ValueError for invalid ones, as scikit-learn does, and
    ConfigError for a regression loss.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseMLP._parameter_constraints,
        "loss": [str, callable, None],
        "class_weight": [dict, str, None],
    }

    _metric = ACCURACY

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        backend: Any = None,
        device: str | None = None,
        dtype: str | None = None,
        layers: Any = None,
        hidden_activations: Any = None,
        dropout: float = 0.0,
        batch_norm: bool = False,
        scoring: Any = None,
        time_limit: float | None = None,
        checkpoints: Any = None,
        loss: Any = None,
        class_weight: Any = None,
    ) -> None:
        store_arguments(self, locals())

    def _targets(self, y: Any, rows: int, *, first: bool, incremental: bool) -> HostArray:
        y = validate_labels(self, y, rows)
        if first and not (incremental and hasattr(self, "_classes")):
            self._classes = self._classes_of(y)
            self.classes_ = self._classes.labels
        else:
            self._classes.require(y, all_of_them=self.warm_start)
        return self._classes.encode(y)

    def _classes_of(self, y: Any) -> Classes:
        classes = Classes(y)
        if classes.one_class and len(classes.labels) == 2 and has_output_per_class(self.loss):
            classes.outputs = 2
        return classes

    def _row_weights(self, sample_weight: Any, x: Any, y: Any) -> HostArray | None:
        weights = super()._row_weights(sample_weight, x, y)
        by_class = self._classes.weights(self.class_weight, y)
        return by_class if weights is None else weights if by_class is None else weights * by_class

    def _outputs(self, targets: HostArray) -> int:
        return self._classes.outputs

    def _loss_and_scale(self) -> tuple[LossFunction, float]:
        return classification_loss(self.loss, self.n_outputs_, one_class=self._classes.one_class), 1.0

    def _restore(self, labels: Any, *, several: bool, outputs: int | None = None) -> None:
        self._classes = Classes(np.eye(len(labels), dtype=int) if several else labels, outputs or self.n_outputs_)
        self.classes_ = self._classes.labels

    def _stratify(self, y: Any) -> Any:
        return y if self.n_outputs_ == 1 else None

    def _validation_score(self, x: Any, y: Any, weights: Any) -> float:
        return float(
            accuracy_score(
                y, self._classes.decode(self._backend.to_numpy(self._probabilities(x))), sample_weight=weights
            )
        )

    @property
    def out_activation_(self) -> str:
        """The function from outputs to probabilities: "softmax", or "logistic" for each output."""
        return "softmax" if self._classes.are_exclusive else "logistic"

    def _probabilities(self, x: Any) -> Any:
        return self._activated(self._logits(x))

    def _activated(self, outputs: Any) -> Any:
        return softmax(outputs) if self._classes.are_exclusive else sigmoid(outputs)

    @available_if(lambda self: self._is_stochastic())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, *, X_val: Any = None, y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Any:  # fmt: skip
        """Train for one epoch on these rows, starting from the current weights; otherwise as fit.

        classes  all possible classes, for the first call
        """
        if _check_partial_fit_first_call(self, classes):
            self._classes = self._classes_of(y if type_of_target(y).startswith("multilabel-") else classes)
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val), None)

    def predict(self, X: Any) -> Any:
        """Return the class of each row, (N,), or (N, K) ones and zeros for multi-label targets."""
        x = self._validated("predict", X)
        return self._classes.decode(self._answer(self._probabilities(x)))

    def predict_proba(self, X: Any) -> Any:
        """Return the probabilities of the classes, (N, K), in the order of `classes_`."""
        return self._all_probabilities(self._validated("predict_proba", X))

    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`."""
        probabilities = self._all_probabilities(self._validated("predict_log_proba", X))
        with np.errstate(divide="ignore"):
            return namespace(probabilities).log(probabilities)

    def _all_probabilities(self, x: Any) -> Any:
        """Return the probabilities (N, K); two if the network has one output."""
        probabilities = self._answer(self._probabilities(x))
        if self.n_outputs_ > 1:
            return probabilities
        return namespace(probabilities).concat([1.0 - probabilities, probabilities], axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
