"""Layer normalisation: each row is normalised by its own statistics."""

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
class LayerNorm(Layer):
    """Each row minus the mean of its values, divided by their standard deviation.

        y = (x - mean) / sqrt(variance + eps) * scale + shift

        x, y (N, ...)   mean, variance (N,), over all of a row's D values, the variance divided by D
        scale, shift of a row's shape

    eps  added to the variance, so that constant rows do not cause a division by 0

    The same in training and prediction, and the same as torch.nn.LayerNorm(row shape).
    Ba et al. 2016, arXiv:1607.06450. Raises ModelError for rows that are single numbers, and unless eps > 0.
    """

    _: KW_ONLY
    eps: float = 1e-5

    trainable_names: ClassVar[tuple[str, ...]] = ("scale", "shift")

    def __post_init__(self) -> None:
        if not 0 < self.eps < math.inf:
            raise ModelError(f"LayerNorm needs a finite eps above 0, got {self.eps!r}.")

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        shape = self.output_shape(input_shape)
        return {"scale": filled(1.0, shape), "shift": filled(0.0, shape)}

    def output_shape(self, input_shape: Shape) -> Shape:
        if not input_shape:
            raise ModelError(f"LayerNorm needs rows of several values, got shape {input_shape}.")
        return input_shape

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        xp, x = namespace(x), cast(x, params["scale"].dtype)
        normal = x - _row_means(x)
        deviation = xp.sqrt(_row_means(normal * normal) + self.eps)
        normal /= deviation
        y = normal * params["scale"]
        y += params["shift"]
        return y, (normal, deviation)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        xp, (normal, deviation) = namespace(dy), cache
        grads = {"scale": xp.sum(dy * normal, axis=0), "shift": xp.sum(dy, axis=0)}
        if not need_dx:
            return None, grads
        dnormal = dy * params["scale"]
        dx = dnormal - _row_means(dnormal)
        dx -= normal * _row_means(dnormal * normal)
        dx /= deviation
        return dx, grads

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(), (5,)), (cls(), (2, 3, 2))]


def _row_means(x: Array) -> Array:
    """The mean of each row, in a shape that broadcasts with `x`: (N, 1, ...)."""
    return namespace(x).mean(x, axis=tuple(range(1, x.ndim)), keepdims=True)
