"""Sums and ratios shared by several metrics."""

from __future__ import annotations

from portanet._typing import Array
from portanet.xp import cast, device, namespace


def class_numbers(x: Array, count: int) -> Array:
    """0..count-1, where `x` lives."""
    xp = namespace(x)
    return xp.arange(count, dtype=xp.int32, device=device(x))


def count(hits: Array) -> Array:
    """How many are true, a 0-d int32 array."""
    xp = namespace(hits)
    return xp.sum(xp.astype(hits, xp.int32), dtype=xp.int32)


def ratio(part: Array, total: Array) -> Array:
    """The ratio part / total; the part alone where the total is 0."""
    return part / namespace(part).where(total > 0, total, 1.0)


def weights_of(x: Array, weights: Array | None) -> Array:
    """The weight of each row of `x`, (N,) in its dtype; 1 for all where none are given."""
    xp = namespace(x)
    return xp.ones(x.shape[:1], dtype=x.dtype, device=device(x)) if weights is None else cast(weights, x.dtype)


def total(x: Array) -> Array:
    """The sum of all numbers, 0-d."""
    return namespace(x).sum(x)


def mean(values: Array, weights: Array) -> Array:
    """The mean of values (N,) by the weights of their rows, 0-d, or of (N, K) each column's, (K,)."""
    each = weights if values.ndim == 1 else weights[:, None]
    return namespace(values).sum(values * each, axis=0) / total(weights)
