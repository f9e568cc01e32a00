"""The layers as ONNX, run by onnxruntime: the oracle is our own forward pass, which tests/nn holds against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from layers import Row, case, every_layer

pytest.importorskip("onnxruntime")

from portanet._tree import tree_map
from portanet.export.graph import Graph, Value
from portanet.export.lowering import LOWERINGS, lower
from portanet.export.onnx import load_onnx, onnx_bytes
from portanet.export.place import Place
from portanet.nn import LAYERS, Layer


def run(data: bytes, x: Any, tmp_path: Any) -> dict[str, Any]:
    (tmp_path / "model.onnx").write_bytes(data)
    return load_onnx(tmp_path / "model.onnx")(x)


def exported(row: Row, params: Any) -> bytes:
    graph = Graph()
    x = graph.add_input("input", "float32", row.input_shape)
    graph.add("", "Identity", lower(row.layer, Place(graph, "", params, row.input_shape), x), output="output")
    graph.outputs.append(Value("output", "float32", row.output_shape))
    return onnx_bytes(graph, {})


@every_layer
def test_every_layer_agrees_with_its_forward_pass(row: Row, tmp_path: Any) -> None:
    layer, params, x, _ = case(row, rows=7)
    params = tree_map(params, lambda array: array.astype(np.float32))
    data = exported(row, params)
    for rows in (0, 1, 7):
        batch = x[:rows].astype(np.float32)
        expected = layer.forward(params, batch)[0] if rows else np.zeros((0, *row.output_shape))
        output = run(data, batch, tmp_path)["output"]
        assert output.shape == expected.shape
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


@every_layer
def test_the_same_model_gives_the_same_bytes(row: Row) -> None:
    _, params, *_ = case(row)
    assert exported(row, params) == exported(row, params)


def test_every_layer_of_portanet_can_be_exported() -> None:
    layers = {value for value in LAYERS.values() if isinstance(value, type) and issubclass(value, Layer)}
    assert layers == set(LOWERINGS)
