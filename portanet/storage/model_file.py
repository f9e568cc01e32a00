"""A model as a file: its layers as plain data, its arrays, and how it was trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np
import numpy.typing as npt

from portanet import nn
from portanet._settings import from_dict, to_dict
from portanet._tree import tree_items, tree_set
from portanet._typing import Params, Shape
from portanet.errors import CheckpointError, ConfigError
from portanet.nn.layer import Layer
from portanet.storage import atomic
from portanet.storage.safetensors_file import HostArrays, decoded, encoded, explained

_ROW_LIMIT = 2**25  # the values of a row that any file may declare; more only where it holds as many


def save_model(path: Path, model: Layer, arrays: Mapping[tuple[str, ...], Any], facts: Mapping[str, Any]) -> Path:
    """Writes the model; equal models give equal bytes.

    Raises DataError where the file cannot be written, ConfigError where a setting of a layer is no plain data.
    """
    named = {".".join(path): np.asarray(array, order="C") for path, array in arrays.items()}
    return atomic.write(path, encoded({"model": to_dict(model), **facts}, named))


def load_model(path: Path, layers: Sequence[type[Layer]] = ()) -> tuple[Layer, Params, dict[str, Any]]:
    """The model, its arrays on the host, and the facts that were saved with it.

    Layer classes of your own are named by `layers`. Raises CheckpointError for a file that is damaged, is no
    portanet model, or names a layer that is not known, ConfigError for `layers` that are none. A small file never
    takes much memory or time.
    """
    for own in layers:
        if not (isinstance(own, type) and issubclass(own, Layer)):
            raise ConfigError(f"layers takes classes of layers, as in layers=[MyLayer]; got {brief(own)}.")
    header, named = decoded(path, "model file", "portanet train writes model.safetensors in its run folder")
    if "tree" in header:
        raise CheckpointError(f"{path} holds a training to resume, not a model; load model.safetensors.")
    with explained(f"{path}: its layers cannot be made"):
        model = from_dict(header.pop("model"), nn.LAYERS | {layer.__name__: layer for layer in layers})
        if not isinstance(model, Layer):
            raise ConfigError(f"{brief(model)} is no layer.")
    _check_facts(path, header)
    params: Params = {}
    with explained(f"{path}: its layers cannot be made"):
        unfrozen = model.unfrozen()  # has the same arrays, and shows the layers inside
        limit = sum(array.size for array in named.values())
        for key, shape in _arrays(unfrozen, tuple(header["input_shape"]), limit):
            tree_set(params, key, _taken(path, named, ".".join(key), shape, header["dtype"]))
        outputs = model.output_shape(tuple(header["input_shape"]))[:1]
    if named:
        raise CheckpointError(f"{path}: array {brief(min(named))[1:-1]} belongs to no layer.")
    if (classes := header.get("classes")) and len(classes) < sum(outputs):
        raise CheckpointError(f"{path} names {len(classes)} classes, its layers give {sum(outputs)} outputs.")
    return model, params, header


def _arrays(layer: Layer, input_shape: Shape, limit: int) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Each array that a model needs, with its shape, in order, so that the first missing one ends the search.

    Nothing is drawn, and nothing larger than the `limit` of the numbers in the file.
    """
    without: dict[str, Layer] = {}
    for name, child, shape in layer.children_with_shapes(input_shape):
        yield from (((name, *key), needed) for key, needed in _arrays(child, shape, limit))
        without[name] = _WithoutArrays(child.output_shape(shape))
    if type(layer).init is not Layer.init:
        if math.prod(input_shape) > max(limit, _ROW_LIMIT):
            raise ConfigError(f"rows of the shape {brief(input_shape)} are larger than the file.")
        own: Layer = layer.with_children(without) if without else layer
        yield from ((key, array.shape) for key, array in tree_items(own.init(_Undrawn(limit), input_shape)))  # type: ignore[arg-type]


class _WithoutArrays(Layer):
    """Stands for a child of a container where only the container's own arrays are wanted."""

    def __init__(self, output_shape: Shape) -> None:
        self._output_shape = output_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        return self._output_shape


class _Undrawn:
    """Stands for a random generator where only the shapes of its draws are wanted, each of `limit` numbers at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None) -> npt.NDArray[Any]:
        return self.standard_normal(size)

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None) -> npt.NDArray[Any]:
        return self.standard_normal(size)

    def standard_normal(self, size: Any = None) -> npt.NDArray[Any]:
        shape = (size,) if isinstance(size, int) else tuple(size or ())
        if math.prod(shape) > self._limit:
            raise ConfigError(f"an array of the shape {brief(shape)} is larger than the file.")
        return np.zeros(shape)

    def __getattr__(self, name: str) -> Any:
        return getattr(np.random.default_rng(0), name)


def _taken(path: Path, named: HostArrays, name: str, shape: Shape, dtype: str) -> npt.NDArray[Any]:
    """The array out of `named`, if it is what its layer needs."""
    found = named.pop(name, None)
    if found is None or found.shape != shape or found.dtype.name != dtype:
        raise CheckpointError(f"{path}: array {name} is missing, or not {brief(shape)} as its layer needs.")
    if not np.isfinite(found).all():
        raise CheckpointError(f"{path}: array {name} holds NaN or infinity.")
    return found


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and len(value) < 9 and all(type(size) is int and 0 < size < 2**31 for size in value)


def _is_names(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(name, str) for name in value))


def _is_source(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("samples"), int)


_FACTS: dict[str, Callable[[Any], bool]] = {
    "input_shape": _is_shape,
    "dtype": lambda value: value in ("float32", "float64"),
    "classes": _is_names,
    "columns": _is_names,
    "label": lambda value: value is None or isinstance(value, str),
    "data": _is_source,
}


def _check_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Refuses facts that others rely on and that cannot be."""
    for name in ("input_shape", "dtype", *facts):
        if name in _FACTS and not _FACTS[name](facts.get(name)):
            raise CheckpointError(f"{path}: its {name} cannot be {brief(facts.get(name))}.")
