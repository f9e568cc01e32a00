"""A model's weights in fewer bits: int8 with a scale for each unit, or float16."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._tree import Path, tree_items, tree_set
from portanet._typing import HostArray, Params
from portanet.errors import ConfigError

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
PRECISIONS = (INT8, FLOAT16, FLOAT32)

_UNITS = {("weight", 2): 1, ("weight", 4): 0, ("embedding", 2): 0}
"""The axis of the units by an array's name and number of axes: Dense, Conv2D, the embeddings of Columns."""


def round_params(params: Params, precision: str) -> Params:
    """Return the arrays with rounded weights; biases, scales and the arrays of preprocessing are unchanged.

        int8     w = scale * q, q an integer from -127 to 127, scale = max |w| / 127 of each unit
        float16  the nearest float16

    params     a model's arrays on the host
    precision  one of PRECISIONS

    The arrays keep their dtype: they hold the decoded values. Raises ConfigError for another precision.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, or auto, got {precision!r}.")
    rounded: Params = {}
    for path, array in tree_items(params):
        tree_set(rounded, path, _rounded(path, array, precision))
    return rounded


def scales_of(array: HostArray, axis: int) -> HostArray:
    """Return the scale of each unit along the axis, broadcastable to the array; 1 if all its weights are 0."""
    others = tuple(i for i in range(array.ndim) if i != axis % array.ndim)
    largest = np.abs(array).max(axis=others, keepdims=True, initial=0.0)
    scales: HostArray = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    return scales


def codes_of(array: HostArray, scales: HostArray) -> HostArray:
    """Return the weights as integers from -127 to 127."""
    codes: HostArray = np.clip(np.rint(array / scales), -127, 127).astype(np.int8)
    return codes


def _rounded(path: Path, array: Any, precision: str) -> HostArray:
    axis = _UNITS.get((path[-1], array.ndim))
    if precision == FLOAT32 or axis is None:
        return array
    if precision == FLOAT16:
        half = array.astype(np.float16)
        return half.astype(array.dtype) if np.isfinite(half).all() else array
    scales = scales_of(array, axis)
    return (codes_of(array, scales) * scales).astype(array.dtype)
