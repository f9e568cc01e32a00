"""The fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.folding import ScaledWeight
from portanet.nn.initializers import Initializer, he_uniform, zeros
from portanet.nn.layer import Layer
from portanet.xp import cast, namespace

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """Every output is a weighted sum of all inputs, plus a bias.

        y = x W + b        x (N, inputs)   W (inputs, units)   b (units,)   y (N, units)

    units        the number of outputs; None: set by the training spec to the number that the data need
                 (`TrainingSpec.for_data`)
    initializer  draws the first weights; he_uniform (He et al. 2015, arXiv:1502.01852) by default. Biases start at 0

    Raises ModelError unless units >= 1, and for inputs that are not flat. Rosenblatt 1958, Psychological Review 65.
    """

    units: int | None
    _: KW_ONLY
    initializer: Initializer = he_uniform

    trainable_names: ClassVar[tuple[str, ...]] = ("weight", "bias")
    decayed: ClassVar[tuple[str, ...]] = ("weight",)

    def __post_init__(self) -> None:
        if self.units is not None and (not isinstance(self.units, int) or self.units < 1):
            raise ModelError(f"{type(self).__name__} needs at least one unit, got units={self.units!r}.")

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        (units,), (inputs,) = self.output_shape(input_shape), input_shape
        return {
            "weight": self.initializer(rng, (inputs, units), inputs, units),
            "bias": zeros(rng, (units,), inputs, units),
        }

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ModelError(f"Dense needs flat inputs, got shape {input_shape}; put Flatten() before it.")
        if self.units is None:
            raise ModelError("Dense needs units, got None; give it one for each output, as in Dense(10).")
        return (self.units,)

    def macs(self, input_shape: Shape) -> int:
        return input_shape[0] * self.output_shape(input_shape)[0]

    def scaled(self, factor: float, rows: int) -> tuple[Layer, float] | None:
        pays = 2 * (self.units or 0) <= rows  # multiplying the weights and their gradient is cheaper than the inputs
        return (ScaledWeight(self, factor), 1.0) if type(self) is Dense and pays else None

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        x = cast(x, params["weight"].dtype)
        y = namespace(x).matmul(x, params["weight"])
        y += params["bias"]
        return y, x

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        x, xp = cache, namespace(dy)
        grads = {"weight": xp.matmul(x.T, dy), "bias": xp.sum(dy, axis=0)}
        return (xp.matmul(dy, params["weight"].T) if need_dx else None), grads

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        return [(cls(4), (3,))]
