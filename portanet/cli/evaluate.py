"""portanet evaluate: a model's metrics on labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from portanet._text import plain
from portanet.cli import options
from portanet.cli.terminal import echo

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

_TOP = 5  # classes among which the label counts as found, if there are more


@click.command()
@click.argument("model", type=options.MODEL)
@click.argument("data", required=False, metavar="[DATA]")
@click.option("--label", metavar="COLUMN", help="Label column of a CSV.  [default: label]")
@options.backend
@click.option("--details", is_flag=True, help="Also each class's precision, recall and F1, and which are confused.")
@options.as_json
@options.debug
def command(
    model: Path, data: str | None, label: str | None, backend: str, device: str | None, details: bool, as_json: bool
) -> None:
    """Measure a model's accuracy and loss on labelled data; R2 and loss for a regression model.

    MODEL is a model.safetensors or the run folder that holds one. DATA is as for train; without it, a model
    trained on MNIST is measured on mnist:test.
    """
    from portanet import backends
    from portanet.cli import facts
    from portanet.errors import ConfigError
    from portanet.metrics import LOSS
    from portanet.training.model import load

    run = load(model, backend=backends.choose(backend, device))
    trained_on = run.about.get("data", {}).get("name", "data unknown")
    if data is None and trained_on not in ("mnist", "mnist:article"):
        raise ConfigError(f"name the data to evaluate on; this model was trained on {trained_on}.")
    if details and not run.task.is_classification:
        raise ConfigError("--details is for classes, and this model predicts numbers; leave it out.")
    rows = facts.read_for(run, "mnist:test" if data is None else data, label)
    result: dict[str, Any] = run.evaluate(rows.x, rows.require_labels())
    if details:
        result |= _details(run, rows.x, rows.require_labels())
    if as_json:
        options.print_json(result)
        return
    shown = "  ".join(f"{metric.title} {metric.text(result[metric.key])}" for metric in (run.task.metric, LOSS))
    echo(f"{shown}  samples {result['samples']}")
    if details:
        _print_details(result)


def _details(run: TrainedModel, x: Any, labels: Any) -> dict[str, Any]:
    """Measures of each class, and of how far the probabilities can be trusted."""
    from portanet import metrics
    from portanet.cli import facts
    from portanet.nn import softmax

    names = facts.class_names(run)
    logits: Any = run.outputs(x)
    confusion: Any = metrics.confusion_matrix(logits.argmax(axis=1).astype(labels.dtype), labels, len(names))
    among_top: Any = metrics.top_k(logits, labels, min(_TOP, len(names)))
    top = {f"top_{_TOP}_accuracy": int(among_top) / len(labels)} if len(names) > _TOP else {}
    calibration: Any = metrics.calibration_error(softmax(logits), labels)
    of_class: Any = metrics.precision_recall_f1(confusion)
    return top | {
        "calibration_error": float(calibration),
        "classes": {
            name: {"precision": float(p), "recall": float(r), "f1": float(f), "samples": int(n)}
            for name, p, r, f, n in zip(names, *of_class, confusion.sum(axis=1), strict=True)
        },
        "confusion": confusion.astype(int).tolist(),
    }


def _print_details(result: dict[str, Any]) -> None:
    if f"top_{_TOP}_accuracy" in result:
        echo(f"top {_TOP} accuracy {result[f'top_{_TOP}_accuracy']:.2%}")
    echo(f"calibration error {result['calibration_error']:.4f}\n")
    names = [plain(name) for name in result["classes"]]
    width = max(5, *map(len, names))
    echo(f"{'class':{width}}  precision   recall       F1  samples")
    for name, measures in zip(names, result["classes"].values(), strict=True):
        shares = f"{measures['precision']:9.2%}  {measures['recall']:7.2%}  {measures['f1']:7.2%}"
        echo(f"{name:{width}}  {shares}  {measures['samples']:7,}")
    pairs = [
        (count, true, predicted)
        for true, row in zip(names, result["confusion"], strict=True)
        for predicted, count in zip(names, row, strict=True)
        if count and true != predicted
    ]
    if pairs:
        echo("\nmost often confused")
    for count, true, predicted in sorted(pairs, key=lambda pair: -pair[0])[:5]:
        echo(f"{count:{width},}  of class {true} taken for {predicted}")
