"""The layout of all trained arrays in one flat vector, as optimizers take it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from portanet._tree import Path, copy_dicts, tree_get, tree_items, tree_set
from portanet._typing import Array, Params, Shape
from portanet.errors import ModelError
from portanet.nn.layer import Layer
from portanet.xp import namespace


@dataclass(frozen=True)
class Layout:
    """The position of each trained array in the flat vector; those that weight decay applies to come first.

    places   (path, shape, start) of each array, in the vector's order
    size     the length of the vector
    decayed  the number of entries, from the front, that weight decay applies to

    Raises ModelError if arrays are missing or have wrong shapes.
    """

    places: tuple[tuple[Path, Shape, int], ...]
    size: int
    decayed: int

    @classmethod
    def of(cls, model: Layer, params: Params) -> Layout:
        """The layout of a model's arrays."""
        arrays = sorted(_trained(model, params, ()), key=lambda item: not item[2])  # stable: decayed first
        places, start, decayed = [], 0, 0
        for path, shape, decays in arrays:
            places.append((path, shape, start))
            start += math.prod(shape)
            decayed = start if decays else decayed
        return cls(tuple(places), start, decayed)

    def pack(self, params: Params) -> Array:
        """The trained arrays of `params`, or their gradients, as one vector."""
        pieces = self.per_array(params)
        return namespace(pieces[0]).concat(pieces)

    def per_array(self, params: Params) -> tuple[Array, ...]:
        """The same arrays, each flattened, but not concatenated."""
        arrays = [_array(params, path, shape) for path, shape, _ in self.places]
        reshape = namespace(arrays[0]).reshape
        return tuple([reshape(array, (-1,)) for array in arrays])

    def split(self, flat: Array) -> tuple[Array, ...]:
        """The part of a vector for each array, as a view if the library has views."""
        return tuple([flat[part] for part in self._parts])

    def unpack(self, flat: Array | tuple[Array, ...], buffers: Params) -> Params:
        """The arrays by name, from a vector or its parts, together with the buffers."""
        pieces = flat if isinstance(flat, tuple) else self.split(flat)
        reshape, params = namespace(pieces[0]).reshape, copy_dicts(buffers)
        for (path, shape, _), piece in zip(self.places, pieces, strict=True):
            tree_set(params, path, reshape(piece, shape))
        return params

    @cached_property
    def _parts(self) -> list[slice]:
        return [slice(start, start + math.prod(shape)) for _, shape, start in self.places]

    def buffers(self, params: Params) -> Params:
        """The arrays of `params` that are not trained."""
        trained = {path for path, _, _ in self.places}
        buffers: Params = {}
        for path, array in tree_items(params):
            if path not in trained:
                tree_set(buffers, path, array)
        return buffers


def _array(params: Params, path: Path, shape: Shape) -> Array:
    """One trained array, or its gradient; raises ModelError if it is missing or has a wrong shape."""
    try:
        array: Array = tree_get(params, path)
    except (KeyError, TypeError, IndexError):
        array = None  # type: ignore[assignment]
    if array is None or tuple(array.shape) != shape:
        got = "none" if array is None else f"one of shape {tuple(array.shape)}"
        raise ModelError(f"{'.'.join(path)}: backward must return a gradient of shape {shape} for it, got {got}.")
    return array


def _trained(layer: Layer, params: Params, above: Path) -> Iterator[tuple[Path, Shape, bool]]:
    for name in layer.trainable_names:
        if not isinstance(params, dict) or name not in params:
            there = ", ".join(map(repr, params)) or "none"
            claim = f"{type(layer).__name__} names {name!r} among its trainable_names"
            raise ModelError(f"{claim}, but init returns no such array; there is {there}.")
        yield (*above, name), tuple(params[name].shape), name in layer.decayed
    for name, child in layer.children.items():
        yield from _trained(child, params.get(name, {}), (*above, name))
