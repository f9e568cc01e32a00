"""Reshaping rows, such as a table's flat pixels to images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.layer import Layer
from portanet.xp import namespace


@dataclass(frozen=True, repr=False)
class Reshape(Layer):
    """Gives each row a new shape: `Reshape((1, 28, 28))` turns 784 columns into images.

        y = reshape(x, (N, *shape))        x (N, ...) with as many numbers in a row, in row-major order

    shape  the new shape of a row, without the batch axis

    Raises ModelError for a shape that is not a tuple of sizes, and for rows with more or fewer numbers.
    """

    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = self.shape if isinstance(self.shape, tuple) else ()
        if not sizes or not all(isinstance(size, int) and size >= 1 for size in sizes):
            raise ModelError(f"Reshape needs a tuple of sizes of at least 1, such as (1, 28, 28), got {self.shape!r}.")

    @property
    def takes_images(self) -> bool:
        return False

    def output_shape(self, input_shape: Shape) -> Shape:
        size, wanted = math.prod(input_shape), math.prod(self.shape)
        if size != wanted:
            raise ModelError(f"Reshape to {self.shape} needs {wanted} numbers, got {size} in shape {input_shape}.")
        return self.shape

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
        return namespace(x).reshape(x, (x.shape[0], *self.shape)), x.shape

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        return namespace(dy).reshape(dy, cache), {}

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls((2, 3)), (6,))]
