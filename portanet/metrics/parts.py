"""What several metrics are made of."""

from __future__ import annotations

from portanet._typing import Array
from portanet.xp import device, namespace


def class_numbers(x: Array, count: int) -> Array:
    """0..count-1, where `x` lives."""
    xp = namespace(x)
    return xp.arange(count, dtype=xp.int32, device=device(x))


def count(hits: Array) -> Array:
    """How many are true, a 0-d int32 array."""
    xp = namespace(hits)
    return xp.sum(xp.astype(hits, xp.int32), dtype=xp.int32)


def ratio(part: Array, total: Array) -> Array:
    """Part / total; the part alone where the total is 0."""
    return part / namespace(part).where(total > 0, total, 1.0)
