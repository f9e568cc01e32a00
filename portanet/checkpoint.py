"""Models as files: one safetensors file with the arrays, and one JSON header that says what they are.

Any safetensors reader can read the arrays, under names like "2.weight"; the header, in the metadata entry
"portanet", holds the layers, the names of the classes and how the model was trained. Nothing in a file is
ever executed, and layers come from a fixed list of names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from portanet import files, nn
from portanet._typing import Params
from portanet.errors import CheckpointError, PortanetError
from portanet.nn.layer import Layer
from portanet.nn.layout import put, walk
from portanet.registry import construct, describe

HostArrays = dict[tuple[str, ...], npt.NDArray[Any]]

_FORMAT = 1
_KNOWN = {name: getattr(nn, name) for name in nn.__all__ if name not in ("Layer", "Layout", "cross_entropy", "softmax")}


def save_model(path: Path, model: Layer, arrays: Mapping[tuple[str, ...], Any], facts: Mapping[str, Any]) -> Path:
    """Writes the model; equal models give equal bytes. Raises DataError where the file cannot be written."""
    import safetensors.numpy

    # safetensors writes wrong values for arrays that are not contiguous (its issue 825).
    named = {".".join(path): np.asarray(array, order="C") for path, array in arrays.items()}
    header = {"format": _FORMAT, "model": describe(model), **facts}
    header["sha256"] = _digest(header, named)
    metadata = {"portanet": json.dumps(header, sort_keys=True)}
    return files.write(path, safetensors.numpy.save(named, metadata=metadata))


def load_model(path: Path, layers: Sequence[type[Layer]] = ()) -> tuple[Layer, Params, dict[str, Any]]:
    """The model, its arrays on the host, and the facts that were saved with it.

    Layer classes of your own are named by `layers`. Raises CheckpointError for a file that is damaged, is no
    portanet model, or names a layer that is not known.
    """
    named, metadata = _read(path)
    try:
        header = json.loads(metadata["portanet"])
        digest = header.pop("sha256")
        version = header["format"]
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is a safetensors file, but not a portanet model.") from error
    if version != _FORMAT:
        raise CheckpointError(f"{path} has model format {version!r}, this portanet reads {_FORMAT}; update portanet.")
    if digest != _digest(header, named):
        raise CheckpointError(f"{path} is damaged: its content does not match its SHA-256; take another copy.")
    del header["format"]
    try:
        model = construct(header.pop("model"), _KNOWN | {layer.__name__: layer for layer in layers})
        input_shape = tuple(header["input_shape"])
        expected = dict(walk(model.init(np.random.default_rng(0), input_shape)))
    except (PortanetError, KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
        raise CheckpointError(f"{path}: its layers cannot be made: {error}") from error
    params: Params = {}
    for key, array in expected.items():
        found = named.pop(".".join(key), None)
        if found is None or found.shape != array.shape or found.dtype.name != header.get("dtype"):
            raise CheckpointError(f"{path}: array {'.'.join(key)} is missing, or not {array.shape} as its layer needs.")
        if not np.isfinite(found).all():
            raise CheckpointError(f"{path}: array {'.'.join(key)} holds NaN or infinity.")
        put(params, key, found)
    if named:
        raise CheckpointError(f"{path}: array {min(named)} belongs to no layer.")
    return model, params, header


def _read(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    import safetensors

    if not path.is_file():
        raise CheckpointError(
            f"there is no model file {path}; portanet train writes model.safetensors in its run folder."
        )
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, KeyError, ValueError, MemoryError) as error:
        raise CheckpointError(f"{path} cannot be read as a safetensors file: {error}") from error


def _digest(header: Mapping[str, Any], named: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over the header and every array's name, type, shape and bytes."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(named):
        digest.update(f"{name} {named[name].dtype.str} {named[name].shape}".encode())
        digest.update(named[name].tobytes())
    return digest.hexdigest()
