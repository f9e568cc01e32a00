"""The memory layout of images inside image layers: channels first, the batch last.

Outside, a batch of images is (N, C, H, W). Inside it is (C, H, W, N), for speed alone: operations along height or width
then move runs of N numbers, and one matrix product takes the whole batch. `batch_first` permutes the axes without
moving the numbers, so the next image layer finds them in its own order.
"""

from __future__ import annotations

from typing import Any

from portanet._typing import Array, Shape
from portanet.errors import ModelError
from portanet.xp import device, namespace


def side(size: Any) -> Any:
    """The side of a square given as a pair, such as (3, 3); anything else unchanged."""
    is_square = isinstance(size, (tuple, list)) and len(size) == 2 and size[0] == size[1]
    return size[0] if is_square else size


def image(layer: object, shape: Shape) -> tuple[int, int, int]:
    """The shape of a row (channels, height, width); raises ModelError, naming the layer, for other shapes."""
    if len(shape) != 3:
        remedy = "put Reshape((channels, height, width)) before it" if len(shape) == 1 else ""
        remedy = "give each image its channel, as in x[:, None]" if len(shape) == 2 else remedy
        wanted = f"{type(layer).__name__} needs images (channels, height, width)"
        raise ModelError(f"{wanted}, got shape {shape}", remedy=remedy)
    return shape[0], shape[1], shape[2]


def batch_last(x: Array) -> Array:
    """(N, C, H, W) as (C, H, W, N), contiguous in memory."""
    xp = namespace(x)
    turned = xp.permute_dims(x, (1, 2, 3, 0))
    return xp.reshape(xp.reshape(turned, (-1,)), turned.shape)


def batch_first(x: Array) -> Array:
    """(C, H, W, N) as (N, C, H, W)."""
    return namespace(x).permute_dims(x, (3, 0, 1, 2))


def pad(x: Array, axis: int, before: int, after: int) -> Array:
    """`x` padded with `before` and `after` zeros along an axis."""
    parts = [part for part in (_zeros(x, axis, before), x, _zeros(x, axis, after)) if part is not None]
    return namespace(x).concat(parts, axis=axis) if len(parts) > 1 else x


def _zeros(x: Array, axis: int, length: int) -> Array | None:
    shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
    return namespace(x).zeros(shape, dtype=x.dtype, device=device(x)) if length else None
