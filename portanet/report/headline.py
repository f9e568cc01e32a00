"""The first lines of a report: the score in large figures, what it is to be compared with, how the run ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.metrics import ACCURACY, METRICS, R2, Metric
from portanet.report import ending, tables
from portanet.report.chart import number
from portanet.report.errors import root_mean_square
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_MEASURED = {"valid": "Validation", "test": "Test", "final_train": "Training", "train": "Last logged training"}
_HEADS = {
    "valid": "Validation", "test": "Test", "valid baseline": "Validation, always answering alike",
    "test baseline": "Test, always answering alike",
}  # fmt: skip


def section(record: RunRecord, evidence: Evidence | None = None) -> Object:
    """What templates/headline.html.j2 shows."""
    return {
        "figures": figures(record, evidence),
        "error": _error(evidence),
        "sentences": [text for text in (ending.why(record), ending.which(record)) if text],
        "scores": scores(record),
        "facts": tables.facts(record),
        "targets": targets(record),
    }


def figures(record: RunRecord, evidence: Evidence | None = None) -> list[Object]:
    """The scores: the first one, of rows that the model did not learn from if there are any, with its baseline."""
    found: list[Object] = []
    for rows, title in _MEASURED.items():
        for metric in METRICS:
            value = record.result.get(f"{rows}_{metric.key}")
            if value is not None and not (rows == "train" and found):
                found.append(_figure(f"{title} {metric.title}", metric, value) | {"rows": rows})
    if not found and evidence is not None and evidence.metric is not None:
        found = [_figure(f"{evidence.rows.capitalize()} {evidence.metric.title}", evidence.metric, evidence.score)]
    if found:
        _compare(found[0], _section(record.result.get("baseline"), found[0].get("rows")), evidence)
    return found


def scores(record: RunRecord) -> Object | None:
    """Everything that was measured, beside what always answering alike scores; None where that is not recorded."""
    names = {rows: _section(record.result.get("scores"), rows) for rows in ("valid", "test")}
    names |= {f"{rows} baseline": _section(record.result.get("baseline"), rows) for rows in ("valid", "test")}
    measured = {rows: values for rows, values in names.items() if values}
    lines = [
        (metric.title, [_text(metric, values.get(metric.key)) for values in measured.values()])
        for metric in METRICS
        if any(metric.key in values for values in measured.values())
    ]
    return {"heads": [_HEADS[rows] for rows in measured], "lines": lines} if lines else None


def targets(record: RunRecord) -> Object | None:
    """The scores of each of several targets, on the first rows that were not learnt from; None for one target."""
    for rows in ("valid", "test"):
        found = {name: scores for name, scores in _section(record.result.get("targets"), rows).items()
                 if isinstance(scores, dict)}  # fmt: skip
        known = [metric for metric in METRICS if any(metric.key in scores for scores in found.values())]
        if known:
            lines = [(name, [_text(m, scores.get(m.key)) for m in known]) for name, scores in found.items()]
            return {"heads": [metric.title for metric in known], "lines": lines, "rows": _MEASURED[rows]}
    return None


def _section(value: Any, rows: Any) -> Object:
    found = value.get(rows) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _text(metric: Metric, value: Any) -> str:
    return metric.text(value) if _is_number(value) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _figure(title: str, metric: Metric, value: Any) -> Object:
    is_number = _is_number(value)
    share = min(1.0, max(0.0, float(value))) if is_number and metric.higher_is_better else None
    text = metric.text(value) if is_number else str(value)[:40]
    return {"title": title, "text": text, "share": share, "metric": metric, "baseline": None, "compared": ""}


def _compare(figure: Object, simple: Object, evidence: Evidence | None) -> None:
    """Add what an answer without any learning scores, as the record has it, or else of the rows at hand."""
    share, metric = simple.get(figure["metric"].key), figure["metric"]
    if evidence is None:
        on, name = "", "the commonest class"
    else:
        on = f", on {evidence.total:,} rows"
        common = evidence.targets if evidence.has_one_class else np.zeros(1)
        counts = np.bincount(common.astype(np.int64), minlength=len(evidence.classes))
        name = evidence.classes[int(counts.argmax())] if evidence.has_one_class else ""
        share = float(counts.max() / counts.sum()) if share is None and evidence.has_one_class else share
    if metric is ACCURACY and _is_number(share) and name:
        figure["baseline"], figure["compared"] = share, f"{share:.2%} by always answering {name}{on}"
    elif metric is R2:
        figure["baseline"], figure["compared"] = 0.0, f"0 by always answering the mean, 1 is perfect{on}"


def _error(evidence: Evidence | None) -> Object | None:
    """The typical error of a number in its unit, and that of the mean; of several there is not one unit."""
    if evidence is None or not evidence.has_numbers or len(evidence.target_names) > 1:
        return None
    residuals = evidence.targets - evidence.outputs
    spread = evidence.targets - evidence.targets.mean(axis=0)
    rmse, mean = root_mean_square(residuals), root_mean_square(spread)
    return {
        "title": f"{evidence.rows.capitalize()} error (RMSE)",
        "text": number(rmse),
        "compared": f"{number(mean)} by always answering the mean",
        "label": evidence.target_names[0],
        "mean": number(float(np.abs(residuals).mean())),
    }
