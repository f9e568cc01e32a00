"""portanet evaluate: a model's metrics on labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from portanet._text import plain
from portanet.cli import options, reading
from portanet.cli.groups import Grouped
from portanet.cli.terminal import echo

if TYPE_CHECKING:
    from portanet.metrics import Metric
    from portanet.training.model import TrainedModel

_TOP = 5  # the k of the top-k accuracy, if there are more classes
_PAIRS = 5  # pairs of classes most often confused
_SHOWN = 100  # classes in a table, at most
_MATRIX = 1000  # classes with a confusion matrix, at most
_VALUES = 2**23  # outputs that are computed at once


@click.command(cls=Grouped, groups={"Data": ("--label", *(f"--{name}" for name in reading.NAMES)), "Output": ()})
@click.argument("model", type=options.MODEL)
@click.argument("data", required=False, metavar="[DATA]")
@options.label("Label column of a CSV; may be repeated, for a model of several.  [default: the model's]")
@reading.options
@options.backend
@click.option("--details", is_flag=True, help="Also each class's precision, recall and F1, and which are confused.")
@options.as_json
@options.debug
def command(
    model: Path,
    data: str | None,
    label: str | tuple[str, ...] | None,
    backend: str,
    device: str | None,
    details: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure a model on labelled data: accuracy, loss and more; R2 and errors for a regression model.

    MODEL is a model.safetensors or the run folder that holds one. DATA is as for train; without it, a model
    trained on MNIST is measured on mnist:test.
    """
    from portanet import backends
    from portanet.cli import facts
    from portanet.errors import ConfigError
    from portanet.metrics import LOSS
    from portanet.training.model import load
    from portanet.training.trained.scores import known_metrics

    run = load(model, backend=backends.choose(backend, device))
    trained_on = run.about.get("data", {}).get("name", "data unknown")
    if data is None and trained_on not in ("mnist", "mnist:article"):
        raise ConfigError(f"name the data to evaluate on; this model was trained on {trained_on}.")
    if details and not run.task.is_classification:
        raise ConfigError("--details is for classes, and this model predicts numbers; leave it out.")
    if details and not run.task.has_one_class:
        raise ConfigError("--details is for one class a row, and this model predicts several; leave it out.")
    source = "mnist:test" if data is None else data
    rows = facts.read_for(run, source, label, **reading.arguments(reading.places(asked)))
    for note in rows.notes:
        echo(f"portanet: {note}", err=True)
    result = run.evaluate(rows)
    targets = result.get("targets", {})
    if details:
        result |= _details(run, rows.x, rows.require_targets())
    if as_json:
        options.print_json(result)
        return
    shown = "  ".join(f"{metric.title} {metric.text(result[metric.key])}" for metric in (run.task.metric, LOSS))
    echo(f"{shown}  samples {result['samples']}" + (f"  mean of {len(targets)} targets" if targets else ""))
    measured = result if not targets else set().union(*targets.values())
    further = [metric for metric in known_metrics(run.task)[1:-1] if metric.key in measured]
    for metric in [] if targets else further:
        echo(f"{metric.title:24}{metric.text(result[metric.key])}")
    if targets:
        _print_targets(targets, [run.task.metric, *further])
    if details:
        _print_details(result)


def _print_targets(targets: dict[str, dict[str, float]], metrics: list[Metric]) -> None:
    """A line for each target, a column for each metric."""
    width = max(map(len, map(plain, targets)))
    echo(" " * width + "".join(f"  {metric.title}" for metric in metrics))
    for name, scores in targets.items():
        cells = [metric.text(scores[metric.key]) if metric.key in scores else "" for metric in metrics]
        shown = "".join(f"  {cell:>{len(metric.title)}}" for cell, metric in zip(cells, metrics, strict=True))
        echo(f"{plain(name):{width}}{shown}")


def _details(run: TrainedModel, x: Any, labels: Any) -> dict[str, Any]:
    """Metrics of each class and of the calibration; their memory grows with the number of rows."""
    import numpy as np

    from portanet import metrics
    from portanet.cli import facts
    from portanet.nn import softmax

    names = facts.class_names(run)
    classes, among_top = len(names), 0
    predicted, confidence = np.empty(len(labels), np.int64), np.empty(len(labels), np.float64)
    size = max(2048, _VALUES // classes // 2048 * 2048)
    for start in range(0, len(labels), size):
        block = slice(start, min(start + size, len(labels)))
        logits: Any = run.outputs(x[block, ...])
        found: Any = metrics.top_k(logits, labels[block], min(_TOP, classes))
        shares: Any = softmax(logits)
        among_top += int(found)
        predicted[block], confidence[block] = logits.argmax(axis=1), shares.max(axis=1)
    confidences: Any = confidence[:, None]  # as for one class, right if the label is 0
    misses: Any = (predicted != labels).astype(np.int32)
    calibration: Any = metrics.calibration_error(confidences, misses)
    pairs, counts = np.unique(labels.astype(np.int64) * classes + predicted, return_counts=True)
    true, guessed = np.divmod(pairs, classes)
    totals: list[Any] = [
        np.bincount(numbers, weights=counts * hits, minlength=classes).astype(np.float32)
        for numbers, hits in ((true, true == guessed), (guessed, 1), (true, 1))
    ]
    of_class: Any = metrics.precision_recall_f1_from(*totals)
    result: dict[str, Any] = {f"top_{_TOP}_accuracy": among_top / len(labels)} if classes > _TOP else {}
    result |= {
        "calibration_error": float(calibration),
        "classes": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "samples": int(n)}
            for name, p, r, f, n in zip(names, *of_class, totals[2], strict=True)
        },
    }
    wrong = sorted(zip(counts.tolist(), true.tolist(), guessed.tolist()), key=lambda pair: -pair[0])
    result["confused"] = [{"rows": count, "true": names[i], "predicted": names[j]} for count, i, j in wrong if i != j][
        :_PAIRS
    ]
    if classes <= _MATRIX:
        confusion = np.zeros((classes, classes), np.int64)
        confusion[true, guessed] = counts
        result["confusion"] = confusion.tolist()
    return result


def _print_details(result: dict[str, Any]) -> None:
    if f"top_{_TOP}_accuracy" in result:
        echo(f"top {_TOP} accuracy {result[f'top_{_TOP}_accuracy']:.2%}")
    echo(f"calibration error {result['calibration_error']:.4f}\n")
    names = [plain(name) for name in result["classes"]][:_SHOWN]
    width = max(5, *map(len, names))
    echo(f"{'class':{width}}  precision   recall       F1  samples")
    for name, measures in zip(names, result["classes"].values(), strict=False):
        shares = f"{measures['precision']:9.2%}  {measures['recall']:7.2%}  {measures['f1']:7.2%}"
        echo(f"{name:{width}}  {shares}  {measures['samples']:7,}")
    if (more := len(result["classes"]) - _SHOWN) > 0:
        echo(f"and {more:,} more, which --json has")
    if result["confused"]:
        echo("\nmost often confused")
    for pair in result["confused"]:
        echo(f"{pair['rows']:{width},}  of class {plain(pair['true'])} taken for {plain(pair['predicted'])}")
