"""predict.py: a model as one readable Python file that needs nothing but NumPy."""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType

import numpy as np

from portanet._typing import HostArray
from portanet.export import numpy_main, numpy_ops
from portanet.export.graph import Graph, Node
from portanet.storage.label import label_names
from portanet.storage.model_card import ModelCard

_INLINE = 8  # numbers that a constant may have to stand in the code

# Each operator as an expression of its inputs and attributes; a function named in it comes from numpy_ops.
_EXPRESSIONS = {
    "Add": "{0} + {1}",
    "And": "{0} & {1}",
    "ArgMax": "{0}.argmax(axis={axis})",
    "AveragePool": "squares({0}, {kernel_shape}).mean(axis=(4, 5))",
    "BatchNormalization": "batch_normalization({0}, {1}, {2}, {3}, {4}, {epsilon})",
    "Cast": "{0}.astype(np.{to})",
    "Concat": "np.concatenate([{all}], axis={axis})",
    "Conv": "conv({0}, {1}, {2}, {kernel_shape}, {pads}, {strides})",
    "Cos": "np.cos({0})",
    "Div": "{0} / {1}",
    "Elu": "elu({0}, {alpha})",
    "Equal": "{0} == {1}",
    "Exp": "np.exp({0})",
    "Flatten": "{0}.reshape(len({0}), int(np.prod({0}.shape[1:])))",
    "Floor": "np.floor({0})",
    "Gather": "{0}.take({1}, axis={axis})",
    "Gemm": "{0} @ {1} + {2}",
    "Greater": "{0} > {1}",
    "GreaterOrEqual": "{0} >= {1}",
    "IsNaN": "np.isnan({0})",
    "LayerNormalization": "layer_normalization({0}, {1}, {2}, {epsilon})",
    "LeakyRelu": "np.maximum({0}, np.float32({alpha}) * {0})",
    "Less": "{0} < {1}",
    "Max": "np.maximum({0}, {1})",
    "MaxPool": "squares({0}, {kernel_shape}).max(axis=(4, 5))",
    "Min": "np.minimum({0}, {1})",
    "Mul": "{0} * {1}",
    "ReduceMean": "{0}.mean(axis=tuple({axes}))",
    "Relu": "np.maximum({0}, 0)",
    "Reshape": "{0}.reshape({shape})",
    "Selu": "np.float32(1.0507009873554805) * elu({0}, 1.6732632423543772)",
    "Sigmoid": "sigmoid({0})",
    "Softmax": "softmax({0})",
    "Softplus": "softplus({0})",
    "Sqrt": "np.sqrt({0})",
    "Sub": "{0} - {1}",
    "Tanh": "np.tanh({0})",
    "Where": "np.where({0}, {1}, {2})",
}

_HEAD = '''"""Predictions of a model trained with portanet; this file needs NumPy alone.

It takes rows of the shape {shape}, as {dtype}, and answers with {outputs}.

    python predict.py rows.csv > answers.csv    # or an array of rows, rows.npy

    from predict import predict
    predict(rows)                               # a dict of arrays
"""

import base64
import csv
import sys

import numpy as np'''


def python_source(graph: Graph, card: ModelCard) -> str:
    """Return the text of predict.py; names from data stand in it as literals alone."""
    (source,) = graph.inputs
    outputs = ", ".join(value.name for value in graph.outputs)
    facts = [
        f"ROW_SHAPE = {source.shape!r}",
        f"ROW_DTYPE = np.{source.dtype}",
        f"COLUMNS = {list(card.columns) if card.columns else None!r}",
        f"LABELS = {list(label_names(card.label)) or ['label']!r}",
        f"TARGETS = {list(_targets(graph, card))!r}  # several for each row",
        f"FIRST = {'ImageId' if card.has_images else 'Row'!r}",
    ]
    code = _function(graph)
    head = _HEAD.format(shape=source.shape, dtype=source.dtype, outputs=outputs)
    parts = [head, "\n".join(facts), *_sources(numpy_ops, code), code, *_sources(numpy_main), _weights(graph)]
    return "\n\n\n".join([*parts, 'if __name__ == "__main__":\n    main(sys.argv[1:])\n'])


def _targets(graph: Graph, card: ModelCard) -> tuple[str, ...]:
    """The names of the columns of answers, where there are several for each row."""
    return card.target_names(graph.outputs[0].shape[0]) if graph.outputs[0].shape else ()


def _function(graph: Graph) -> str:
    """The network, a line for each operator."""
    lines = ["def predict(rows):", f'    """Return a dict with {", ".join(value.name for value in graph.outputs)}."""']
    lines.append("    input_ = np.asarray(rows, ROW_DTYPE).reshape(-1, *ROW_SHAPE)")
    lines += [f"    {_variable(node.output)} = {_expression(graph, node)}" for node in graph.nodes]
    answers = ", ".join(f"{value.name!r}: {_variable(value.name)}" for value in graph.outputs)
    return "\n".join([*lines, f"    return {{{answers}}}"])


def _expression(graph: Graph, node: Node) -> str:
    inputs = [_constant(graph, name) if name in graph.constants else _variable(name) for name in node.inputs]
    attributes = dict(node.attributes)
    if node.op == "Reshape":
        rows, *rest = attributes["shape"]
        attributes["shape"] = ", ".join(map(str, [f"len({inputs[0]})" if rows == 0 else rows, *rest]))
    return _EXPRESSIONS[node.op].format(*inputs, all=", ".join(inputs), **attributes)


def _constant(graph: Graph, name: str) -> str:
    """A small number in the code, a larger array by its name."""
    array = graph.constants[name]
    return f"np.float32({float(array)!r})" if _is_number(array) else f"ARRAYS[{name!r}]"


def _is_number(array: HostArray) -> bool:
    """Whether a constant stands in the code itself."""
    return array.shape == () and array.dtype == np.float32


def _variable(name: str) -> str:
    """A value's name as Python's: "0.gemm" is layer_0_gemm, and none is that of a function."""
    name = re.sub(r"\W", "_", name)
    return f"layer_{name}" if name[0].isdigit() else f"{name}_"


def _sources(module: ModuleType, code: str | None = None) -> Iterator[str]:
    """The source of the module's functions, without types; with `code`, of those that it uses."""
    functions: list[Callable[..., object]] = [
        value for value in vars(module).values() if inspect.isfunction(value) and value.__module__ == module.__name__
    ]
    texts = {function.__name__: inspect.getsource(function).strip() for function in functions}
    for name, text in texts.items():
        if name != "predict" and (code is None or re.search(rf"\b{name}\(", code)):
            yield _untyped(text)


def _untyped(text: str) -> str:
    """The source without annotations, which are not for a reader of the maths."""
    head, colon, body = text.partition(":\n")
    arguments = re.sub(r": [A-Za-z.]+(\[[\w, .]*\])?(?=[,)])", "", head)
    return re.sub(r" -> [\w\[\], .]+$", "", arguments) + colon + body


def _weights(graph: Graph) -> str:
    """The arrays, as text."""
    lines = [f"    {name!r}: {_array(array)}," for name, array in graph.constants.items() if not _is_number(array)]
    return "\n".join(["ARRAYS = {", *lines, "}"])


def _array(array: HostArray) -> str:
    if array.size <= _INLINE or array.dtype.kind == "U":
        dtype = "" if array.dtype.kind in "Ui" else f", np.{array.dtype}"
        return f"np.array({array.tolist()!r}{dtype})"
    text = base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode()
    return f'decoded("{array.dtype}", {array.shape!r}, "{text}")'
