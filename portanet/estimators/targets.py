"""Targets: labels and numbers as a loss takes them, and predictions as labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_array

from portanet import backends
from portanet._typing import HostArray
from portanet.data.frame import present
from portanet.errors import ConfigError
from portanet.training.inputs.arrays import is_host, to_host
from portanet.xp import namespace


class Classes:
    """The classes of a classifier.

    labels      in ascending order; for multi-label targets the indices of their columns
    outputs     of the network: one for two classes, unless the loss or a loaded model has two
    is_multi    whether a row may have several classes
    """

    def __init__(self, y: Any, outputs: int | None = None) -> None:
        self._binarizer = LabelBinarizer().fit(y)
        self.labels: HostArray = self._binarizer.classes_
        self.is_multi = self._binarizer.y_type_.startswith("multilabel-")
        self.outputs = outputs or (len(self.labels) if self.is_multi or len(self.labels) > 2 else 1)

    @property
    def one_class(self) -> bool:
        """Whether each row has one class."""
        return not self.is_multi

    @property
    def are_exclusive(self) -> bool:
        """Whether each row has one class and the network has an output for each class."""
        return self.one_class and self.outputs > 1

    def require(self, y: Any, *, all_of_them: bool) -> None:
        """Raise ValueError for unknown classes, and with `all_of_them` if some are absent."""
        given = unique_labels(y)
        if all_of_them and set(given) != set(self.labels):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.labels}, `y` has {given}"
            )
        if len(np.setdiff1d(given, self.labels, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.labels}. 'y' has {given}."
            )

    def encode(self, y: Any) -> HostArray:
        """Return class indices (N,) int32, or ones and zeros (N, K)."""
        if self.are_exclusive:
            return np.searchsorted(self.labels, y).astype(np.int32)
        if self.one_class:
            return (np.searchsorted(self.labels, y) == 1).astype(np.float64)[:, None]
        indicators = self._binarizer.transform(y)
        return np.asarray(indicators.toarray() if hasattr(indicators, "toarray") else indicators, np.float64)

    def decode(self, probabilities: HostArray) -> Any:
        """Return the classes that the network's probabilities (N, outputs) predict.

        Numbers stay in the library of the probabilities; text is a NumPy array.
        """
        if not is_host(probabilities):
            return self._decode_on_device(probabilities)
        if self.are_exclusive:
            return self.labels[probabilities.argmax(axis=1)]
        return self._binarizer.inverse_transform(probabilities[:, 0] if self.outputs == 1 else probabilities)

    def _decode_on_device(self, probabilities: Any) -> Any:
        xp, backend = namespace(probabilities), backends.of(probabilities)
        if self.is_multi:
            return xp.astype(probabilities > 0.5, xp.asarray(0).dtype)  # the library's own integers
        codes = xp.argmax(probabilities, axis=1)
        if self.outputs == 1:
            codes = xp.astype(probabilities[:, 0] > 0.5, xp.int32) * (len(self.labels) - 1)
        if self.labels.dtype.kind not in "biuf":
            return self.labels[backend.to_numpy(codes)]
        return xp.take(backend.put(self.labels), codes, axis=0)

    def weights(self, class_weight: Any, y: Any) -> HostArray | None:
        """Return the weights of rows by their class; None without `class_weight`."""
        if class_weight is None:
            return None
        if self.is_multi:
            raise ConfigError(
                "class_weight is for one class in each row, and y has several", remedy="use sample_weight"
            )
        weights = compute_class_weight(class_weight, classes=self.labels, y=np.ravel(y))
        return weights[np.searchsorted(self.labels, np.ravel(y))]


def validate_labels(estimator: Any, y: Any, rows: int) -> Any:
    """Return labels (N,), or multi-label (N, K), as an array or CSR. Raises ValueError for invalid labels."""
    if y is None:
        _missing(estimator)
    y = on_host(y)
    _require_present(y)
    y = check_array(y, ensure_2d=False, dtype=None, accept_sparse="csr", input_name="y")
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    return _of_rows(y, rows)


def validate_numbers(estimator: Any, y: Any, rows: int) -> HostArray:
    """Return targets (N, K) in float64. Raises ValueError unless they are finite numbers."""
    if y is None:
        _missing(estimator)
    y = check_array(to_host(y), ensure_2d=False, dtype=None, input_name="y")
    if y.dtype.kind in "OUS":
        y = _as_numbers(estimator, y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    y = np.asarray(_of_rows(y, rows), np.float64)
    return y[:, None] if y.ndim == 1 else y


def on_host(y: Any) -> Any:
    """Return targets as a NumPy array, or sparse ones as CSR."""
    return y.tocsr() if hasattr(y, "tocsr") else to_host(y)


def _require_present(y: Any) -> None:
    """Raise ValueError for None, NaN or NA among labels that are objects."""
    if not isinstance(y, np.ndarray) or y.dtype.kind != "O":
        return
    absent = [_is_absent(present(value)) for value in y.ravel().tolist()]
    if any(absent):
        count, first = sum(absent), absent.index(True)
        raise ValueError(
            f"Input y contains NaN or None: {count:,} of {len(absent):,} labels are missing, the first in row {first}; "
            "drop those rows, as with pandas.Series(y).notna()."
        )


def _is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))


def _as_numbers(estimator: Any, y: HostArray) -> HostArray:
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError) as error:
        name = type(estimator).__name__
        raise ValueError(f"{name} predicts numbers, and y contains text ({error}); use MLPClassifier.") from error


def _missing(estimator: Any) -> None:
    name = type(estimator).__name__
    raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")


def _of_rows(y: Any, rows: int) -> Any:
    if y.shape[0] != rows:
        raise ValueError(f"Found input variables with inconsistent numbers of samples: {[rows, y.shape[0]]}")
    return y
