"""A trained model as a record, as a report and a plot take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portanet.storage.run_record import RunRecord
from portanet.training.summary import layers

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel


def record_of(run: TrainedModel, name: str) -> RunRecord:
    """What is known of a model's training, as run.json and history.jsonl hold it."""
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
