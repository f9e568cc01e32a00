"""Pooling: images made smaller, one number for each square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.namespace import device, namespace
from portanet.nn.layer import Layer


@dataclass(frozen=True, repr=False)
class MaxPool2D(Layer):
    """The largest value of each square of `size` x `size`; squares do not overlap.

        y[n, c, i, j] = max_{u, v < size} x[n, c, i size + u, j size + v]

        x (N, C, H, W)   y (N, C, H // size, W // size); what is left over at the right and below is dropped

    Among equal values the first, row by row, takes the gradient, as in PyTorch.
    Raises ModelError for what is not an image, and for one that is smaller than a square.
    """

    size: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 1:
            raise ModelError(f"MaxPool2D needs a size of at least 1, got {self.size!r}.")

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 3:
            raise ModelError(f"MaxPool2D needs images (channels, height, width), got shape {input_shape}.")
        if min(input_shape[1:]) < self.size:
            raise ModelError(f"MaxPool2D's square of {self.size} is larger than the image {input_shape[1:]}.")
        return (input_shape[0], input_shape[1] // self.size, input_shape[2] // self.size)

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp, size, n = namespace(x), self.size, x.shape[0]
        channels, height, width = self.output_shape(x.shape[1:])
        squares = xp.reshape(x[:, :, : height * size, : width * size], (n, channels, height, size, width, size))
        squares = xp.reshape(xp.permute_dims(squares, (0, 1, 2, 4, 3, 5)), (n, channels, height, width, size * size))
        return xp.max(squares, axis=-1), (squares, x.shape)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, size, (squares, shape) = namespace(dy), self.size, cache
        n, channels, height, width = dy.shape
        first = xp.astype(xp.argmax(squares, axis=-1), xp.int32)
        row, column = (xp.arange(length, dtype=xp.int32, device=device(dy)) for length in shape[2:])
        row, column = row[:, None], column[None, :]
        inside = (row < height * size) & (column < width * size)
        square = xp.reshape(xp.where(inside, row // size * width + column // size, 0), (-1,))
        place = xp.reshape(xp.where(inside, row % size * size + column % size, -1), (-1,))
        found = (xp.take(xp.reshape(array, (n, channels, height * width)), square, axis=2) for array in (first, dy))
        taken, upstream = found
        return xp.reshape(xp.where(taken == place, upstream, 0.0), shape), {}
