"""Exported files: a model's graph in the format that the file's suffix names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from reprlib import repr as brief

import numpy as np

from portanet._typing import Params
from portanet.errors import ModelError
from portanet.export.graph import Graph, Value
from portanet.export.model_graph import model_graph
from portanet.export.onnx import onnx_bytes
from portanet.export.python import python_source
from portanet.nn import Layer, TaskKind
from portanet.storage import atomic
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import NUMBER


def write_export(path: Path, model: Layer, params: Params, card: ModelCard, kind: TaskKind) -> Path:
    """Write a model for other programs; the same model gives the same bytes.

    path    ends in one of FORMATS: ".onnx" or ".py"
    params  the model's arrays on the host
    kind    what its outputs stand for

    Raises ModelError for a layer that has no form in standard operators, and for a table with columns of text, dates or
    gaps, which no exported file reads yet; ConfigError where a library is missing,
    DataError where the file cannot be written.
    """
    if card.table is not None and not card.table.is_plain:
        others = [column.name for column in card.table.used if column.kind != NUMBER or column.gaps]
        raise ModelError(f"exported files read tables of numbers without gaps; column {brief(others[0])} is another.")
    return atomic.write(path, FORMATS[path.suffix](model_graph(model, params, card, kind), card))


def _onnx(graph: Graph, card: ModelCard) -> bytes:
    for place, name in enumerate(card.targets):  # beside all of them in `prediction`
        output = graph.add("", "Gather", "prediction", graph.constant("place", np.array(place)), axis=1, output=name)
        graph.outputs.append(Value(output, "float64", ()))
    named = {"classes": card.classes, "columns": card.columns, "label": card.label}
    return onnx_bytes(graph, {name: json.dumps(value) for name, value in named.items() if value})


FORMATS: dict[str, Callable[[Graph, ModelCard], bytes | str]] = {".onnx": _onnx, ".py": python_source}
"""The writer of each format, by the suffix of its files."""
