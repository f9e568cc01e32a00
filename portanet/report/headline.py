"""The head of a report: the score beside its baseline, and how the run ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.metrics import ACCURACY, METRICS, R2, RMSE, Metric
from portanet.report import ending, tables
from portanet.report.chart import number
from portanet.report.errors import root_mean_square
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_TITLES = {"valid": "Validation", "test": "Test", "final_train": "Training", "train": "Last logged training"}
_HEADS = {
    "valid": "Validation", "test": "Test", "valid baseline": "Validation baseline", "test baseline": "Test baseline",
}  # fmt: skip


def section(record: RunRecord, evidence: Evidence | None = None) -> Object:
    """Return the content of templates/headline.html.j2."""
    return {
        "figures": figures(record, evidence),
        "error": _error(record, evidence),
        "sentences": [text for text in (ending.why(record), ending.which(record)) if text],
        "scores": scores(record),
        "facts": tables.facts(record),
        "targets": targets(record),
    }


def figures(record: RunRecord, evidence: Evidence | None = None) -> list[Object]:
    """The scores, those on held-out rows first; the first one has its baseline."""
    entries: list[Object] = []
    for rows, title in _TITLES.items():
        for metric in METRICS:
            value = record.result.get(f"{rows}_{metric.key}")
            if value is not None and not (rows == "train" and entries):
                entries.append(_figure(f"{title} {metric.title}", metric, value) | {"rows": rows})
    if not entries and evidence is not None and evidence.metric is not None:
        entries = [_figure(f"{evidence.rows.capitalize()} {evidence.metric.title}", evidence.metric, evidence.score)]
    if entries:
        _compare(entries[0], _section(record.result.get("baseline"), entries[0].get("rows")), evidence)
    return entries


def scores(record: RunRecord) -> Object | None:
    """Every metric, beside that of the baseline, which predicts one class or number; None if none is recorded."""
    columns = {rows: _section(record.result.get("scores"), rows) for rows in ("valid", "test")}
    columns |= {f"{rows} baseline": _section(record.result.get("baseline"), rows) for rows in ("valid", "test")}
    measured = {rows: values for rows, values in columns.items() if values}
    lines = [
        (metric.title, [_text(metric, values.get(metric.key)) for values in measured.values()])
        for metric in METRICS
        if any(metric.key in values for values in measured.values())
    ]
    return {"heads": [_HEADS[rows] for rows in measured], "lines": lines} if lines else None


def targets(record: RunRecord) -> Object | None:
    """The scores of each target, on the validation or else the test rows; None for a single target."""
    for rows in ("valid", "test"):
        by_target = {name: scores for name, scores in _section(record.result.get("targets"), rows).items()
                     if isinstance(scores, dict)}  # fmt: skip
        shown = [metric for metric in METRICS if any(metric.key in scores for scores in by_target.values())]
        if shown:
            lines = [(name, [_text(m, scores.get(m.key)) for m in shown]) for name, scores in by_target.items()]
            return {"heads": [metric.title for metric in shown], "lines": lines, "rows": _TITLES[rows]}
    return None


def _section(value: Any, rows: Any) -> Object:
    content = value.get(rows) if isinstance(value, dict) else None
    return content if isinstance(content, dict) else {}


def _text(metric: Metric, value: Any) -> str:
    return metric.text(value) if _is_number(value) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _figure(title: str, metric: Metric, value: Any) -> Object:
    is_number = _is_number(value)
    level = min(1.0, max(0.0, float(value))) if is_number and metric.higher_is_better else None
    text = metric.text(value) if is_number else str(value)[:40]
    return {"title": title, "text": text, "level": level, "metric": metric, "baseline": None, "compared": ""}


def _compare(figure: Object, baseline: Object, evidence: Evidence | None) -> None:
    """Add the score of the baseline to a figure: the recorded one, or else that of the evidence."""
    score, metric = baseline.get(figure["metric"].key), figure["metric"]
    if evidence is None:
        on, name = "", "the commonest class"
    else:
        on = f", on {evidence.total:,} rows"
        labels = evidence.targets if evidence.has_one_class else np.zeros(1)
        counts = np.bincount(labels.astype(np.int64), minlength=len(evidence.classes))
        name = evidence.classes[int(counts.argmax())] if evidence.has_one_class else ""
        score = float(counts.max() / counts.sum()) if score is None and evidence.has_one_class else score
    if metric is ACCURACY and _is_number(score) and name:
        figure["baseline"], figure["compared"] = score, f"{score:.2%} by always predicting {name}{on}"
    elif metric is R2:
        score = float(score) if isinstance(score, float) else 0.0
        figure["baseline"] = score
        figure["compared"] = f"{number(score)} by always predicting the mean, 1 is perfect{on}"


def _error(record: RunRecord, evidence: Evidence | None) -> Object | None:
    """The root mean squared error in the target's unit, beside that of predicting the mean; None for several units."""
    if evidence is None or not evidence.has_numbers or len(evidence.target_names) > 1:
        return None
    residuals = evidence.targets - evidence.outputs
    rows = {"validation": "valid"}.get(evidence.rows, evidence.rows)
    recorded = _section(record.result.get("baseline"), rows).get(RMSE.key)  # of the training rows' mean
    spread = root_mean_square(evidence.targets - evidence.targets.mean(axis=0))
    mean = recorded if isinstance(recorded, float) else spread
    return {
        "title": f"{evidence.rows.capitalize()} error (RMSE)",
        "text": number(root_mean_square(residuals)),
        "compared": f"{number(mean)} by always predicting the mean",
        "label": evidence.target_names[0],
        "mean": number(float(np.abs(residuals).mean())),
    }
