"""Folding: a scale of the inputs is multiplied into the first weights, which are fewer numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params
from portanet.nn.layer import Layer


def fold_input_scale(model: Layer, rows: int) -> Layer:
    """A model without the input scale, with the same arrays, outputs and gradients up to rounding.

        (x factor) W = x (factor W)        for a chain that begins with Rescale(factor), then Dense or Conv2D

    Any other model is returned unchanged, as is one for which folding is not faster with `rows` rows.
    """
    factor, folded = 1.0, dict[str, Layer]()
    for name, layer in model.children.items() if model.is_chain else ():
        scaled = layer.scaled(factor, rows)
        if scaled is None:
            return model
        folded[name], factor = scaled
        if factor == 1.0:  # it is all in the weights now, or there was none
            return model.with_children(folded) if len(folded) > 1 else model
    return model


@dataclass(frozen=True, repr=False)
class ScaledWeight(Layer):
    """A layer whose weight is multiplied by a factor, instead of its input.

    y = layer(x * factor)        for a layer that is linear in x, except for its bias
    """

    layer: Layer
    factor: float

    @property
    def children(self) -> dict[str, Layer]:
        return {}  # its arrays are those of the layer

    @property
    def is_trainable(self) -> bool:
        return self.layer.is_trainable

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        return self.layer.forward(self._scale(params), x, train=train, key=key)

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        dx, grads = self.layer.backward(self._scale(params) if need_dx else params, cache, dy, need_dx=need_dx)
        grads["weight"] *= self.factor
        return dx, grads

    def _scale(self, params: Params) -> Params:
        return params | {"weight": params["weight"] * self.factor}
