"""The residual block: layers that learn what to add to their input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.sequential import Sequential
from portanet.xp import cast


@dataclass(frozen=True, init=False, repr=False)
class Residual(Sequential):
    """Layers in sequence whose output is added to their input.

        y = x + layer_k(... layer_1(layer_0(x)))        any shape that the layers keep

    layers  in order, as for `Sequential`

    He et al. 2016, arXiv:1512.03385. Raises ModelError if the layers change the shape.
    """

    @property
    def accepts_uint8(self) -> bool:
        return bool(super().accepts_uint8)  # bytes passed on would be added to bytes

    @property
    def accepts_missing(self) -> bool:
        return False  # NaN plus a number is NaN

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = super().output_shape(input_shape)
        if shape != tuple(input_shape):
            raise ModelError(f"Residual needs layers that keep the shape, got {input_shape} -> {shape}.")
        return shape

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        change, caches = super().forward(params, x, train=train, key=key)
        return cast(x, change.dtype) + change, caches

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        dx, grads = super().backward(params, cache, dy, need_dx=need_dx)
        return (None if dx is None else dy + dx), grads

    @classmethod
    def examples(cls) -> Sequence[tuple[Self, Shape]]:
        from portanet.nn import Dense, ReLU

        return [(cls(Dense(4), ReLU(), Dense(4)), (4,))]
