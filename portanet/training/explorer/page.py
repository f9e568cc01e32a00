"""A trained model as one HTML page that runs it, with quantised weights and example rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from portanet._text import shown
from portanet._tree import tree_map
from portanet._typing import Params
from portanet.data import Dataset
from portanet.data.pictures.digit import SIDE, are_digits
from portanet.errors import ConfigError
from portanet.export.explorer import explorer_page
from portanet.export.model_graph import model_graph
from portanet.export.rounding import FLOAT16, INT8, round_params
from portanet.nn.losses.loss import TaskKind
from portanet.storage import atomic
from portanet.training.explorer.fields import fields_of
from portanet.training.explorer.replay import replay_of
from portanet.training.explorer.rows import ARRAY, examples_of, require_examples
from portanet.training.inputs.arrays import to_host
from portanet.training.model import TrainedModel
from portanet.training.snapshots import Snapshots
from portanet.training.trained.intervals import coverage_of
from portanet.training.trained.measure import target_names
from portanet.training.trained.params import TrainedParams
from portanet.training.trained.summary import layers

AUTO = "auto"
_POINTS = 0.001  # the largest loss of score in int8
_MEASURED = 10_000  # rows at most, that the score is measured on
_LOOKED_AT = 200  # rows at most, that decide whether the images are digits


def explore(
    run: TrainedModel, path: Path, *, examples: Any = None, precision: str = AUTO,
    snapshots: Snapshots | Mapping[int, Params] | None = None,
) -> TrainedModel:  # fmt: skip
    """Write the page; return the model with the rounded parameters of the page.

    examples   labelled rows that the model was not trained on: the page shows some, and `auto` measures on them
    precision  int8, float16 or float32; auto is int8 where the score stays within 0.1 points, else float16
    snapshots  arrays by step, as in `Snapshots.kept`, to replay the training

    Raises ConfigError for other settings, ModelError for a layer that the page cannot run.
    """
    rows, kept = require_examples(examples), _kept(snapshots)
    rounded = _rounded(run, rows, precision)
    host = tree_map(dict(rounded.params), to_host)
    graph = model_graph(run.model, host, run.card, getattr(run.loss, "task", TaskKind.CLASSIFY))
    facts, arrays = _facts(rounded, rows, _title(run, path.stem)), {}
    if rows is not None:
        facts["examples"], arrays[ARRAY] = examples_of(rounded, rows)
    if not run.card.has_images:
        facts["fields"] = fields_of(run.card, host, arrays.get(ARRAY))
    if kept:
        facts["snapshots"], replayed = replay_of(rounded, graph, kept, rounded.about["precision"])
        arrays |= replayed
    atomic.write(path, explorer_page(graph, facts, arrays))
    return rounded


def _kept(snapshots: Any) -> Mapping[int, Params]:
    """The arrays by step; raises ConfigError for anything else."""
    kept = getattr(snapshots, "kept", snapshots)
    if kept is not None and not isinstance(kept, Mapping):
        raise ConfigError(
            f"snapshots must be the callback Snapshots that the run was given, got {shown(snapshots)}.",
            remedy="make it first, as in kept = Snapshots(); fit(..., callbacks=[kept])",
        )
    return kept or {}


def _rounded(run: TrainedModel, examples: Dataset | None, precision: str) -> TrainedModel:
    """The model in this precision; for auto, the lowest precision that keeps its score."""
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


def _facts(run: TrainedModel, rows: Dataset | None, title: str) -> dict[str, Any]:
    """The facts about the model that the page shows."""
    card, levels = run.card, max(1, len(run.card.levels))
    [outputs] = run.model.output_shape(run.input_shape)
    return {
        "title": title,
        "task": run.task.name,
        "classes": list(card.classes) or list(map(str, range(outputs // levels))),
        "levels": levels,
        "coverage": coverage_of(card),
        "label": card.label if isinstance(card.label, str) else None,
        "targets": list(target_names(run)),
        "columns": card.columns,
        "table": card.table and card.table.to_dict(),
        "digits": _takes_digits(run, rows),
        "precision": run.about["precision"],
        "score": _score(run, rows),
        "layers": layers(run.model, run.params, run.input_shape),
    }


def _title(run: TrainedModel, name: str) -> str:
    """A title for the model: its preset and data if both are known, else this name."""
    preset, data = run.about.get("preset"), run.about.get("data")
    return f"{preset}, trained on {data.get('name')}" if preset and isinstance(data, dict) else name


def _takes_digits(run: TrainedModel, rows: Dataset | None) -> bool:
    """Whether to prepare drawings like MNIST's digits: decided by the rows, or without rows by the input shape."""
    if run.input_shape != (1, SIDE, SIDE) or not run.card.pixels:
        return False
    return rows is None or are_digits(np.asarray(rows.x[: min(len(rows), _LOOKED_AT)]))


def _score(run: TrainedModel, rows: Dataset | None) -> str:
    """The score of the page's model as text."""
    if rows is None:
        return ""
    metric, count = run.task.metric, min(len(rows), _MEASURED)
    value = run.evaluate(rows.rows(slice(0, count)))[metric.key]
    return f"{metric.title} {metric.text(float(value))} on {count:,} rows of {rows.name}"
