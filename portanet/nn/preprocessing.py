"""Preprocessing as the model's first layer.

The model takes raw values, in training and prediction alike, so the scaling cannot be forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.activations import Identity
from portanet.nn.initializers import filled
from portanet.nn.layer import Layer
from portanet.xp import cast, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Rescale(Layer):
    """Multiplies every value by a constant and adds another: `Rescale(1 / 255)` maps pixels to [0, 1].

        y = x * factor + offset        any shape

    factor  the constant factor
    offset  the constant added afterwards: `Rescale(2 / 255, -1.0)` maps pixels to [-1, 1]

    The settings are used; the arrays of the same names in a model file only repeat them for other readers. Raises
    ModelError unless both are finite.
    """

    factor: float
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name in ("factor", "offset"):
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ModelError(f"Rescale needs a finite {name}, got {value!r}.")

    @property
    def accepts_uint8(self) -> bool:
        return True

    def scaled(self, factor: float, rows: int) -> tuple[Layer, float] | None:
        return (Identity(), factor * self.factor) if self.offset == 0 else None

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        return {"factor": filled(self.factor), "offset": filled(self.offset)}

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y = cast(x, params["factor"].dtype) * float(self.factor)
        return (y if self.offset == 0 else y + float(self.offset)), None

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        return (dy * float(self.factor) if need_dx else None), {}

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(0.5, -0.2), (3, 2))]


@dataclass(frozen=True, repr=False)
class Standardize(Layer):
    """Values minus their mean, divided by their standard deviation, both taken from the training rows.

        y = (x - mean) / deviation        any shape

    axis  "all" takes one mean and deviation for all values, as for pixels; "feature" one for each position of a row, as
          for the columns of a table

    A deviation of zero becomes 1, so a constant column becomes zero. Raises ModelError for another axis.
    """

    axis: Literal["all", "feature"] = "feature"

    def __post_init__(self) -> None:
        if self.axis not in ("all", "feature"):
            raise ModelError(f"Standardize takes axis='all' or axis='feature', got {self.axis!r}.")

    @property
    def needs_fit(self) -> bool:
        return True

    @property
    def accepts_uint8(self) -> bool:
        return True

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        shape = () if self.axis == "all" else input_shape
        return {"mean": filled(0.0, shape), "deviation": filled(1.0, shape)}

    def fit(self, params: Params, blocks: Iterable[Array]) -> Params:
        mean = self._mean(blocks)
        variance = self._mean(blocks, mean)
        xp = namespace(mean)
        deviation = xp.sqrt(variance)
        constant = deviation <= 1e-12 * xp.abs(mean)  # a constant column with rounding errors
        return {"mean": mean, "deviation": xp.where(constant, xp.ones_like(mean), deviation)}

    def _mean(self, blocks: Iterable[Array], center: Array | None = None) -> Array:
        """The mean of the rows in float64, or of their squared deviations from a center."""
        total: Any = 0.0
        count = 0
        for block in blocks:
            xp = namespace(block)
            values = cast(block, xp.float64)
            values = values if center is None else (values - center) * (values - center)
            total = total + xp.sum(values, axis=0 if self.axis == "feature" else None)
            count += block.shape[0] if self.axis == "feature" else math.prod(block.shape)
        mean: Array = total / count
        return mean

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        return (cast(x, params["mean"].dtype) - params["mean"]) / params["deviation"], None

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        return (dy / params["deviation"] if need_dx else None), {}

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls("all"), (3, 2)), (cls("feature"), (3, 2))]
