"""A learned factor for each feature, which weighs the inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.initializers import filled
from portanet.nn.layer import Layer
from portanet.xp import cast, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Scale(Layer):
    """Multiplies every feature by a learned factor.

        y = x * (rate * scale)        x, y (N, ...)   scale of a row's shape, which starts at 1 / rate

    rate  the speed at which the factor rate * scale changes relative to other weights, with an optimizer whose steps do
          not depend on the scale of gradients, such as Adam; with SGD rate^2 times as fast

    The factor starts at 1. Weight decay does not apply to it. The scaling layer of RealMLP, whose rate this is:
    Holzmueller et al. 2024, arXiv:2407.04491. Raises ModelError unless rate is finite and above 0.
    """

    rate: float = 6.0

    trainable_names: ClassVar[tuple[str, ...]] = ("scale",)

    def __post_init__(self) -> None:
        if not 0 < self.rate < math.inf:
            raise ModelError(f"Scale needs a finite rate above 0, got {self.rate!r}.")

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        return {"scale": filled(1 / self.rate, input_shape)}

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x = cast(x, params["scale"].dtype)
        return x * (params["scale"] * float(self.rate)), x

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        x, rate = cache, float(self.rate)
        grads = {"scale": namespace(dy).sum(dy * x, axis=0) * rate}
        return (dy * (params["scale"] * rate) if need_dx else None), grads

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(), (4,))]
