"""The element-wise functions between layers; each keeps what its derivative needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params
from portanet.namespace import namespace
from portanet.nn.layer import Layer


@dataclass(frozen=True, repr=False)
class ReLU(Layer):
    """Negative values become zero.

        y = max(x, 0)        any shape; the derivative at 0 is taken as 0

    Nair and Hinton 2010, ICML.
    """

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y = namespace(x).maximum(x, 0.0)
        return y, y

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        y = cache
        return namespace(dy).where(y > 0, dy, 0.0), {}
