"""Why a run ended, and which epoch's weights it kept."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from portanet.metrics import METRICS, Metric
from portanet.storage.run_record import Object, RunRecord

_KEEPING = ("KeepBest", "EarlyStopping")  # callbacks that end with the best weights

_WHY = {
    "early stopping": "It stopped early",
    "interrupted": "It was interrupted",
    "time limit": "Its time limit stopped it",
    "diverged": "It diverged: a loss or a weight was no longer a finite number",
}


class Kept(NamedTuple):
    """The row of the history that is marked in the charts.

    row      its index
    label    "kept" if the model has its weights, "best" if the model has the last ones
    epoch    as text
    monitor  the key that was best there
    """

    row: int
    label: str
    epoch: str
    monitor: str


def why(record: RunRecord) -> str:
    """Why the run ended, in a sentence; empty if the record does not say."""
    stopped, last = str(record.result.get("stopped") or ""), record.history[-1] if record.history else {}
    epoch, epochs = last.get("epoch"), record.spec.get("epochs")
    if stopped == "finished":
        return f"All {epochs} epochs were run." if epochs != 1 else "Its one epoch was run."
    if stopped not in _WHY:
        return "" if record.result else "This run has not finished."
    patience = _keeping(record).get("patience") if stopped == "early stopping" else None
    reason = f": no better {_title(_keeping(record).get('monitor'))} in {patience} logged epochs" if patience else ""
    return f"{_WHY[stopped]} after epoch {epoch} of {epochs}{reason}." if epoch is not None else f"{_WHY[stopped]}."


def which(record: RunRecord) -> str:
    """Which epoch's weights the model has, in a sentence."""
    best = kept(record)
    if best is None:
        return ""
    value, last = record.history[best.row][best.monitor], best.row == len(record.history) - 1
    metric = _metric(best.monitor)
    was = (
        f"the {_title(best.monitor)} was best ({value:.4g})"
        if metric is None
        else f"the {_title(best.monitor)} was best ({metric.text(value)})"
    )
    if best.label == "kept":
        return f"The weights are those of epoch {best.epoch}, where {was}."
    return "" if last else f"The weights are those of the last epoch; in epoch {best.epoch} {was}."


def kept(record: RunRecord) -> Kept | None:
    """The row of the history whose weights were kept, else the best one on the validation rows; None without any."""
    callback = _keeping(record)
    monitor = callback.get("monitor") if callback else None
    if isinstance(monitor, str) and (row := _best(record, callback, monitor)) is not None:
        return Kept(row, "kept", _epoch(record, row), monitor)
    for metric in METRICS:
        key = f"valid_{metric.key}"
        if (row := _best(record, {"type": "EarlyStopping"}, key)) is not None:
            return Kept(row, "best", _epoch(record, row), key)
    return None


def _epoch(record: RunRecord, row: int) -> str:
    return str(record.history[row].get("epoch", row + 1))


def _keeping(record: RunRecord) -> Object:
    """The settings of the callback that ends with the best weights."""
    callbacks: Any = record.spec.get("callbacks")
    entries = [entry for entry in callbacks if isinstance(entry, dict)] if isinstance(callbacks, list) else []
    return next((entry for entry in entries if entry.get("type") in _KEEPING), {})


def _best(record: RunRecord, callback: Object, monitor: str) -> int | None:
    """The index of the row whose monitored value the callback takes for the best."""
    sign = 1.0 if _is_higher_better(monitor) else -1.0
    change, takes_ties = callback.get("min_change") or 0.0, callback.get("type") == "KeepBest"
    best, best_row = -math.inf, None
    for index, row in enumerate(record.history):
        value = row.get(monitor)
        if isinstance(value, int | float) and math.isfinite(value) and isinstance(change, int | float):
            least = best + (change if best_row is not None else 0)
            is_better = sign * value >= best if takes_ties else sign * value > least
            best, best_row = (sign * value, index) if is_better else (best, best_row)
    return best_row


def _is_higher_better(monitor: str) -> bool:
    metric = _metric(monitor)
    return not monitor.endswith("loss") if metric is None else metric.higher_is_better


def _metric(monitor: str) -> Metric | None:
    return {metric.key: metric for metric in METRICS}.get(monitor.removeprefix("valid_"))


def _title(monitor: Any) -> str:
    name = str(monitor or "score")
    return f"validation {name.removeprefix('valid_')}" if name.startswith("valid_") else f"training {name}"
