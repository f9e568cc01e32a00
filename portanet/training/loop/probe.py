"""Probes: a copy of a model whose layers report their outputs and gradients, to inspect one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portanet._typing import Array, Cache, Params, Shape
from portanet.nn.layer import Layer

Report = Callable[[str, Layer, str, Any], None]
"""Called with a layer's name, the layer, "output" or "gradient", and its arrays."""


def probed(layer: Layer, report: Report, name: str = "") -> Layer:
    """A copy of the layer that reports its output and gradients, after those of the layers inside it."""
    children = {
        child_name: probed(child, report, f"{name}.{child_name}" if name else child_name)
        for child_name, child in layer.children.items()
    }
    try:
        inside = layer.with_children(children) if children else layer
    except NotImplementedError:  # the container then counts as a single layer
        inside = layer
    return _Probe(name or "0", layer, inside, report)


@dataclass(frozen=True, eq=False, repr=False)
class _Probe(Layer):
    """A stand-in for a layer; it computes with `inside`, the same layer with probes as children."""

    name: str
    layer: Layer
    inside: Layer
    report: Report

    @property
    def is_trainable(self) -> bool:
        return self.layer.is_trainable

    def output_shape(self, input_shape: Shape) -> Shape:
        return self.layer.output_shape(input_shape)

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        y, cache = self.inside.forward(params, x, train=train, key=key)
        self.report(self.name, self.layer, "output", y)
        return y, cache

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        dx, grads = self.inside.backward(params, cache, dy, need_dx=need_dx)
        self.report(self.name, self.layer, "gradient", grads if dx is None else {"": dx, **grads})
        return dx, grads
