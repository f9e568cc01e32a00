"""The container of most models: layers in sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from reprlib import repr as brief
from typing import Any, Self

from portanet._calls import prepares
from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.layer import Layer


@dataclass(frozen=True, init=False, repr=False)
class Sequential(Layer):
    """Each layer's output is the next one's input; the children are named "0", "1", ... in order.

        y = layer_k(... layer_1(layer_0(x)))

    layers  in order, one argument each; a single list of layers works too

    Raises ModelError for an argument that is not a layer, if a layer cannot take the output shape of the one before it,
    and if a layer changes ids before an `Embedding` reads them.
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        if len(layers) == 1 and isinstance(layers[0], (list, tuple)):
            layers = tuple(layers[0])
        for layer in layers:
            if not isinstance(layer, Layer):
                raise ModelError(
                    f"{type(self).__name__} takes layers, got {brief(layer)}; write Dense(10), not Dense or 'dense'."
                )
        object.__setattr__(self, "layers", layers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"

    @property
    def children(self) -> Mapping[str, Layer]:
        return self._children

    @cached_property
    def _children(self) -> dict[str, Layer]:
        return {str(i): layer for i, layer in enumerate(self.layers)}

    def with_children(self, children: Mapping[str, Layer]) -> Self:
        return type(self)(*(children.get(name, child) for name, child in self._children.items()))

    @property
    def is_chain(self) -> bool:
        return type(self) is Sequential  # a subclass may compute more than its children

    @property
    def accepts_uint8(self) -> bool | None:
        answers = (layer.accepts_uint8 for layer in self.layers)
        return next((answer for answer in answers if answer is not None), None)

    @property
    def accepts_missing(self) -> bool | None:
        answers = (layer.accepts_missing for layer in self.layers)
        return next((answer for answer in answers if answer is not None), None)

    def check(self, x: Array) -> None:
        for name, layer in self.children.items():
            layer.check(x)
            if layer.is_random or not layer.keeps_values:
                self._require_no_ids(name, layer)
            if not layer.keeps_values:
                break

    def _require_no_ids(self, name: str, changing: Layer) -> None:
        for other in self.layers[int(name) + 1 :]:
            if other.reads_ids:
                raise ModelError(
                    f"{other!r} reads the integers of the rows, and layer {name}, {changing!r}, changes them; put "
                    "it before that layer."
                )

    @property
    def keeps_values(self) -> bool:
        return self.is_chain and all(layer.keeps_values for layer in self.layers)

    @property
    def learns_unit(self) -> bool:
        last = next((layer for layer in reversed(self.layers) if not layer.keeps_values), self)
        return last.learns_unit if self.is_chain and last is not self else super().learns_unit

    @property
    def output_range(self) -> tuple[float, float]:
        last = [layer for layer in self.layers if not layer.keeps_values][-1:]
        return last[0].output_range if last and self.is_chain else super().output_range

    @prepares
    def fit(self, params: Params, blocks: Iterable[Array]) -> Params:
        fitted, to_fit = dict(params), sum(layer.needs_fit for layer in self.layers)
        for name, layer in self.children.items():
            if to_fit == 0:
                break
            if layer.needs_fit:
                fitted[name] = layer.fit(params[name], blocks)
                to_fit -= 1
            if to_fit:
                blocks = _Outputs(layer, fitted.get(name, {}), blocks)
        return fitted

    def children_with_shapes(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        for name, layer, shape, _ in self._shapes(input_shape):
            yield name, layer, shape

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = input_shape
        for *_, output_shape in self._shapes(input_shape):
            shape = output_shape
        return shape

    def _shapes(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape, Shape]]:
        """The children with their names, and the shapes of their inputs and outputs."""
        for name, layer in self.children.items():
            try:
                output_shape = layer.output_shape(input_shape)
            except ModelError as error:
                raise ModelError(f"layer {name}: {error}") from error
            yield name, layer, input_shape, output_shape
            input_shape = output_shape

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        caches = []
        for index, (name, layer) in enumerate(self._children.items()):
            child_key = None if key is None else key.child(index)
            x, cache = layer.forward(params.get(name, {}), x, train=train, key=child_key)
            caches.append(cache)
        return x, caches

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        grads: Params = {}
        dx: Array | None = dy
        for i in reversed(range(0 if need_dx else self._first_trainable, len(self.layers))):
            name, layer = str(i), self.layers[i]
            child_needs_dx = need_dx or i > self._first_trainable
            dx, child_grads = layer.backward(params.get(name, {}), cache[i], dy, need_dx=child_needs_dx)
            if child_grads:
                grads[name] = child_grads
            if dx is not None:
                dy = dx
        return (dx if need_dx else None), grads

    @cached_property
    def _first_trainable(self) -> int:
        """The index of the first trainable child, whose input needs no gradient."""
        return next((i for i, layer in enumerate(self.layers) if layer.is_trainable), len(self.layers))

    @property
    def _keeps_buffers(self) -> bool:
        return type(self).next_buffers is not Sequential.next_buffers

    def next_buffers(self, params: Params, cache: Cache) -> Params:
        buffers = {
            name: layer.next_buffers(params.get(name, {}), cache[index]) for index, name, layer in self._with_buffers
        }
        return {name: arrays for name, arrays in buffers.items() if arrays}

    @cached_property
    def _with_buffers(self) -> list[tuple[int, str, Layer]]:
        """The children that may have new buffers, with their indices."""
        return [
            (index, name, layer)
            for index, (name, layer) in enumerate(self._children.items())
            if type(layer).next_buffers is not Layer.next_buffers or layer.children
        ]

    @classmethod
    def examples(cls) -> Sequence[tuple[Layer, Shape]]:
        from portanet.nn import Dense, Flatten, ReLU

        return [(cls(Flatten(), Dense(5), ReLU(), Dense(3)), (2, 3))]


@dataclass(frozen=True)
class _Outputs(Iterable[Array]):
    """A layer's outputs for blocks of rows, recomputed in each iteration."""

    layer: Layer
    params: Params
    blocks: Iterable[Array]

    def __iter__(self) -> Iterator[Array]:
        for block in self.blocks:
            yield self.layer.forward(self.params, block)[0]
