"""The container that most models are: one layer after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from portanet._typing import Array, Cache, Params, Shape
from portanet.errors import ModelError
from portanet.nn.frozen import Frozen
from portanet.nn.layer import Layer
from portanet.rows import Rows

if TYPE_CHECKING:
    from portanet.rng import Generator


@dataclass(frozen=True, init=False, repr=False)
class Sequential(Layer):
    """Each layer's output is the next one's input; the children are named "0", "1", ... in order.

        y = layer_k(... layer_1(layer_0(x)))

    Raises ModelError where a layer cannot take the shape that the one before it gives.
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        for layer in layers:
            if not isinstance(layer, Layer):
                raise ModelError(f"{type(self).__name__} takes layers, got {layer!r}; write Dense(10), not Dense.")
        object.__setattr__(self, "layers", layers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"

    @property
    def children(self) -> Mapping[str, Layer]:
        return self._children

    @cached_property
    def _children(self) -> dict[str, Layer]:
        return {str(i): layer for i, layer in enumerate(self.layers)}

    @property
    def rowwise(self) -> bool:
        return all(layer.rowwise for layer in self.layers)

    @property
    def needs_fit(self) -> bool:
        return any(layer.needs_fit for layer in self.layers)

    @property
    def is_trainable(self) -> bool:
        return any(layer.is_trainable for layer in self.layers)

    def freeze(self, *names: str) -> Self:
        """The same container with these children frozen: `model.freeze("0", "1")`; their arrays keep their names.

        Raises ModelError for a name that no child has.
        """
        if unknown := [name for name in names if name not in self.children]:
            there = ", ".join(map(repr, self.children)) or "none"
            raise ModelError(f"{type(self).__name__} has no child {unknown[0]!r} to freeze; there is {there}.")
        return type(self)(*(_frozen(child) if name in names else child for name, child in self.children.items()))

    def unfrozen(self) -> Self:
        """The same container with every frozen layer able to learn again, those of containers inside too."""
        return type(self)(*map(_unfrozen, self.layers))

    @cached_property
    def _first_learning(self) -> int:
        """The place of the first child with trained arrays: nobody reads a gradient for its input."""
        return next((i for i, layer in enumerate(self.layers) if layer.is_trainable), len(self.layers))

    def init(self, rng: Generator, input_shape: Shape) -> Params:
        arrays = {name: layer.init(rng, shape) for name, layer, shape, _ in self.walk(input_shape)}
        return {name: own for name, own in arrays.items() if own}

    def fit(self, params: Params, x: Array) -> Params:
        fitted, to_fit = dict(params), sum(layer.needs_fit for layer in self.layers)
        for name, layer in self.children.items():
            if to_fit == 0:
                break
            if layer.needs_fit:
                fitted[name] = layer.fit(params[name], x)
                to_fit -= 1
            if to_fit:
                x = _through(layer, fitted.get(name, {}), x)
        return fitted

    def walk(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape, Shape]]:
        """Each child with its name, the shape it is given and the shape it gives."""
        for name, layer in self.children.items():
            try:
                output_shape = layer.output_shape(input_shape)
            except ModelError as error:
                raise ModelError(f"layer {name}: {error}") from error
            yield name, layer, input_shape, output_shape
            input_shape = output_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        shape = input_shape
        for *_, given in self.walk(input_shape):
            shape = given
        return shape

    def macs(self, input_shape: Shape) -> int:
        return sum(layer.macs(shape) for _, layer, shape, _ in self.walk(input_shape))

    def forward(self, params: Params, x: Array, *, train: bool = False, key: Any = None) -> tuple[Array, Cache]:
        caches = []
        for index, (name, layer) in enumerate(self.children.items()):
            own_key = None if key is None else key.child(index)
            x, cache = layer.forward(params.get(name, {}), x, train=train, key=own_key)
            caches.append(cache)
        return x, caches

    def backward(self, params: Params, cache: Cache, dy: Array, *, need_dx: bool = True) -> tuple[Array | None, Params]:
        grads: Params = {}
        dx: Array | None = dy
        for i in reversed(range(0 if need_dx else self._first_learning, len(self.layers))):
            name, layer = str(i), self.layers[i]
            wanted = need_dx or i > self._first_learning
            dx, own = layer.backward(params.get(name, {}), cache[i], dy, need_dx=wanted)
            if own:
                grads[name] = own
            if dx is not None:
                dy = dx
        return (dx if need_dx else None), grads

    def next_buffers(self, params: Params, cache: Cache) -> Params:
        buffers = {
            name: layer.next_buffers(params.get(name, {}), cache[index]) for index, name, layer in self._with_buffers
        }
        return {name: own for name, own in buffers.items() if own}

    @cached_property
    def _with_buffers(self) -> list[tuple[int, str, Layer]]:
        """The children that may have buffers to return, with their places."""
        return [
            (index, name, layer)
            for index, (name, layer) in enumerate(self.children.items())
            if type(layer).next_buffers is not Layer.next_buffers
        ]


def _frozen(layer: Layer) -> Layer:
    return layer if isinstance(layer, Frozen) else Frozen(layer)


def _unfrozen(layer: Layer) -> Layer:
    if isinstance(layer, Frozen):
        return _unfrozen(layer.layer)
    return layer.unfrozen() if isinstance(layer, Sequential) else layer


def _through(layer: Layer, params: Params, x: Any) -> Any:
    """What a layer makes of x; for rows that are not in memory, when they are read."""
    return (
        x.through(lambda rows: layer.forward(params, rows)[0]) if isinstance(x, Rows) else layer.forward(params, x)[0]
    )
