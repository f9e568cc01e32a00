"""ONNX files: a graph of standard operators that onnxruntime and others run without portanet (onnx.ai)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.errors import ConfigError
from portanet.export.graph import Graph, Node, Value

OPSET = 17
_IR_VERSION = 8  # of the files of that opset, so that programs of 2022 read them


def onnx_bytes(graph: Graph, metadata: Mapping[str, str]) -> bytes:
    """Return the file that holds the graph; equal graphs give equal bytes, checked by onnx.checker.

    metadata  names and texts that programs may show: classes, columns, units
    """
    onnx = _onnx()
    helper = onnx.helper
    constants, nodes = [], []
    for node in graph.nodes:
        nodes.append(_node(onnx, node, shape := _shape_input(node)))
        constants += [onnx.numpy_helper.from_array(array, name) for name, array in shape]
    constants += [_tensor(onnx, name, array) for name, array in graph.constants.items()]
    inputs, outputs = ([_value(onnx, value) for value in values] for values in (graph.inputs, graph.outputs))
    model = helper.make_model(
        helper.make_graph(nodes, "portanet", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION, producer_name="portanet",
    )  # fmt: skip
    helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def load_onnx(path: str | Path) -> Callable[[HostArray], dict[str, HostArray]]:
    """Return a function of rows that gives the outputs of a file by name, computed by onnxruntime."""
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("onnxruntime") from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (source,), names = session.get_inputs(), [output.name for output in session.get_outputs()]
    dtype = {"tensor(uint8)": np.uint8, "tensor(double)": np.float64}.get(source.type, np.float32)

    def answer(rows: HostArray) -> dict[str, HostArray]:
        return dict(zip(names, session.run(names, {source.name: rows.astype(dtype)}), strict=True))

    return answer


def _onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise _missing("onnx") from error
    return onnx


def _missing(library: str) -> ConfigError:
    return ConfigError(f"{library} is not installed.", remedy="pip install 'portanet[onnx]'")


def _shape_input(node: Node) -> list[tuple[str, HostArray]]:
    """The shape that Reshape takes as a second input, and others as an attribute."""
    if node.op != "Reshape":
        return []
    return [(f"{node.output}.shape", np.array(node.attributes["shape"], np.int64))]


def _node(onnx: Any, node: Node, shape: list[tuple[str, HostArray]]) -> Any:
    inputs = [*node.inputs, *(name for name, _ in shape)]
    return onnx.helper.make_node(node.op, inputs, [node.output], name=node.output, **dict(_attributes(onnx, node)))


def _attributes(onnx: Any, node: Node) -> Iterator[tuple[str, Any]]:
    for name, value in node.attributes.items():
        if name == "to":
            yield name, _element_type(onnx, value)
        elif not (node.op == "Reshape" and name == "shape"):
            yield name, value


def _tensor(onnx: Any, name: str, array: HostArray) -> Any:
    if array.dtype.kind == "U":
        texts = [text.encode() for text in array.ravel().tolist()]
        return onnx.helper.make_tensor(name, onnx.TensorProto.STRING, array.shape, texts)
    return onnx.numpy_helper.from_array(np.asarray(array, order="C"), name)


def _value(onnx: Any, value: Value) -> Any:
    return onnx.helper.make_tensor_value_info(value.name, _element_type(onnx, value.dtype), ["N", *value.shape])


def _element_type(onnx: Any, dtype: str) -> Any:
    if dtype == "str":
        return onnx.TensorProto.STRING
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
