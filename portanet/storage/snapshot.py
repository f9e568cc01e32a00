"""Snapshots: the last two saved states of a run, from which it can resume."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as brief
from typing import Any

import numpy as np

from portanet.errors import CheckpointError
from portanet.storage import atomic
from portanet.storage.safetensors_file import HostArrays, decoded, encoded, explained

_LAST, _PREVIOUS = "checkpoint.safetensors", "checkpoint.previous.safetensors"


def write_snapshot(folder: Path, tree: Mapping[str, Any]) -> None:
    """Write the state of a run as checkpoint.safetensors; the old one becomes checkpoint.previous.safetensors.

    `tree` is nested dicts with text keys, lists and tuples of None, bool, int, float, text, and host arrays of
    booleans, integers or real numbers. Equal trees give equal bytes. At every moment the folder holds an intact
    snapshot, and a damaged one never replaces the previous one. Raises DataError if the file cannot be written,
    TypeError if the tree holds anything else.
    """
    named: HostArrays = {}
    content = encoded({"tree": _packed(tree, (), named)}, named)
    last = folder / _LAST
    atomic.write(last, content, keep=folder / _PREVIOUS if _is_whole(last) else None)


def read_snapshot(folder: Path) -> tuple[dict[str, Any], str | None]:
    """The last tree and None; or, if that is damaged, the previous one and a message.

    Tuples become lists; arrays are in C order and native byte order. Raises CheckpointError if neither is intact.
    """
    try:
        return _tree(folder / _LAST), None
    except CheckpointError as damage:
        try:
            tree = _tree(folder / _PREVIOUS)
        except CheckpointError:
            raise damage from None
        return tree, f"{damage} The previous one is used instead: {_PREVIOUS}."


def has_snapshot(folder: Path) -> bool:
    """Whether the folder has a saved run."""
    return (folder / _LAST).exists() or (folder / _PREVIOUS).exists()


def _tree(path: Path) -> dict[str, Any]:
    header, named = decoded(path, "checkpoint", "a run writes it while it trains")
    with explained(f"{path} holds no run to resume"):
        if not isinstance(tree := _unpacked(header["tree"], named), dict):
            raise CheckpointError(f"{path} holds no run to resume, but a {type(tree).__name__}.")
        return tree


def _is_whole(path: Path) -> bool:
    try:
        decoded(path)
    except CheckpointError:
        return False
    return True


def _packed(value: Any, place: tuple[str, ...], named: HostArrays) -> Any:
    """`value` as JSON data; its arrays go to `named`, and what JSON cannot express becomes {"$type": ...}."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": float.__repr__(value)}
    if isinstance(value, (list, tuple)):
        return [_packed(item, (*place, str(i)), named) for i, item in enumerate(value)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {_escaped(key): _packed(item, (*place, key), named) for key, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        name = "".join("/" + json.dumps(key)[1:-1].replace("/", "\\/") for key in place)
        named[name] = np.asarray(value, value.dtype.newbyteorder("="), order="C")
        return {"$array": name}
    raise TypeError(f"a snapshot cannot hold {type(value).__name__} at {'.'.join(place) or 'its top'}: {brief(value)}.")


def _unpacked(value: Any, named: HostArrays) -> Any:
    if isinstance(value, list):
        return [_unpacked(item, named) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"$float"}:
        return float(value["$float"])
    if value.keys() == {"$array"}:
        return named[value["$array"]]
    return {key.removeprefix("$"): _unpacked(item, named) for key, item in value.items()}


def _escaped(key: str) -> str:
    return f"${key}" if key.startswith("$") else key
