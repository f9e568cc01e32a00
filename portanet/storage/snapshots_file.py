"""snapshots.safetensors: the weights at some steps of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from portanet._tree import tree_items, tree_set
from portanet._typing import Params
from portanet.errors import CheckpointError
from portanet.storage import atomic
from portanet.storage.safetensors_file import decoded, encoded

NAME = "snapshots.safetensors"


def write_snapshots(folder: Path, kept: Mapping[int, Params]) -> Path:
    """Write the arrays of each step into a run folder; raises DataError if that fails."""
    named = {
        f"{step}/{'.'.join(path)}": np.ascontiguousarray(array)
        for step, params in kept.items()
        for path, array in tree_items(params)
    }
    return atomic.write(folder / NAME, encoded({"kind": "snapshots", "steps": list(kept)}, named))


def read_snapshots(folder: Path) -> dict[int, Params]:
    """Return the arrays of each step, in order; empty without a file. Raises CheckpointError for an invalid file."""
    path = folder / NAME
    if not path.is_file():
        return {}
    header, named = decoded(path)
    if header.get("kind") != "snapshots":
        raise CheckpointError(f"{path} does not hold snapshots.")
    kept: dict[int, Params] = {int(step): {} for step in header["steps"]}
    for name, array in named.items():
        step, _, below = name.partition("/")
        tree_set(kept[int(step)], tuple(below.split(".")), array)
    return kept
