"""A trained model as one graph: raw rows in; labels and probabilities, or predictions, out."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray, Params
from portanet.export.graph import Graph, Value
from portanet.export.lowering import lower
from portanet.export.place import Place
from portanet.nn import Layer, TaskKind
from portanet.storage.model_card import ModelCard


def model_graph(model: Layer, params: Params, card: ModelCard, kind: TaskKind, *, pixels: bool) -> Graph:
    """Return the graph that answers as the model does.

    params  the model's arrays on the host
    kind    what its outputs stand for
    pixels  whether rows come in as uint8, else as float32

    Its outputs are `label` (N,) and `probabilities` (N, K) for classes, `label` (N, K) of ones and zeros and
    `probabilities` for several classes at once, and `prediction`, (N,) or (N, K), for numbers.
    Raises ModelError for a layer that has no form in standard operators.
    """
    graph = Graph()
    x = graph.add_input("input", "uint8" if pixels else "float32", card.input_shape)
    logits = graph.as_float("", lower(model, Place(graph, "", params, card.input_shape), x))
    (outputs,) = model.output_shape(card.input_shape)
    _HEADS[kind](graph, logits, card, outputs)
    return graph


def _classify(graph: Graph, logits: str, card: ModelCard, outputs: int) -> None:
    labels = _labels(card, outputs)
    code = graph.add("", "ArgMax", logits, axis=1, keepdims=0)
    graph.add("", "Gather", graph.constant("classes", labels), code, axis=0, output="label")
    graph.add("", "Softmax", logits, axis=1, output="probabilities")
    dtype = "str" if labels.dtype.kind == "U" else labels.dtype.name
    graph.outputs += [Value("label", dtype, ()), Value("probabilities", "float32", (outputs,))]


def _multilabel(graph: Graph, logits: str, card: ModelCard, outputs: int) -> None:
    positive = graph.add("", "Greater", logits, graph.constant("zero", np.zeros((), np.float32)))
    graph.add("", "Cast", positive, to="int64", output="label")
    graph.add("", "Sigmoid", logits, output="probabilities")
    graph.outputs += [Value("label", "int64", (outputs,)), Value("probabilities", "float32", (outputs,))]


def _regress(graph: Graph, numbers: str, card: ModelCard, outputs: int) -> None:
    single = outputs == 1  # one number for each row has no second axis, as in predict
    graph.add("", "Reshape", numbers, shape=[-1] if single else [0, outputs], output="prediction")
    graph.outputs.append(Value("prediction", "float32", () if single else (outputs,)))


def _count(graph: Graph, numbers: str, card: ModelCard, outputs: int) -> None:
    _regress(graph, graph.add("", "Exp", numbers), card, outputs)


def _labels(card: ModelCard, outputs: int) -> HostArray:
    """The labels in the order of the outputs: those of the classes, or their numbers where they have no names."""
    if card.class_kind is None:
        return np.arange(outputs)
    labels = card.class_kind.labels(card.classes)
    return np.array(card.classes, np.str_) if labels.dtype.kind in "OS" else labels


_HEADS = {
    TaskKind.CLASSIFY: _classify,
    TaskKind.MULTILABEL: _multilabel,
    TaskKind.REGRESS: _regress,
    TaskKind.COUNT: _count,
}
