"""Flattening: from images to the flat rows that Dense takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.nn.layer import Layer
from portanet.xp import namespace


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """Turns each row into one flat vector.

        y = reshape(x, (N, -1))        x (N, C, H, W)   y (N, C*H*W), in row-major order

    Rows that are already flat stay unchanged.
    """

    @property
    def takes_images(self) -> bool:
        return False

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    @property
    def keeps_values(self) -> bool:
        return True

    @property
    def accepts_uint8(self) -> bool | None:
        return None

    @property
    def accepts_missing(self) -> bool | None:
        return None

    def scaled(self, factor: float, rows: int) -> tuple[Layer, float]:
        return self, factor

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        return namespace(x).reshape(x, (x.shape[0], -1)), x.shape

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        return namespace(dy).reshape(dy, cache), {}

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(), (2, 3, 2))]
