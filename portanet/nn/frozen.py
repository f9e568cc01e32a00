"""Layers whose parameters are not updated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.layer import Layer

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, repr=False)
class Frozen(Layer):
    """A layer or container that runs in prediction mode and whose arrays never change, even in training.

        y = layer(x)        any shape that the layer takes

    layer  the layer or container to freeze

    Its arrays have the same names as without Frozen, all as buffers, so a model file fits both. As in prediction, a
    BatchNorm inside uses its running values and does not update them, Dropout drops nothing, and each row is computed
    independently. Preprocessing inside is not fitted: it keeps the arrays that were loaded, or those of `init`. Frozen
    layers below the lowest trainable layer need no backward pass.

    Raises ModelError for a value that is not a layer.
    """

    layer: Layer

    def __post_init__(self) -> None:
        if not isinstance(self.layer, Layer):
            raise ModelError(f"Frozen takes a layer, got {self.layer!r}; write Frozen(Dense(10)).")

    def __repr__(self) -> str:
        return f"Frozen({self.layer!r})"

    @property
    def children(self) -> Mapping[str, Layer]:
        return {}  # nothing inside is trained, fitted, or differentiated separately

    def unfrozen(self) -> Layer:
        return self.layer.unfrozen()

    @property
    def keeps_values(self) -> bool:
        return self.layer.keeps_values

    @property
    def reads_ids(self) -> bool:
        return self.layer.reads_ids

    @property
    def learns_unit(self) -> bool:
        return self.layer.learns_unit

    @property
    def output_range(self) -> tuple[float, float]:
        return self.layer.output_range

    @property
    def takes_images(self) -> bool | None:
        return self.layer.takes_images

    @property
    def accepts_uint8(self) -> bool | None:
        return self.layer.accepts_uint8

    @property
    def accepts_missing(self) -> bool | None:
        return self.layer.accepts_missing

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        return self.layer.init(rng, input_shape)

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.output_shape(input_shape)

    def check(self, x: Array) -> None:
        self.layer.check(x)

    def macs(self, input_shape: Shape) -> int:
        return self.layer.macs(input_shape)

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        return self.layer.forward(params, x)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        return (self.layer.backward(params, cache, dy)[0] if need_dx else None), {}

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        from portanet.nn import BatchNorm, Dense, Sequential

        return [(cls(Sequential(Dense(3), BatchNorm())), (4,))]
