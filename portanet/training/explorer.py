"""A trained model as one HTML page that runs it: its weights in few bits, with examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from portanet._tree import tree_map
from portanet.data import Dataset
from portanet.export.explorer import explorer_page
from portanet.export.model_graph import model_graph
from portanet.export.rounding import FLOAT16, INT8, round_params
from portanet.nn.losses.loss import TaskKind
from portanet.storage import atomic
from portanet.training.arrays import to_host
from portanet.training.model import TrainedModel
from portanet.training.summary import layers
from portanet.training.weights import TrainedParams

AUTO = "auto"
_POINTS = 0.001  # that the score may fall by in int8
_MEASURED = 10_000  # rows at most


def explore(
    run: TrainedModel, path: Path, *, examples: Dataset | None = None, precision: str = AUTO, title: str = ""
) -> TrainedModel:
    """Write the page; return the model as the page has it, with its rounded parameters.

    examples   labelled rows that the model has not learnt from: some are in the page, and `auto` measures on them
    precision  int8, float16 or float32; auto is int8 where the score stays within 0.1 points, else float16

    Raises ConfigError for another precision, ModelError for a layer that the page cannot run.
    """
    rounded = _rounded(run, examples, precision)
    host = tree_map(dict(rounded.params), to_host)
    graph = model_graph(run.model, host, run.card, getattr(run.loss, "task", TaskKind.CLASSIFY))
    page = explorer_page(graph, _facts(rounded, title or path.stem), {})
    atomic.write(path, page)
    return rounded


def _rounded(run: TrainedModel, examples: Dataset | None, precision: str) -> TrainedModel:
    """The model in the precision that is asked for, or that keeps its score."""
    if precision != AUTO:
        return _in(run, precision)
    if examples is None:
        return _in(run, FLOAT16)
    measured = examples.rows(slice(0, min(len(examples), _MEASURED)))
    narrow, key = _in(run, INT8), run.task.metric.key
    lost = run.evaluate(measured)[key] - narrow.evaluate(measured)[key]
    return narrow if lost <= _POINTS else _in(run, FLOAT16)


def _in(run: TrainedModel, precision: str) -> TrainedModel:
    host = round_params(tree_map(dict(run.params), to_host), precision)
    params = tree_map(host, lambda array: run.backend.put(array, run.dtype))
    about = run.about | {"precision": precision}
    return replace(run, params=TrainedParams(params, run.card), about=about, history=[])


def _facts(run: TrainedModel, title: str) -> dict[str, Any]:
    return {
        "title": title,
        "task": run.task.name,
        "classes": _classes(run),
        "precision": run.about["precision"],
        "layers": layers(run.model, run.params, run.input_shape),
    }


def _classes(run: TrainedModel) -> list[str]:
    """What each output is for: the names of the classes, or numbers from 0."""
    return list(run.card.classes) or list(map(str, range(run.model.output_shape(run.input_shape)[0])))
