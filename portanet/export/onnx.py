"""ONNX files: a graph of standard operators that onnxruntime and others run without portanet (onnx.ai)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.errors import ConfigError, ModelError
from portanet.export.graph import Graph, Node, Value

OPSET = 17
_IR_VERSION = 8  # that of opset 17, so that programs from 2022 read the files
_DOMAINS = {"LabelEncoder": "ai.onnx.ml"}  # of operators outside ONNX's own domain
_OPSETS = {"ai.onnx.ml": 3}  # the versions of these domains


def onnx_bytes(graph: Graph, metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of an ONNX file with the graph, checked by onnx.checker; equal graphs give equal bytes.

    metadata  text by name, which programs may show: classes, columns, units

    Raises ModelError for a name that is not valid Unicode, as may happen if it came from bytes.
    """
    try:
        return _file(graph, metadata)
    except UnicodeEncodeError as error:
        name = error.object.encode(errors="backslashreplace").decode()
        raise ModelError(f"ONNX files need Unicode text, and the name {name[:40]!r} is not valid Unicode.") from error


def _file(graph: Graph, metadata: Mapping[str, str]) -> bytes:
    onnx = _onnx()
    helper = onnx.helper
    constants, nodes = [], []
    for node in graph.nodes:
        nodes.append(_node(onnx, node, shape := _shape_input(node)))
        constants += [onnx.numpy_helper.from_array(array, name) for name, array in shape]
    constants += [_tensor(onnx, name, array) for name, array in graph.constants.items()]
    inputs, outputs = (
        [_value(onnx, value, graph.about.get(value.name, "")) for value in values]
        for values in (graph.inputs, graph.outputs)
    )
    model = helper.make_model(
        helper.make_graph(nodes, "portanet", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET), *(helper.make_opsetid(*domain) for domain in _domains(graph))],
        ir_version=_IR_VERSION, producer_name="portanet",
    )  # fmt: skip
    helper.set_model_props(model, dict(sorted(metadata.items())))
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def load_onnx(path: str | Path) -> Callable[[HostArray | Sequence[HostArray]], dict[str, HostArray]]:
    """Return a function that computes the outputs of a file, by name, with onnxruntime.

    It takes rows (N, ...), or a list of a table's columns (N,) in the order of the inputs: text, numbers, `datetime64`.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing("onnxruntime") from error
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs, names = session.get_inputs(), [output.name for output in session.get_outputs()]

    def answer(given: HostArray | Sequence[HostArray]) -> dict[str, HostArray]:
        arrays = [given] if isinstance(given, np.ndarray) else [np.asarray(column)[:, None] for column in given]
        fed = {each.name: _fed(array, each.type) for each, array in zip(inputs, arrays, strict=True)}
        return dict(zip(names, session.run(names, fed), strict=True))

    return answer


_FED = {"tensor(uint8)": np.uint8, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(string)": object}


def _fed(values: HostArray, kind: str) -> HostArray:
    """Values in the dtype of an input; `datetime64` as seconds since 1970."""
    values = values.astype("datetime64[s]") if values.dtype.kind == "M" else values
    return values.astype(_FED.get(kind, np.float32))


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
    """The shape as a constant, since Reshape takes it as a second input."""
    if node.op != "Reshape":
        return []
    return [(f"{node.output}.shape", np.array(node.attributes["shape"], np.int64))]


def _node(onnx: Any, node: Node, shape: list[tuple[str, HostArray]]) -> Any:
    inputs = [*node.inputs, *(name for name, _ in shape)]
    domain = {"domain": _DOMAINS[node.op]} if node.op in _DOMAINS else {}
    return onnx.helper.make_node(
        node.op, inputs, [node.output], name=node.output, **domain, **dict(_attributes(onnx, node))
    )


def _domains(graph: Graph) -> list[tuple[str, int]]:
    """The domains of operators outside ONNX's own domain, with their versions."""
    found = {_DOMAINS[node.op] for node in graph.nodes if node.op in _DOMAINS}
    return [(domain, _OPSETS[domain]) for domain in sorted(found)]


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


def _value(onnx: Any, value: Value, about: str) -> Any:
    return onnx.helper.make_tensor_value_info(value.name, _element_type(onnx, value.dtype), ["N", *value.shape], about)


def _element_type(onnx: Any, dtype: str) -> Any:
    if dtype == "str":
        return onnx.TensorProto.STRING
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
