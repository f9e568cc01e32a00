"""What several test files need: nested params, numeric derivatives, small data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from portanet import nn
from portanet._tree import tree_items, tree_set

Host = npt.NDArray[Any]

IMAGES = np.random.default_rng(1).integers(0, 256, (90, 1, 6, 6)).astype(np.uint8)
TABLE_MODEL = nn.Sequential(nn.Standardize(), nn.Dense(8), nn.ReLU(), nn.Dropout(0.3), nn.Dense(3))
IMAGE_MODEL = nn.Sequential(
    nn.RandomAffine(shift=1.0), nn.Standardize("all"), nn.Conv2D(2, 3), nn.BatchNorm(), nn.ReLU(), nn.Flatten(),
    nn.Dropout(0.2), nn.Dense(3),
)  # fmt: skip
"""Models whose training uses noise, buffers and shuffled rows; the first for tables, the second for `IMAGES`."""


def tree(params: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    """`params` with each array changed."""
    changed: dict[str, Any] = {}
    for path, array in tree_items(params):
        tree_set(changed, path, change(array))
    return changed


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two nested params hold the same names, shapes, dtypes and bits."""
    first, second = dict(tree_items(a)), dict(tree_items(b))
    return first.keys() == second.keys() and all(
        first[path].dtype == second[path].dtype
        and first[path].shape == second[path].shape
        and np.asarray(first[path]).tobytes() == np.asarray(second[path]).tobytes()
        for path in first
    )


def assert_close(found: dict[str, Any], expected: dict[str, Any], rtol: float, atol: float) -> None:
    """Whether two nested params hold nearly the same; the order of the names does not matter."""
    first, second = dict(tree_items(found)), dict(tree_items(expected))
    assert first.keys() == second.keys()
    for path in first:
        np.testing.assert_allclose(first[path], second[path], rtol=rtol, atol=atol, err_msg=".".join(path))


def slope(function: Callable[[], float], x: Host, step: float = 1e-6) -> Host:
    """Central differences of `function` for each element of `x`, which it reads; float64."""
    found = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + step
        above = function()
        x[place] = kept - step
        below = function()
        x[place] = kept
        found[place] = (above - below) / (2 * step)
    return found


def in_blocks(x: Host, rows: int = 4096) -> list[Host]:
    """The rows as `Layer.fit` takes them."""
    return [x[start : start + rows] for start in range(0, len(x), rows)]


def blobs(rows: int = 90, columns: int = 4, classes: int = 3, seed: int = 5) -> tuple[Host, Host]:
    """Rows around one centre for each class, and the classes: easy to learn, but not at once."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = rng.normal(0.0, 1.5, (classes, columns))
    return centres[labels] + rng.normal(0.0, 0.7, (rows, columns)), labels.astype(np.int32)
