"""A trained model as one graph: raw rows in; labels and probabilities, or predictions, out."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray, Params
from portanet.export.graph import Graph, Value
from portanet.export.lowering import lower
from portanet.export.place import Place
from portanet.export.table_inputs import add_columns, matrix_dtype
from portanet.nn import Layer, TaskKind
from portanet.storage.label import in_words
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import Schema


def model_graph(model: Layer, params: Params, card: ModelCard, kind: TaskKind, *, table: Schema | None = None) -> Graph:
    """Return the graph that computes the model's predictions.

    params  the model's arrays on the host
    kind    the task, which decides the outputs
    table   the columns that are named inputs, see `add_columns`; None for one matrix of numbers

    A single input is uint8 for pixels, float64 for a float64 model or if columns are centred before they become
    float32, and otherwise float32.
    The outputs are `label` (N,) and `probabilities` (N, K) for classes; `label` (N, K), ones and zeros, and
    `probabilities` for multi-label models; and for numbers `prediction` in float64, (N,) or (N, K), with `lower` and
    `upper` in the same shape if the model has intervals. An ONNX file also has a separate output for each named target.
    Raises ModelError for a layer that standard operators cannot express.
    """
    graph = Graph()
    if table is not None:
        x = add_columns(graph, card, table)
    else:
        x = graph.add_input("input", matrix_dtype(card), card.input_shape)
    if card.offsets:
        shape = (-1, 1, 1) if len(card.input_shape) == 3 else card.input_shape
        x = graph.add("", "Sub", x, graph.constant("offsets", np.array(card.offsets).reshape(shape)))
        graph.raw[x] = "float64"
    logits = graph.as_float("", lower(model, Place(graph, "", params, card.input_shape), x))
    (outputs,) = model.output_shape(card.input_shape)
    _HEADS[kind](graph, logits, card, outputs)
    graph.about |= {value.name: _told(value.name, card) for value in graph.outputs}
    return graph


def _told(output: str, card: ModelCard) -> str:
    """A description of an output."""
    label = in_words(card.label) or "the label"
    if output == "probabilities":
        return f"of each class, in the order of the metadata's classes: the probabilities of {label}"
    if output in ("lower", "upper"):
        return f"the {output} end of the interval from the {card.levels[0]:g} to the {card.levels[-1]:g} quantile"
    return f"{label}, as a class" if output == "label" else f"{label}, in the unit of the training data"


def _classify(graph: Graph, logits: str, card: ModelCard, outputs: int) -> None:
    labels = _labels(card, outputs)
    code = graph.add("", "ArgMax", logits, axis=1, keepdims=0)
    graph.add("", "Gather", graph.constant("classes", labels), code, axis=0, output="label")
    graph.add("", "Softmax", logits, axis=1, output="probabilities")
    dtype = "str" if labels.dtype.kind == "U" else labels.dtype.name
    graph.outputs += [Value("label", dtype, ()), Value("probabilities", "float32", (outputs,))]


def _multilabel(graph: Graph, logits: str, card: ModelCard, outputs: int) -> None:
    positive = graph.add("", "Greater", logits, graph.constant("zero", np.zeros((), np.float32)))
    shape = [-1] if outputs == 1 else [0, outputs]  # no second axis for one class, as in `TrainedModel.predict`
    graph.add("", "Reshape", graph.add("", "Cast", positive, to="int64"), shape=shape, output="label")
    graph.add("", "Sigmoid", logits, output="probabilities")
    graph.outputs += [
        Value("label", "int64", () if outputs == 1 else (outputs,)), Value("probabilities", "float32", (outputs,)),
    ]  # fmt: skip


def _regress(graph: Graph, numbers: str, card: ModelCard, outputs: int) -> None:
    _add_numbers(graph, "prediction", graph.add("", "Cast", numbers, to="float64"), card, outputs)


def _quantiles(graph: Graph, numbers: str, card: ModelCard, outputs: int) -> None:
    """The median level, as in `TrainedModel.predict`, and the bounds of `TrainedModel.intervals`."""
    levels = len(card.levels)
    count = outputs // levels
    numbers = graph.add("", "Cast", numbers, to="float64")

    def level(place: int) -> str:
        return graph.add("", "Gather", numbers, graph.constant("places", np.arange(count) + place * count), axis=1)

    middle = level(levels // 2)
    _add_numbers(graph, "prediction", middle, card, count)
    if levels > 1:
        margin = graph.constant("margin", np.array(card.margins or [0.0]))
        low, high = graph.add("", "Sub", level(0), margin), graph.add("", "Add", level(levels - 1), margin)
        _add_numbers(graph, "lower", graph.add("", "Min", low, middle), card, count)
        _add_numbers(graph, "upper", graph.add("", "Max", high, middle), card, count)


def _count(graph: Graph, numbers: str, card: ModelCard, outputs: int) -> None:
    numbers = graph.add("", "Exp", graph.add("", "Cast", numbers, to="float64"))
    _add_numbers(graph, "prediction", numbers, card, outputs)


def _add_numbers(graph: Graph, name: str, numbers: str, card: ModelCard, outputs: int) -> None:
    """An output in the unit of the targets; a single one has no second axis, as in `TrainedModel.predict`."""
    if card.target_scale:
        scaled = graph.add("", "Mul", numbers, graph.constant("target_scale", np.array(card.target_scale)))
        numbers = graph.add("", "Add", scaled, graph.constant("target_center", np.array(card.target_center)))
    graph.add("", "Reshape", numbers, shape=[-1] if outputs == 1 else [0, outputs], output=name)
    graph.outputs.append(Value(name, "float64", () if outputs == 1 else (outputs,)))


def _labels(card: ModelCard, outputs: int) -> HostArray:
    """The labels in the order of the outputs: the class names, or class numbers if there are no names."""
    if card.class_kind is None:
        return np.arange(outputs)
    labels = card.class_kind.labels(card.classes)
    return np.array(card.classes, np.str_) if labels.dtype.kind in "OS" else labels


_HEADS = {
    TaskKind.CLASSIFY: _classify,
    TaskKind.MULTILABEL: _multilabel,
    TaskKind.REGRESS: _regress,
    TaskKind.COUNT: _count,
    TaskKind.QUANTILES: _quantiles,
}
