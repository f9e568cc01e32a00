"""The same model with less work: a factor on every input goes into the first weights, which are fewer numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params
from portanet.nn.activations import Identity
from portanet.nn.conv2d import Conv2D
from portanet.nn.dense import Dense
from portanet.nn.flatten import Flatten
from portanet.nn.layer import Layer
from portanet.nn.preprocessing import Rescale
from portanet.nn.reshape import Reshape
from portanet.nn.sequential import Sequential


def folded(model: Layer, rows: int) -> Layer:
    """A model with the same arrays, outputs and gradients, but for rounding.

        (x factor) W = x (factor W)        for a Sequential that begins with Rescale(factor), then Dense or Conv2D

    Any other model is returned as it is, and so is one whose Dense has no fewer weights than half of what `rows` rows
    have inputs: both the weights and their gradient are multiplied.
    """
    if type(model) is not Sequential or len(model.layers) < 2:
        return model
    first, *rest = model.layers
    place = next((i for i, layer in enumerate(rest) if not isinstance(layer, (Flatten, Reshape))), 0)
    if not isinstance(first, Rescale) or first.offset != 0 or type(rest[place]) not in (Dense, Conv2D):
        return model
    if isinstance(layer := rest[place], Dense) and 2 * layer.units > rows:
        return model
    rest[place] = _Scaled(rest[place], first.factor)
    return Sequential(Identity(), *rest)


@dataclass(frozen=True, repr=False)
class _Scaled(Layer):
    """A layer with a weight, of inputs that are all to be multiplied by a factor."""

    layer: Layer
    factor: float

    @property
    def is_trainable(self) -> bool:
        return self.layer.is_trainable

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        return self.layer.forward(self._scaled(params), x, train=train, key=key)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        dx, grads = self.layer.backward(self._scaled(params) if need_dx else params, cache, dy, need_dx=need_dx)
        grads["weight"] *= self.factor
        return dx, grads

    def _scaled(self, params: Params) -> Params:
        return params | {"weight": params["weight"] * self.factor}
