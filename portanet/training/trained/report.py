"""The HTML report of a trained model: the record of its training, and its predictions on labelled rows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._tree import tree_get
from portanet._typing import HostArray, Shape
from portanet.nn.layer import Layer
from portanet.report.evidence import Evidence
from portanet.report.figure import Page
from portanet.report.page import page, require_packages
from portanet.rng import SHUFFLE, generator
from portanet.storage.run_record import RunRecord
from portanet.training.inputs.arrays import to_host
from portanet.training.inputs.units import Unit
from portanet.training.inputs.validation import pair_of, rows_at
from portanet.training.trained.intervals import bounds, coverage_of
from portanet.training.trained.summary import layers

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

_ROWS = 10_000  # at most, that a report measures on
_VALUES = 2**26  # at most, in all these rows; _FEW rows in any case
_FEW = 5
_SHUFFLED = 1000  # of these rows, for the importance of columns
_CELLS = 200_000  # at most, in the rows predicted with one column shuffled
_COLUMNS = 500


def record_of(run: TrainedModel, name: str) -> RunRecord:
    """The record of a model's training, as in run.json and history.jsonl."""
    result = run.about.get("scores", {}) | {
        "steps": run.about.get("steps", run.steps), "backend": run.backend.name, "device": run.backend.device,
        "dtype": run.dtype, "seed": run.spec.seed,
    }  # fmt: skip
    if run.history:
        key = run.task.metric.key
        result |= {"seconds": run.seconds, "stopped": run.stopped, f"train_{key}": run.history[-1].get(key)}
    return RunRecord(
        name=name,
        preset=run.about.get("preset"),
        result=result,
        spec=run.spec.to_dict(),
        data=run.about.get("data", {}) | {"classes": list(run.card.classes)},
        layers=layers(run.model, run.params, run.input_shape),
        history=run.history,
    )


def evidence_of(run: TrainedModel, rows: str, x: Any, labels: Any = None) -> Evidence:
    """The model's predictions for rows with labels, as `evaluate` takes them; at most 10,000 rows, evenly spaced.

    rows  the kind of rows: "validation", "test", "training" or "given"
    """
    total = len(x) if labels is None else len(labels)
    [outputs] = run.model.output_shape(run.input_shape)
    most = max(_FEW, min(_ROWS, _VALUES // max(math.prod(run.input_shape), outputs)))
    index = np.unique(np.linspace(0, total - 1, min(total, most)).astype(np.int64))
    x, labels = (
        (rows_at(x, index), None if labels is None else rows_at(labels, index)) if len(index) < total else (x, labels)
    )
    with run.backend.session(run.dtype):
        source, targets = run.labelled(x, labels)
        host = np.asarray(source.host_rows)
    logits = run.outputs(x)
    answers = run.probabilities(x) if run.task.is_classification else _predicted(run, logits)
    numbers = Unit.of_card(run.card).numbers(targets)
    importance = _importance(run, host, logits, numbers) if host.ndim == 2 else {}
    return Evidence(
        rows, total, host, _single(run, targets), answers, run.card, _classes(run),
        metric=run.task.metric, score=_score(run, logits, numbers), importance=importance, filters=_filters(run),
        bounds=bounds(run.wide(logits), run.card) if coverage_of(run.card) else None, coverage=coverage_of(run.card),
    )  # fmt: skip


def report_of(run: TrainedModel, path: str | Path | None, x: Any = None, labels: Any = None) -> Page | Path:
    """The report of a model, measured on these rows or on its validation rows; with a path, written to a file."""
    require_packages()
    name = "report" if path is None else Path(path).stem
    rows, (x, labels) = ("given", (x, labels)) if x is not None else ("validation", pair_of(run.held_out))
    shown = Page(name, page(record_of(run, name), None if x is None else evidence_of(run, rows, x, labels)))
    if path is None:
        return shown
    return shown.write_html(Path(path) / "report.html" if Path(path).is_dir() else path)


def _classes(run: TrainedModel) -> tuple[str, ...]:
    """The name or number of each class; empty for a regression."""
    if not run.task.is_classification:
        return ()
    outputs = run.model.output_shape(run.input_shape)[0]
    return run.card.classes if len(run.card.classes) == outputs else tuple(map(str, range(outputs)))


def _single(run: TrainedModel, targets: HostArray) -> HostArray:
    """Class numbers; of class probabilities, the most probable class."""
    return np.asarray(np.argmax(targets, axis=1)) if run.task.has_one_class and targets.ndim == 2 else targets


def _predicted(run: TrainedModel, outputs: HostArray) -> HostArray:
    """Predictions in the unit of the targets, (N, K)."""
    wide: Any = outputs.astype(np.float64)
    return Unit.of_card(run.card).targets(np.asarray(run.task.predictions(wide)).reshape(len(wide), -1))


def _score(run: TrainedModel, outputs: HostArray, numbers: HostArray) -> float:
    """The metric of the model's task."""
    wide: Any = outputs.astype(np.float64)
    expected: Any = numbers
    return run.task.finalize(run.task.partial(wide, expected), numbers)


def _importance(run: TrainedModel, x: HostArray, outputs: HostArray, numbers: HostArray) -> dict[str, float]:
    """Permutation importance: the score lost when a column's values are shuffled (Breiman 2001, section 10)."""
    columns = Evidence("", 0, x, numbers, outputs, run.card).column_indices
    if not 1 < len(columns) <= _COLUMNS:
        return {}
    count = min(len(x), _SHUFFLED, max(50, _CELLS // len(columns)))
    x, outputs, numbers = x[:count], outputs[:count], numbers[:count]
    whole, order = _score(run, outputs, numbers), generator(0, SHUFFLE).permutation(count)
    lost = {}
    for name, places in columns.items():
        shuffled = x.copy()
        shuffled[:, places] = x[order][:, places]
        lost[name] = whole - _score(run, run.outputs(shuffled), numbers)
    return lost


def _filters(run: TrainedModel) -> HostArray | None:
    """The weights of the first trained layer, (units, C, H, W), if its input is an image."""
    for path, layer, shape in _layers(run.model, run.input_shape, ()):
        if "weight" in layer.trainable_names:
            weight: Any = to_host(tree_get(run.params, (*path, "weight")))
            if weight.ndim == 4:
                return weight
            is_image = len(run.input_shape) == 3 and shape == (math.prod(run.input_shape),)
            return weight.T.reshape(-1, *run.input_shape) if is_image and weight.ndim == 2 else None
    return None


def _layers(layer: Layer, shape: Shape, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Layer, Shape]]:
    """The layers in order, each with the path of its arrays and its input shape."""
    yield path, layer, shape
    for name, child, child_shape in layer.children_with_shapes(shape):
        yield from _layers(child, child_shape, (*path, name))
