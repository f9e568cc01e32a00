"""Sums and ratios shared by several metrics."""

from __future__ import annotations

from portanet._typing import Array
from portanet.xp import cast, device, namespace


def class_indices(x: Array, count: int) -> Array:
    """0..count-1 as int32, on the device of `x`."""
    xp = namespace(x)
    return xp.arange(count, dtype=xp.int32, device=device(x))


def count(hits: Array) -> Array:
    """The number of true entries, a 0-d int32 array."""
    xp = namespace(hits)
    return xp.sum(xp.astype(hits, xp.int32), dtype=xp.int32)


def ratio(part: Array, total: Array) -> Array:
    """The ratio part / total; `part` where the total is 0."""
    return part / namespace(part).where(total > 0, total, 1.0)


def row_weights(x: Array, weights: Array | None) -> Array:
    """The weights of the rows of `x`, (N,) in its dtype; ones for None."""
    xp = namespace(x)
    return xp.ones(x.shape[:1], dtype=x.dtype, device=device(x)) if weights is None else cast(weights, x.dtype)


def total(x: Array) -> Array:
    """The sum of all entries, 0-d."""
    return namespace(x).sum(x)


def mean(values: Array, weights: Array) -> Array:
    """The weighted mean over rows: 0-d of values (N,), (K,) of values (N, K)."""
    factors = weights if values.ndim == 1 else weights[:, None]
    return namespace(values).sum(values * factors, axis=0) / total(weights)
