"""Pooling: one number for each square of an image, or for each channel."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.images import batch_first, batch_last, image, pad, side
from portanet.nn.layer import Layer
from portanet.xp import device, namespace


@dataclass(frozen=True, repr=False)
class _Pool2D(Layer):
    """The common base of pools over non-overlapping squares of `size` x `size` pixels."""

    size: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", side(self.size))
        if not isinstance(self.size, int) or self.size < 1:
            raise ModelError(f"{type(self).__name__} needs a size of at least 1, got {self.size!r}.")

    @property
    def takes_images(self) -> bool:
        return True

    def output_shape(self, input_shape: Shape) -> Shape:
        channels, height, width = image(self, input_shape)
        if min(height, width) < self.size:
            name = type(self).__name__
            raise ModelError(f"{name}'s square of {self.size} is larger than the image {input_shape[1:]}.")
        return (channels, height // self.size, width // self.size)

    def _pixels(self, x: Array) -> list[Array]:
        """The pixels of all squares by their position in the square: size * size images, row by row.

        x (C, H, W, N)   each (C, H // size, W // size, N)
        """
        size, bottom, right = self.size, x.shape[1] - x.shape[1] % self.size, x.shape[2] - x.shape[2] % self.size
        return [x[:, u:bottom:size, v:right:size, :] for u in range(size) for v in range(size)]

    def _whole(self, squares: Array, shape: Shape) -> Array:
        """Squares (C, H', size, W', size, N) as an image (C, H, W, N), with zeros outside the squares."""
        xp, (channels, height, width, n) = namespace(squares), shape
        image = xp.reshape(squares, (channels, height - height % self.size, width - width % self.size, n))
        return pad(pad(image, 1, 0, height % self.size), 2, 0, width % self.size)

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(), (2, 5, 4))]


@dataclass(frozen=True, repr=False)
class MaxPool2D(_Pool2D):
    """The largest value of each square of `size` x `size` pixels; squares do not overlap.

        y[n, c, i, j] = max_{u, v < size} x[n, c, i size + u, j size + v]

        x (N, C, H, W)   y (N, C, H // size, W // size); what is left over at the right and below is dropped

    size  height and width of a square, in pixels, and so the distance from one to the next

    Among equal values the first, row by row, takes the gradient, as in PyTorch. Zhou and Chellappa 1988, ICNN.
    Raises ModelError for inputs that are not images, and for images smaller than a square.
    """

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x = batch_last(x)
        y = functools.reduce(namespace(x).maximum, self._pixels(x))
        return batch_first(y), (x, y)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, (x, y) = namespace(dy), cache
        free, first = xp.ones(y.shape, dtype=xp.bool, device=device(y)), []
        for pixel in self._pixels(x)[:-1]:
            first.append(free & (pixel == y))
            free = free ^ first[-1]
        first.append(free)
        rows = [xp.stack(first[u * self.size : (u + 1) * self.size], axis=3) for u in range(self.size)]
        taken = xp.astype(xp.stack(rows, axis=2), dy.dtype)
        dx = taken * batch_last(dy)[:, :, None, :, None, :]
        return batch_first(self._whole(dx, x.shape)), {}


@dataclass(frozen=True, repr=False)
class AveragePool2D(_Pool2D):
    """The mean of each square of `size` x `size` pixels; squares do not overlap.

        y[n, c, i, j] = mean_{u, v < size} x[n, c, i size + u, j size + v]

        x (N, C, H, W)   y (N, C, H // size, W // size); what is left over at the right and below is dropped

    size  height and width of a square, in pixels, and so the distance from one to the next

    LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition".
    Raises ModelError for inputs that are not images, and for images smaller than a square.
    """

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x = batch_last(x)
        y = functools.reduce(operator.add, self._pixels(x)) / self.size**2
        return batch_first(y), x.shape

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, size, shape = namespace(dy), self.size, cache
        share = batch_last(dy)[:, :, None, :, None, :] / size**2
        channels, height, _, width, _, n = share.shape
        dx = xp.broadcast_to(share, (channels, height, size, width, size, n))
        return batch_first(self._whole(dx, shape)), {}


@dataclass(frozen=True, repr=False)
class GlobalAveragePool2D(Layer):
    """The mean of each channel: an image of any height and width becomes one flat row.

        y[n, c] = mean_{h, w} x[n, c, h, w]        x (N, C, H, W)   y (N, C)

    Lin et al. 2013, arXiv:1312.4400. Raises ModelError for inputs that are not images.
    """

    @property
    def takes_images(self) -> bool:
        return True

    def output_shape(self, input_shape: Shape) -> Shape:
        return (image(self, input_shape)[0],)

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        return namespace(x).mean(x, axis=(2, 3)), x.shape

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, (n, channels, height, width) = namespace(dy), cache
        share = batch_last(dy[:, :, None, None]) / (height * width)
        return batch_first(xp.broadcast_to(share, (channels, height, width, n))), {}

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(), (2, 3, 2))]
