"""A trained model as a record, as a report and a plot take it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from portanet.report.figure import Page
from portanet.report.page import page, require_packages
from portanet.storage.run_record import RunRecord
from portanet.training.inputs.validation import pair_of
from portanet.training.trained.evidence import evidence_of
from portanet.training.trained.summary import layers

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


def record_of(run: TrainedModel, name: str) -> RunRecord:
    """The record of a model's training, as run.json and history.jsonl hold it."""
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


def report_of(run: TrainedModel, path: str | Path | None, x: Any = None, labels: Any = None) -> Page | Path:
    """The report of a model, measured on these rows, or on those that it was validated on; with a path, written."""
    require_packages()
    name = "report" if path is None else Path(path).stem
    rows, (x, labels) = ("given", (x, labels)) if x is not None else ("validation", pair_of(run.held_out))
    shown = Page(name, page(record_of(run, name), None if x is None else evidence_of(run, rows, x, labels)))
    if path is None:
        return shown
    return shown.write_html(Path(path) / "report.html" if Path(path).is_dir() else path)
