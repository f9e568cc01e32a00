"""A digest of rows that does not depend on whether they are in memory or mapped."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from portanet.data.blocks import blocks


def fingerprint(*arrays: Any) -> str:
    """Return the SHA-256 over shape, dtype and bytes of host arrays, or Rows of memory maps; None is left out."""
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.shape}{array.dtype.str}".encode())
            for block in blocks(array) if array.ndim else [array]:
                digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()
