"""Frames with text, gaps or dates, read as tables: the network begins with a layer `Columns`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names, _check_n_features

from portanet._typing import HostArray
from portanet.data.frame import is_frame, read_inputs
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import Schema
from portanet.training.frames import rows_for, say_once, without_objects
from portanet.training.offsets import find_offsets, subtract


@dataclass(frozen=True)
class Table:
    """How frames become rows of numbers, as in the first one.

    offsets  what is subtracted from each column in float64, where float32 would merge its numbers
    """

    schema: Schema
    offsets: tuple[float, ...] = ()

    @property
    def card(self) -> ModelCard:
        """What a model knows of the frame."""
        return ModelCard((len(self.schema.names),), columns=self.schema.names, table=self.schema)

    def rows(self, frame: Any) -> HostArray:
        """Return the rows of a frame in float64: NaN is a gap, and a category is its code."""
        rows = np.asarray(rows_for(frame, self.card))
        return subtract(rows, np.asarray(self.offsets)) if self.offsets else rows.astype(np.float64)


def needs_table(X: Any) -> bool:
    """Return whether rows are a frame with a column that does not hold numbers, or with gaps."""
    if not is_frame(X):
        return False
    for name in X.columns:
        column = X[name]
        if isinstance(getattr(column, "dtype", None), np.dtype) and column.dtype.kind in "biu":
            continue
        values = without_objects(np.asarray(column))
        if values.dtype.kind not in "biuf" or (values.dtype.kind == "f" and np.isnan(values).any()):
            return True
    return False


def learn_table(estimator: Any, X: Any) -> tuple[Table, HostArray]:
    """Return how a frame is read, decided on these rows, and the rows."""
    _check_feature_names(estimator, X, reset=True)
    _check_n_features(estimator, X, reset=True)
    data = read_inputs(X)
    for note in data.notes:
        say_once(f"{type(estimator).__name__}: {note}")
    schema: Any = data.table
    offsets = find_offsets(data.x) if estimator.dtype == "float32" else None
    table = Table(schema, () if offsets is None else tuple(offsets.tolist()))
    rows = np.asarray(data.x)
    return table, subtract(rows, offsets) if offsets is not None else rows.astype(np.float64)


def read_rows(estimator: Any, X: Any) -> HostArray:
    """Return the rows of a later frame; ValueError unless it has the columns of the first one, in their order."""
    if not is_frame(X):
        name = type(estimator).__name__
        raise ValueError(f"this {name} was fitted on a frame with text or gaps, and takes frames of the same columns.")
    _check_feature_names(estimator, X, reset=False)
    _check_n_features(estimator, X, reset=False)
    return estimator._table.rows(X)
