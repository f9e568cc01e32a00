"""Random affine maps of images: augmentation as a layer, on the device, with the same noise on every backend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn import noise
from portanet.nn.images import image
from portanet.nn.layer import Layer
from portanet.xp import device, namespace


@dataclass(frozen=True, repr=False)
class RandomAffine(Layer):
    """In training, each image is scaled and rotated about its centre and then shifted, by separate random amounts.

        y[n, c, p] = x[n, c, R(-angle) (p - shift) / scale], bilinear, 0 outside the image; y = x in prediction

        x (N, C, H, W)   y like x   p = (i, j) counted from the centre; the same map for all channels of an image

    shift     the largest shift along each axis, in pixels
    rotation  the largest rotation either way, in degrees
    scale     the largest relative change of size: 0.1 gives 0.9 to 1.1 times the size

    Each amount is uniform within its bounds and follows from the key alone, on every backend. Put the layer
    first, where the background is 0: pixels of an integer dtype come out as float32 in training, and unchanged
    in prediction. Simard, Steinkraus, Platt 2003, ICDAR.
    Raises ModelError for bounds below 0, for a scale of 1 or more, and for inputs that are not images.
    """

    _: KW_ONLY
    shift: float = 2.0
    rotation: float = 10.0
    scale: float = 0.1

    def __post_init__(self) -> None:
        for name in ("shift", "rotation", "scale"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ModelError(f"RandomAffine needs {name} of at least 0 and finite, got {getattr(self, name)!r}.")
        if self.scale >= 1:
            raise ModelError(f"RandomAffine needs scale < 1, the relative change of size, got {self.scale!r}.")

    @property
    def takes_images(self) -> bool:
        return True

    def output_shape(self, input_shape: Shape) -> Shape:
        return image(self, input_shape)

    @property
    def keeps_values(self) -> bool:
        return True

    @property
    def accepts_uint8(self) -> bool | None:
        return None

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        if not train:
            return x, None
        if key is None:
            raise ModelError("RandomAffine needs a key to train: forward(..., train=True, key=noise.Key(0)).")
        x = _floating(x)
        rows, columns = self._places(x, key)
        return _bilinear(x, rows, columns), (rows, columns)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        if cache is None or not need_dx:
            return (dy if need_dx else None), {}
        # dx[u, v] = sum over p of dy[p] tent(row_p - u) tent(column_p - v), dense: a first layer never needs it
        xp, (n, channels, height, width) = namespace(dy), dy.shape
        rows, columns = (xp.reshape(places, (n, 1, -1, 1)) for places in cache)
        u, v = (xp.arange(1, length + 1, dtype=dy.dtype, device=device(dy)) for length in (height, width))
        by_row = xp.reshape(dy, (n, channels, -1, 1)) * _tent(rows - u)
        return xp.permute_dims(by_row, (0, 1, 3, 2)) @ _tent(columns - v), {}

    def _places(self, x: Array, key: Any) -> tuple[Array, Array]:
        """The row and the column of the framed x that each pixel of y shows, (N, H, W) each; the frame if outside."""
        xp, (n, _, height, width) = namespace(x), x.shape
        drawn = 2.0 * noise.uniform(key, xp.empty((n, 4), dtype=x.dtype, device=device(x))) - 1.0
        down, right, turn, growth = (drawn[:, k : k + 1] for k in range(4))
        angle, scale = turn * math.radians(self.rotation), growth * self.scale + 1.0
        cos, sin = xp.cos(angle) / scale, xp.sin(angle) / scale
        i, j = _centred(x, height) - down * self.shift, _centred(x, width) - right * self.shift
        rows = (cos * i + (height + 1) / 2)[:, :, None] + (sin * j)[:, None, :]
        columns = (cos * j + (width + 1) / 2)[:, None, :] - (sin * i)[:, :, None]
        return _within(rows, height + 1.0), _within(columns, width + 1.0)

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(), (2, 4, 5))]


def _floating(x: Array) -> Array:
    xp = namespace(x)
    return x if xp.isdtype(x.dtype, "real floating") else xp.astype(x, xp.float32)


def _centred(x: Array, length: int) -> Array:
    """(1, length): positions along an axis, counted from its middle."""
    return namespace(x).arange(length, dtype=x.dtype, device=device(x))[None, :] - (length - 1) / 2


def _within(places: Array, last: float) -> Array:
    xp = namespace(places)
    inside: Array = xp.minimum(xp.maximum(places, 0.0), last)
    return inside


def _tent(distance: Array) -> Array:
    """The bilinear weight of a pixel at this distance."""
    xp = namespace(distance)
    return xp.maximum(1.0 - xp.abs(distance), 0.0)


def _bilinear(x: Array, rows: Array, columns: Array) -> Array:
    """The bilinear interpolation of the framed x (N, C, H, W) at positions (N, H, W): (N, C, H, W)."""
    xp, (n, channels, height, width) = namespace(x), x.shape
    framed = _framed(_framed(xp.permute_dims(x, (1, 0, 2, 3)), 2), 3)  # channels first: they share the indices
    line, size = width + 3, (height + 3) * (width + 3)
    flat = xp.reshape(framed, (channels, n * size))
    (top, below), (left, right) = _split(rows), _split(columns)
    index = top * line + left + xp.arange(0, n * size, size, dtype=xp.int32, device=device(x))[:, None, None]
    index = xp.reshape(index, (-1,))

    def pixel(offset: int) -> Array:
        pixels: Array = xp.reshape(xp.take(flat[:, offset:], index, axis=1), (channels, n, height, width))
        return pixels

    upper = _between(pixel(0), pixel(1), right)
    lower = _between(pixel(line), pixel(line + 1), right)
    return xp.permute_dims(_between(upper, lower, below), (1, 0, 2, 3))


def _framed(x: Array, axis: int) -> Array:
    """`x` with one line of zeros before and two after, so that all four pixels around a position exist."""
    xp = namespace(x)
    line = xp.zeros(tuple(1 if i == axis else x.shape[i] for i in range(4)), dtype=x.dtype, device=device(x))
    return xp.concat([line, x, line, line], axis=axis)


def _split(places: Array) -> tuple[Array, Array]:
    """The integer part, int32, and the fractional part."""
    xp = namespace(places)
    integers = xp.astype(places, xp.int32)
    return integers, places - xp.astype(integers, places.dtype)


def _between(a: Array, b: Any, part: Array) -> Any:
    """The sum a + part (b - a), in the memory of b if arrays are mutable."""
    b -= a
    b *= part
    b += a
    return b
