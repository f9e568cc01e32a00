"""predict.py: a model as one readable Python file that needs only NumPy."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping

import numpy as np

from portanet._typing import HostArray
from portanet.data.columns import identifier
from portanet.export import numpy_main, numpy_ops, numpy_rows
from portanet.export.graph import Graph, Node
from portanet.export.python_table import IMPORTS, NAMES, table_columns, table_sources
from portanet.export.source_text import sources
from portanet.storage.label import label_names
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import Column, Schema

_INLINE = 8  # numbers at most, of a constant that is written into the code
_ROWS_AT_ONCE = 2048  # rows in a block, whose layer outputs are held in memory
_MOST_DECIMALS = 300  # the most that NumPy can round to
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

_HEAD = '''"""Predictions of a model trained with portanet; this file needs only NumPy.

It takes {takes}, and answers with {outputs}.

    python predict.py rows.csv > answers.csv    # or an array of rows, rows.npy

    from predict import predict
    {call:<43} # a dict of arrays
"""

{imports}

import numpy as np'''


def python_source(graph: Graph, card: ModelCard) -> str:
    """Return the text of predict.py; names from data appear in it only as literals.

    graph  of a model that takes a matrix or pixels; for a table, the file converts the columns to a matrix
    card   the card of the model, with the table's columns and file format, and the class names
    """
    (source,) = graph.inputs
    table = card.table or (Schema(tuple(map(Column, card.columns))) if card.columns else None)
    name = "rows" if table is None else "table"
    modules = sorted({"base64", "csv", "itertools", "os", "sys", *(() if table is None else IMPORTS)})
    imports = [f"import {module}" for module in modules]
    if table is None:
        takes = f"rows of the shape {source.shape}, as {source.dtype}"
    else:
        takes = f"a table's {len(table.used)} columns, which COLUMNS names, as text, numbers or dates"
        imports += NAMES
    outputs = ", ".join(value.name for value in graph.outputs)
    code = _function(graph)
    parts = [
        _HEAD.format(takes=takes, outputs=outputs, call=f"predict({name})", imports="\n".join(imports)),
        "\n".join(_facts(graph, card, table)), code, *sources(numpy_ops, code),
        *(sources(numpy_rows) if table is None else table_sources(table)), *sources(numpy_main),
        *([] if table is None else [table_columns(table)]), _weights(graph),
    ]  # fmt: skip
    return "\n\n\n".join([*parts, 'if __name__ == "__main__":\n    main(sys.argv[1:])\n'])


def _facts(graph: Graph, card: ModelCard, table: Schema | None) -> list[str]:
    """The constants of the model, for the functions of numpy_main, numpy_table and numpy_rows."""
    (source,) = graph.inputs
    return [
        f"ROW_SHAPE = {source.shape!r}",
        f"ROW_DTYPE = np.{source.dtype}",
        f"LABELS = {list(label_names(card.label)) or ['label']!r}",
        f"TARGETS = {list(_targets(graph, card))!r}  # several for each row",
        f"LABEL = {card.title!r}",
        f"CLASS = {_class(graph, card)!r}  # that is there or not, where there is one alone",
        f"FIRST = {'ImageId' if card.has_images else 'Row'!r}",
        f"IDENTIFIER = {identifier(table.columns) if table else None!r}  # the column that stands in place of numbers",
        f"DECIMALS = {_decimals(card)!r}  # of numbers in each column",
        f"PRECISION = {card.dtype!r}",
        f"ROWS_AT_ONCE = {_ROWS_AT_ONCE}",
    ]


def _targets(graph: Graph, card: ModelCard) -> tuple[str, ...]:
    """The names of the predicted columns, if there are several."""
    return card.target_names(graph.outputs[0].shape[0]) if graph.outputs[0].shape else ()


def _class(graph: Graph, card: ModelCard) -> str | None:
    """The name of the only class of a multi-label model; None for other models."""
    is_single = any(value.name == "probabilities" and value.shape == (1,) for value in graph.outputs)
    return (card.classes or ("0",))[0] if is_single else None


def _decimals(card: ModelCard) -> list[int | None] | None:
    """The number of decimals of predictions, as in `Unit.rounded`; None to use the precision of the model."""
    digits = 7 if card.dtype == "float32" else 15
    places = [digits - math.floor(math.log10(scale)) for scale in card.target_scale]
    return [number if abs(number) < _MOST_DECIMALS else None for number in places] or None


def _function(graph: Graph) -> str:
    """The network, a line for each operator."""
    outputs, literals = ", ".join(value.name for value in graph.outputs), _literals(graph)
    lines = ["def network(input_):", f'    """Return a dict with {outputs}."""']
    lines += [f"    {_variable(node.output)} = {_expression(graph, node, literals)}" for node in graph.nodes]
    answers = ", ".join(f"{value.name!r}: {_variable(value.name)}" for value in graph.outputs)
    return "\n".join([*lines, f"    return {{{answers}}}"])


def _expression(graph: Graph, node: Node, literals: Mapping[str, str]) -> str:
    inputs = [
        literals.get(name, f"ARRAYS[{name!r}]") if name in graph.constants else _variable(name) for name in node.inputs
    ]
    attributes = dict(node.attributes)
    if node.op == "Reshape":
        rows, *rest = attributes["shape"]
        attributes["shape"] = ", ".join(map(str, [f"len({inputs[0]})" if rows == 0 else rows, *rest]))
    return _EXPRESSIONS[node.op].format(*inputs, all=", ".join(inputs), **attributes)


def _literals(graph: Graph) -> dict[str, str]:
    """The constants that are written into the code: single numbers, and the indices of a few columns."""
    places = {node.inputs[1] for node in graph.nodes if node.op == "Gather" and node.inputs[1] in graph.constants}
    numbers = {
        name: f"np.float32({float(array)!r})"
        for name, array in graph.constants.items()
        if array.shape == () and array.dtype == np.float32
    }
    few = {name for name in places if graph.constants[name].size <= _INLINE}
    return numbers | {name: repr(graph.constants[name].tolist()) for name in few}


def _variable(name: str) -> str:
    """A value's name as a Python identifier: layer_0_gemm for "0.gemm". It never clashes with a function's name."""
    name = re.sub(r"\W", "_", name)
    return f"layer_{name}" if name[0].isdigit() else f"{name}_"


def _weights(graph: Graph) -> str:
    """The source of the arrays, encoded as text."""
    literals = _literals(graph)
    lines = [f"    {name!r}: {_array(array)}," for name, array in graph.constants.items() if name not in literals]
    return "\n".join(["ARRAYS = {", *lines, "}"])


def _array(array: HostArray) -> str:
    if array.size <= _INLINE or array.dtype.kind == "U":
        dtype = "" if array.dtype.kind in "Ui" else f", np.{array.dtype}"
        return f"np.array({array.tolist()!r}{dtype})"
    text = base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode()
    return f'decoded("{array.dtype}", {array.shape!r}, "{text}")'
