"""Model files: the layers as plain data, the arrays, the history and the metadata."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as brief
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from portanet import nn
from portanet._settings import from_dict, to_dict
from portanet._tree import tree_items, tree_set
from portanet._typing import Params, Shape
from portanet.errors import CheckpointError, ConfigError, ModelError
from portanet.nn.layer import Layer
from portanet.storage import atomic
from portanet.storage.model_card import ModelCard
from portanet.storage.safetensors_file import HostArrays, decoded, encoded, explained

_ROW_LIMIT = 2**25  # values per row that any file may declare; more only if its arrays hold as many


@dataclass(frozen=True)
class ModelFile:
    """The content of a model file.

    params  the arrays, on the host
    spec    the settings of the run without the layers, as plain data
    about   the model's history and metadata, as plain data
    """

    model: Layer
    params: Params
    card: ModelCard
    spec: dict[str, Any]
    about: dict[str, Any]


def save_model(
    path: Path,
    model: Layer,
    arrays: Mapping[tuple[str, ...], Any],
    card: ModelCard,
    spec: Mapping[str, Any],
    about: Mapping[str, Any],
) -> Path:
    """Write the model; equal models give equal bytes.

    Raises DataError if the file cannot be written, ConfigError if a setting of a layer is not plain data.
    """
    named = {".".join(path): np.asarray(array, order="C") for path, array in arrays.items()}
    settings = {name: value for name, value in spec.items() if name != "layers"}
    header = {"model": to_dict(model), "card": card.to_dict(), "spec": settings, "about": dict(about)}
    return atomic.write(path, encoded(header, named))


def load_model(path: Path, custom: Mapping[str, Any] = MappingProxyType({})) -> ModelFile:
    """Return the content of the file.

    `custom` maps names to your own layers and initializers. Raises CheckpointError for a file that is damaged, not a
    portanet model, or names an unknown layer. A small file never takes much memory or time.
    """
    header, named = decoded(path, "model file", "portanet train writes model.safetensors in its run folder")
    if "tree" in header:
        raise CheckpointError(f"{path} holds a run to resume, not a model; load model.safetensors.")
    with explained(f"{path}: its layers cannot be made"):
        model = from_dict(header["model"], {**nn.LAYERS, **custom})
        if not isinstance(model, Layer):
            raise ConfigError(f"{brief(model)} is not a layer.")
    with explained(f"{path}: its header cannot be used"):
        card = ModelCard.from_dict(header["card"])
        spec, about = _object(header, "spec"), _object(header, "about")
        if not _is_source(about.get("data", {"name": "", "samples": 0})):
            raise ConfigError(f"its data cannot be {brief(about['data'])}.")
        _object({"scores": {}} | about, "scores")
    params: Params = {}
    with explained(f"{path}: its layers cannot be made"):
        unfrozen = model.unfrozen()  # has the same arrays, and gives access to inner layers
        limit = sum(array.size for array in named.values())
        for key, shape in _arrays(unfrozen, card.input_shape, limit):
            tree_set(params, key, _taken(path, named, ".".join(key), shape, card.dtype))
        outputs = model.output_shape(card.input_shape)[:1]
    if named:
        raise CheckpointError(f"{path}: array {brief(min(named))[1:-1]} belongs to no layer.")
    if card.classes and len(card.classes) != sum(outputs):
        raise CheckpointError(f"{path} names {len(card.classes)} classes, its layers give {sum(outputs)} outputs.")
    per_target = len(card.levels) or 1
    if isinstance(card.label, tuple) and len(card.label) * per_target != sum(outputs):
        raise CheckpointError(f"{path} names {len(card.label)} labels, its layers give {sum(outputs)} outputs.")
    if card.target_scale and len(card.target_scale) * per_target != sum(outputs):
        raise CheckpointError(f"{path} has {len(card.target_scale)} scales, its layers give {sum(outputs)} outputs.")
    if sum(outputs) % per_target or len(card.margins) not in (0, sum(outputs) // per_target):
        raise CheckpointError(f"{path} has {len(card.margins)} margins, its layers give {sum(outputs)} outputs.")
    return ModelFile(model, params, card, spec, about)


def require_arrays(model: Layer, arrays: Mapping[tuple[str, ...], Any], card: ModelCard) -> None:
    """Raise ModelError unless these are the arrays of a model for rows of the card's shape, all finite.

    A file with other arrays, or with an inconsistent card, could not be loaded.
    """
    try:
        ModelCard.from_dict(card.to_dict())
    except ConfigError as error:
        raise ModelError(f"the model's card contradicts itself: {error}") from error
    needed = dict(_arrays(model.unfrozen(), card.input_shape, 2**63))
    for path in (*needed, *arrays):
        shape, array = needed.get(path), arrays.get(path)
        name = ".".join(path)
        if shape is None or array is None:
            fault = f"lack {name} of shape {shape}" if array is None else f"hold {name}, which belongs to no layer"
            raise ModelError(f"params {fault}, for rows of shape {card.input_shape}.")
        if tuple(array.shape) != shape or array.dtype.name != card.dtype:
            got = f"{tuple(array.shape)} in {array.dtype.name}"
            raise ModelError(f"params must hold {name} of shape {shape} in {card.dtype}, got {got}.")
        if not np.isfinite(array).all():
            raise ModelError(f"params hold NaN or infinity in {name}.")
    outputs = sum(model.output_shape(card.input_shape)[:1])
    if card.classes and len(card.classes) != outputs:
        raise ModelError(f"the card names {len(card.classes)} classes, the layers give {outputs} outputs.")
    if isinstance(card.label, tuple) and len(card.label) * (len(card.levels) or 1) != outputs:
        raise ModelError(f"the card names {len(card.label)} labels, the layers give {outputs} outputs.")


def _arrays(layer: Layer, input_shape: Shape, limit: int) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Yield the path and shape of each array of a model, lazily, so that the first missing one ends the search.

    No random numbers are drawn, and no array may be larger than `limit`, the count of numbers in the file.
    """
    without: dict[str, Layer] = {}
    for name, child, shape in layer.children_with_shapes(input_shape):
        yield from (((name, *key), needed) for key, needed in _arrays(child, shape, limit))
        without[name] = _WithoutArrays(child.output_shape(shape))
    if type(layer).init is not Layer.init:
        if math.prod(input_shape) > max(limit, _ROW_LIMIT):
            raise ConfigError(f"rows of the shape {brief(input_shape)} are larger than the file.")
        bare: Layer = layer.with_children(without) if without else layer
        yield from ((key, array.shape) for key, array in tree_items(bare.init(_Undrawn(limit), input_shape)))  # type: ignore[arg-type]


class _WithoutArrays(Layer):
    """Replaces a child layer, to get only the container's own arrays."""

    def __init__(self, output_shape: Shape) -> None:
        self._output_shape = output_shape

    def output_shape(self, input_shape: Shape) -> Shape:
        return self._output_shape


class _Undrawn:
    """Replaces a random generator, to get only the shapes of its draws, of at most `limit` numbers each."""

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
    """Remove an array from `named` and return it, after checking its shape and dtype."""
    array = named.pop(name, None)
    if array is None or array.shape != shape or array.dtype.name != dtype:
        raise CheckpointError(f"{path}: array {name} is missing, or not {brief(shape)} as its layer needs.")
    if not np.isfinite(array).all():
        raise CheckpointError(f"{path}: array {name} holds NaN or infinity.")
    return array


def _object(header: Mapping[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(value := header[name], dict):
        raise ConfigError(f"its {name} must be a JSON object, got {brief(value)}.")
    return value


def _is_source(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("samples"), int)
