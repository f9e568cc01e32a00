"""Validation rows for `fit`: given, or a fraction of the rows to train on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from portanet import backends
from portanet._text import shown
from portanet._typing import HostArray
from portanet.data import Dataset
from portanet.data.memmap.rows import as_rows
from portanet.data.split import SPLIT_SEED, stratified
from portanet.errors import ConfigError, DataError
from portanet.rng import SPLIT, generator
from portanet.training.inputs.arrays import is_host, require_array, to_host
from portanet.training.inputs.classes import Named, as_named
from portanet.xp import namespace

Rows = tuple[Any, Any, Any]
"""Rows, their labels and their weights."""


def share_of(valid: Any) -> float:
    """Return the fraction of rows to hold out, 0 if `valid` is None or rows; raises ConfigError for other values."""
    is_number = isinstance(valid, (int, float, np.number)) and not isinstance(valid, bool)
    if is_number and 0 <= valid < 1:
        return float(valid)
    pair = isinstance(valid, tuple) and len(valid) == 2
    if valid is None or pair or (isinstance(valid, Dataset) and not is_number):
        return 0.0
    remedy = "write valid=(rows, labels)"
    if isinstance(valid, (str, Path)):
        remedy = f"read it first: valid=read({str(valid)!r}, label=...)"
    elif isinstance(valid, tuple) and len(valid) == 3:
        remedy = "weights of rows to validate on are not taken: write valid=(rows, labels)"
    elif is_number:
        remedy = "write valid=0.1 for a tenth of the rows"
    raise ConfigError(
        f"valid must be (rows, labels), or a fraction from 0 and below 1 of the rows to hold out, got {shown(valid)}",
        remedy=remedy,
    )


def hold_out(rows: Rows, valid: Any, *, classes: bool) -> tuple[Rows, Any]:
    """Return the training rows (x, labels, sample_weight) and the validation rows, given or held out.

    For a fraction these are the same rows as in `portanet train`: stratified by class; for regression and multi-label
    data, without strata. They depend on the labels alone, so runs with other seeds are measured on the same rows.
    """
    share = share_of(valid)
    if share == 0:
        return rows, valid if isinstance(valid, (tuple, Dataset)) else None
    x, labels, weights = rows
    whole = x if labels is None else labels
    targets = _targets(whole, classes=classes)
    for name, given in (("x", x), ("sample_weight", weights)):
        if (count := _count(given)) not in (None, len(targets)):
            raise DataError(f"labels and {name} must be for the same rows, got {len(targets)} and {count}.")
    count = round(share * len(targets))
    if not 0 < count < len(targets):
        raise ConfigError(
            f"valid={share!r} of {len(targets)} rows is {count} rows; it must come to 1 to {len(targets) - 1}.",
            remedy="hold out none with valid=0",
        )
    groups = targets if classes and targets.ndim == 1 else np.zeros(len(targets), np.int32)
    kept, held = stratified(groups, count, generator(SPLIT_SEED, SPLIT))
    left = (rows_at(x, kept), rows_at(labels, kept), rows_at(weights, kept))
    return left, (rows_at(x, held) if labels is None else (rows_at(x, held), rows_at(labels, held)))


def pair_of(valid: Any) -> tuple[Any, Any]:
    """Return the validation rows, and their labels unless the rows are a Dataset."""
    return (valid, None) if valid is None or isinstance(valid, Dataset) else valid


def _targets(labels: Any, *, classes: bool) -> HostArray:
    """Labels on the host; labels by name as class numbers."""
    if isinstance(labels, Dataset):
        return labels.require_targets()
    require_array("labels", labels)
    named = as_named(labels) if classes else to_host(labels)
    return named.codes if isinstance(named, Named) else named


def _count(x: Any) -> int | None:
    """The number of rows; None for values without rows."""
    shape = getattr(x, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(x) if hasattr(x, "__len__") else None


def rows_at(x: Any, index: HostArray) -> Any:
    """The rows at these indices of an array of any library, a frame, a Dataset, a memory map or a list."""
    if x is None or isinstance(x, Dataset):
        return None if x is None else x.rows(index)
    require_array("x", x)
    if (mapped := as_rows(x)) is not None:
        return mapped.select(index)
    if not is_host(x):
        return namespace(x).take(x, backends.of(x).put(index.astype(np.int32)), axis=0)
    if hasattr(x, "iloc"):
        return x.iloc[index]
    return x[index] if hasattr(x, "shape") else [x[number] for number in index.tolist()]
