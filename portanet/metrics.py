"""How good the answers are, counted where the arrays live; the host reads the counts when it logs."""

from __future__ import annotations

from portanet._typing import Array
from portanet.namespace import namespace


def correct(logits: Array, labels: Array) -> Array:
    """How many rows have their largest logit at the label, as an int32 without axes.

    logits (N, K), labels (N,) int32. Among equal logits the first counts as the largest.
    """
    xp = namespace(logits)
    hits = xp.astype(xp.argmax(logits, axis=1), labels.dtype) == labels
    return xp.sum(xp.astype(hits, xp.int32), dtype=xp.int32)
