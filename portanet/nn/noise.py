"""Counter-based random bits: a hash of (key, layer, position, element), equal on every backend.

There is no generator and no state, so noise costs no transfer, works inside a compiled step, and does not depend on
which worker computes which rows.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from portanet._typing import Array
from portanet.xp import device, namespace


class Key(NamedTuple):
    """The key of one layer's noise in one epoch.

    value     one number for each epoch of a run, int32
    position  the position of the batch's first row in the epoch
    layer     the position of the layer in the model, as a path folded into one number
    """

    value: Any
    position: Any = 0
    layer: int = 0

    def child(self, index: int) -> Key:
        """The key of a container's child."""
        return Key(self.value, self.position, _signed(self.layer * 1_000_003 + index + 1))

    def shifted(self, rows: int) -> Key:
        """The key of a part of the batch that starts `rows` rows later."""
        return Key(self.value, self.position + rows, self.layer)


def bits(key: Key, like: Array) -> Array:
    """An int32 for each element of `like` (N, ...), uniform over 2**31 evenly spaced values.

        h(r_i e_j)        r_i = h((position + i + 1) ^ k) | 1    e_j = h(c j ^ k) | 1    k = value ^ h(layer + 1)

    h is the bijective 32-bit hash `lowbias32` (Wellons 2018), c the golden ratio times 2**32, all in wrapping
    int32 arithmetic. Rows and elements are hashed before they are multiplied, so no two rows share a run of bits.
    """
    return _hash(_products(key, like))


def keep(key: Key, like: Array, rate: float) -> Array:
    """A mask for `like`, each element true with probability 1 - rate; exact to 2**-31.

        r_i e_j >= threshold        as in `bits`, without the last hash

    Only the top bits of a product decide a comparison, and these depend on every bit of both factors.
    """
    return _products(key, like) >= _signed_threshold(rate)


def uniform(key: Key, like: Array) -> Array:
    """A number in [0, 1) for each element of `like`, a multiple of 2**-24, in like's dtype."""
    xp = namespace(like)
    drawn = bits(key, like)
    return xp.astype((drawn >> 8) & 0xFFFFFF, like.dtype) * 2.0**-24


def _products(key: Key, like: Array) -> Array:
    """r_i e_j for each element: uniform over the odd int32 values; the lowest bits are not random."""
    xp, rows, size = namespace(like), like.shape[0], math.prod(like.shape[1:])
    index = xp.arange(-rows, size, dtype=xp.int32, device=device(like))  # negative: rows, hashed in the same calls
    number = xp.where(index < 0, index + (rows + 1) + key.position, index * _GOLDEN)
    hashed = _hash(number ^ (key.value ^ _hash(key.layer + 1))) | 1
    return xp.reshape(hashed[:rows][:, None] * hashed[rows:][None, :], like.shape)


def _hash(x: Any) -> Any:
    """lowbias32 of an int32 array, or of a Python int as int32; a mask makes the shifts logical."""
    x = x ^ ((x >> 16) & 0xFFFF)
    x = _wrapped(x, 0x7FEB352D)
    x = x ^ ((x >> 15) & 0x1FFFF)
    x = _wrapped(x, 0x846CA68B)
    return x ^ ((x >> 16) & 0xFFFF)


def _wrapped(x: Any, factor: int) -> Any:
    product = x * _signed(factor)
    return _signed(product) if isinstance(product, int) else product


def _signed(number: int) -> int:
    """The int32 with the same low 32 bits."""
    return (number + 2**31) % 2**32 - 2**31


def _signed_threshold(rate: float) -> int:
    """The int32 below which a fraction `rate` of all int32 lie."""
    return min(round(rate * 2**32), 2**32 - 1) - 2**31


_GOLDEN = _signed(0x9E3779B9)  # keeps elements apart from rows, and from elements of keys with common rows
