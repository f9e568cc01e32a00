"""Exported files: a model's graph in the format of the file's suffix."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from portanet._typing import Params
from portanet.export.graph import Value
from portanet.export.model_graph import model_graph
from portanet.export.onnx import onnx_bytes
from portanet.export.python import python_source
from portanet.export.table_inputs import told
from portanet.nn import Layer, TaskKind
from portanet.storage import atomic
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import Column


def write_export(path: Path, model: Layer, params: Params, card: ModelCard, kind: TaskKind) -> Path:
    """Write a model for other programs; the same model gives the same bytes.

    path    ends in one of FORMATS: ".onnx" or ".py"
    params  the model's arrays on the host
    kind    the task, which decides the outputs

    Raises ModelError for a layer that standard operators cannot express, ConfigError if a library is missing, and
    DataError if the file cannot be written.
    """
    return atomic.write(path, FORMATS[path.suffix](model, params, card, kind))


def takes_columns(card: ModelCard) -> bool:
    """Whether a model's ONNX file takes columns by name, as for a table with anything but numbers without gaps.

    Numbers without gaps are one matrix (N, D).
    """
    return card.table is not None and not card.table.is_plain


def _onnx(model: Layer, params: Params, card: ModelCard, kind: TaskKind) -> bytes:
    table = card.table if takes_columns(card) else None
    graph = model_graph(model, params, card, kind, table=table)
    for place, name in enumerate(card.targets):  # beside all of them in `prediction`
        output = graph.add("", "Gather", "prediction", graph.constant("place", np.array(place)), axis=1, output=name)
        graph.outputs.append(Value(output, "float64", ()))
        graph.about[output] = f"{name}, in the unit of the training data"
    named: dict[str, Any] = {"classes": card.classes, "columns": card.columns, "label": card.label}
    if table is not None:
        named["columns"] = [column.name for column in table.used]
        named["inputs"] = [_entry(column, value) for column, value in zip(table.used, graph.inputs, strict=True)]
    named["outputs"] = {value.name: graph.about[value.name] for value in graph.outputs}
    return onnx_bytes(graph, {name: json.dumps(value) for name, value in named.items() if value})


def _python(model: Layer, params: Params, card: ModelCard, kind: TaskKind) -> str:
    return python_source(model_graph(model, params, card, kind), card)


def _entry(column: Column, value: Value) -> dict[str, Any]:
    """The metadata of a column."""
    values = {"values": list(column.values)} if column.values else {}
    about = {"input": value.name, "column": column.name, "kind": column.kind, "type": value.dtype}
    return about | {"takes": told(column)} | values


FORMATS: dict[str, Callable[[Layer, Params, ModelCard, TaskKind], bytes | str]] = {".onnx": _onnx, ".py": _python}
"""The writer of each format, by the suffix of its files."""
