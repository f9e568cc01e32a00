"""A fully connected layer whose weights have the same scale for any number of inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.dense import Dense
from portanet.nn.initializers import Initializer, lecun_normal
from portanet.nn.layer import Layer
from portanet.xp import cast, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class NTKDense(Dense):
    """Every output is a weighted sum of all inputs, plus a bias, in the parametrisation of the neural tangent kernel.

        y = x W / sqrt(inputs) + bias_rate * b        x (N, inputs)   W (inputs, units)   b (units,)   y (N, units)

    units        the number of outputs; None as in `Dense`
    initializer  draws W and bias_rate * b, for fan_in 1: lecun_normal, the default, gives standard normal values,
                 `zeros` a last layer that begins with the same output for every row
    bias_rate    the speed at which biases change relative to weights, with an optimizer whose steps do not depend on
                 the scale of gradients, such as Adam

    Because the layer divides by sqrt(inputs), and not its initial weights, one learning rate suits layers of any width;
    it is larger than for Dense, such as Adam(0.04).

    Jacot et al. 2018, arXiv:1806.07572; as in RealMLP, whose bias_rate this is: Holzmueller et al. 2024,
    arXiv:2407.04491. Raises ModelError unless units >= 1, for inputs that are not flat, and unless bias_rate is finite
    and above 0.
    """

    initializer: Initializer = lecun_normal
    bias_rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.bias_rate < math.inf:
            raise ModelError(f"NTKDense needs a finite bias_rate above 0, got {self.bias_rate!r}.")

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        (units,), (inputs,) = self.output_shape(input_shape), input_shape
        return {
            "weight": self.initializer(rng, (inputs, units), 1, units),
            "bias": self.initializer(rng, (units,), 1, units) / float(self.bias_rate),
        }

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x = cast(x, params["weight"].dtype)
        y = namespace(x).matmul(x, params["weight"])
        y *= x.shape[1] ** -0.5
        y += params["bias"] * float(self.bias_rate)
        return y, x

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        x, xp = cache, namespace(dy)
        dsum = dy * x.shape[1] ** -0.5
        grads = {"weight": xp.matmul(x.T, dsum), "bias": xp.sum(dy, axis=0) * float(self.bias_rate)}
        return (xp.matmul(dsum, params["weight"].T) if need_dx else None), grads

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(4), (3,))]
