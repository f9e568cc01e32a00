"""Batch normalisation: by the statistics of the batch in training, by running statistics in prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.initializers import filled
from portanet.nn.layer import Layer
from portanet.xp import cast, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Each feature, or channel of an image, minus its mean and divided by its standard deviation over the batch.

        y = (x - mean) / sqrt(variance + eps) * scale + shift

        x, y (N, D) or images (N, C, H, W)   scale, shift, mean, variance (D,) or (C,); over n = N or N H W values

    In training, mean and variance (divided by n) are those of the batch, and each step updates the running values:

        running = (1 - momentum) * running + momentum * batch        with the batch's variance divided by n - 1

    momentum  the weight of the newest batch in the running values, as in PyTorch; Keras counts 1 - momentum
    eps       added to the variance, so that constant features do not cause a division by 0

    Prediction uses the running values, so each row is computed independently. This is the same as torch.nn.BatchNorm1d
    and BatchNorm2d, except for n = 1, which they refuse: the output is then the shift, with a gradient and a variance
    of 0. All rows count the same, whatever their weights in the loss. A bias in the layer before has no effect.

    Ioffe and Szegedy 2015, arXiv:1502.03167.
    Raises ModelError for inputs that are neither flat nor images, unless 0 <= momentum <= 1 (from 0.9 and below 1 it
    would be Keras' momentum, so the message gives 1 - momentum), and unless eps > 0.
    """

    _: KW_ONLY
    momentum: float = 0.1
    eps: float = 1e-5

    trainable_names: ClassVar[tuple[str, ...]] = ("scale", "shift")

    def __post_init__(self) -> None:
        if not 0 <= self.momentum <= 1:
            raise ModelError(
                f"BatchNorm needs 0 <= momentum <= 1, the weight of the newest batch, got {self.momentum!r}."
            )
        if 0.9 <= self.momentum < 1:
            raise ModelError(
                f"BatchNorm got momentum={self.momentum!r}, the weight of the newest batch, as in PyTorch; for "
                f"Keras' {self.momentum!r} write momentum={1 - self.momentum:.6g}."
            )
        if not 0 < self.eps < math.inf:
            raise ModelError(f"BatchNorm needs a finite eps above 0, got {self.eps!r}.")

    @property
    def takes_images(self) -> bool:
        return True

    @property
    def rowwise(self) -> bool:
        return False

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        features = self.output_shape(input_shape)[:1]
        return {
            "scale": filled(1.0, features),
            "shift": filled(0.0, features),
            "mean": filled(0.0, features),
            "variance": filled(1.0, features),
        }

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) not in (1, 3):
            raise ModelError(
                f"BatchNorm needs flat inputs or images (channels, height, width), got shape {input_shape}."
            )
        return input_shape

    # In place on arrays made here: on large images, memory traffic takes longer than arithmetic.

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp, x = namespace(x), cast(x, params["scale"].dtype)
        mean = xp.mean(x, axis=_batch_axes(x)) if train else params["mean"]
        y = x - _along(mean, x)
        variance = _sum_of_products(y, y) / _count(x) if train else params["variance"]
        deviation = xp.sqrt(variance + self.eps)
        y *= _along(params["scale"] / deviation, x)
        y += _along(params["shift"], x)
        return y, (x, mean, variance, deviation, train)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, (x, mean, _, deviation, train) = namespace(dy), cache
        centred = x - _along(mean, x)
        grads = {
            "scale": _sum_of_products(dy, centred) / deviation,
            "shift": xp.sum(dy, axis=_batch_axes(x)),
        }
        if not need_dx:
            return None, grads
        slope = _along(params["scale"] / deviation, x)
        if not train:  # the running values do not depend on x
            return dy * slope, grads
        dx = centred  # dx = (dy - (dshift + centred / deviation * dscale) / n) * slope
        dx *= _along(grads["scale"] / deviation / -_count(x), x)
        dx += dy
        dx -= _along(grads["shift"] / _count(x), x)
        dx *= slope
        return dx, grads

    def next_buffers(self, params: Params, cache: Cache) -> Params:
        x, mean, variance, _, train = cache
        if not train:
            return {}
        count, decay = _count(x), 1.0 - self.momentum
        unbiased = self.momentum * count / (count - 1 or 1)
        return {
            "mean": decay * params["mean"] + self.momentum * mean,
            "variance": decay * params["variance"] + unbiased * variance,
        }

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(), (4,)), (cls(), (2, 3, 2))]


def _batch_axes(x: Array) -> tuple[int, ...]:
    """All axes but the features': (0,) or (0, 2, 3)."""
    return (0, *range(2, x.ndim))


def _count(x: Array) -> int:
    """The number of values of each feature in the batch."""
    return math.prod(x.shape) // x.shape[1]


def _along(values: Array, x: Array) -> Array:
    """One value per feature, in a shape that broadcasts with `x`: (D,) or (C, 1, 1)."""
    return namespace(values).reshape(values, (-1, *(1 for _ in x.shape[2:])))


def _sum_of_products(x: Array, y: Array) -> Array:
    """The sum of x * y for each feature; for images as dot products, which do not need memory for x * y."""
    xp = namespace(x)
    if x.ndim == 2:
        return xp.sum(x * y, axis=0)
    rows, columns = xp.reshape(x, (*x.shape[:2], 1, -1)), xp.reshape(y, (*y.shape[:2], -1, 1))
    return xp.sum(rows @ columns, axis=(0, 2, 3))
