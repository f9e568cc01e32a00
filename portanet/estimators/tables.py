"""Frames with text, gaps or dates, read as tables; the network then begins with a `Columns` layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names, _check_n_features

from portanet._typing import HostArray
from portanet.data.frame import is_frame, read_inputs
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import Schema
from portanet.training.inputs.frames import rows_for, say_once, without_objects
from portanet.training.inputs.offsets import find_offsets, subtract


@dataclass(frozen=True)
class Table:
    """The conversion of frames to rows of numbers, learned from the first frame.

    offsets  subtracted from the columns in float64, if float32 would merge their numbers
    """

    schema: Schema
    offsets: tuple[float, ...] = ()

    @property
    def card(self) -> ModelCard:
        """The model card of the frame's columns."""
        return ModelCard((len(self.schema.names),), columns=self.schema.names, table=self.schema)

    def rows(self, frame: Any) -> HostArray:
        """Return the rows of a frame in float64, with NaN for gaps and codes for categories."""
        rows = np.asarray(rows_for(frame, self.card))
        return subtract(rows, np.asarray(self.offsets)) if self.offsets else rows.astype(np.float64)


def needs_table(X: Any) -> bool:
    """Return whether rows are a frame with gaps, or with a column that is not numeric."""
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
    """Return the conversion learned from a frame, and the frame's rows."""
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
    """Return the rows of a later frame. Raises ValueError unless its columns are those of the first, in order."""
    if not is_frame(X):
        name = type(estimator).__name__
        raise ValueError(f"this {name} was fitted on a frame with text or gaps; it takes frames with the same columns.")
    _check_feature_names(estimator, X, reset=False)
    _check_n_features(estimator, X, reset=False)
    return estimator._table.rows(X)
