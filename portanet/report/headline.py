"""The first lines of a report: the score in large figures, what it is to be compared with, how the run ended."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.metrics import ACCURACY, METRICS, R2, Metric
from portanet.report import ending, tables
from portanet.report.chart import number
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_MEASURED = {"valid": "Validation", "test": "Test", "final_train": "Training", "train": "Last logged training"}


def section(record: RunRecord, evidence: Evidence | None = None) -> Object:
    """What templates/headline.html.j2 shows."""
    return {
        "figures": figures(record, evidence),
        "error": _error(evidence),
        "sentences": [text for text in (ending.why(record), ending.which(record)) if text],
        "facts": tables.facts(record),
    }


def figures(record: RunRecord, evidence: Evidence | None = None) -> list[Object]:
    """The scores: the first one, of rows that the model did not learn from if there are any, with its baseline."""
    found: list[Object] = []
    for rows, title in _MEASURED.items():
        for metric in METRICS:
            value = record.result.get(f"{rows}_{metric.key}")
            if value is not None and not (rows == "train" and found):
                found.append(_figure(f"{title} {metric.title}", metric, value))
    if not found and evidence is not None and evidence.metric is not None:
        found = [_figure(f"{evidence.rows.capitalize()} {evidence.metric.title}", evidence.metric, evidence.score)]
    if found and evidence is not None:
        _compare(found[0], evidence)
    return found


def _figure(title: str, metric: Metric, value: Any) -> Object:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    share = min(1.0, max(0.0, float(value))) if is_number and metric.higher_is_better else None
    text = metric.text(value) if is_number else str(value)
    return {"title": title, "text": text, "share": share, "metric": metric, "baseline": None, "compared": ""}


def _compare(figure: Object, evidence: Evidence) -> None:
    """Add what an answer without any learning would score."""
    if evidence.has_one_class and figure["metric"] is ACCURACY:
        counts = np.bincount(evidence.targets.astype(np.int64), minlength=len(evidence.classes))
        share = float(counts.max() / max(1, counts.sum()))
        name = evidence.classes[int(counts.argmax())]
        figure["baseline"], figure["compared"] = (
            share,
            f"{share:.2%} by always answering {name}, on {evidence.total:,} rows",
        )
    elif evidence.has_numbers and figure["metric"] is R2:
        figure["baseline"], figure["compared"] = (
            0.0,
            f"0 by always answering the mean, 1 is perfect; on {evidence.total:,} rows",
        )


def _error(evidence: Evidence | None) -> Object | None:
    """The typical error of a number in its unit, and that of the mean."""
    if evidence is None or not evidence.has_numbers:
        return None
    residuals = evidence.targets - evidence.outputs
    spread = evidence.targets - evidence.targets.mean(axis=0)
    rmse, mean = (float(np.sqrt(np.mean(values**2))) for values in (residuals, spread))
    return {
        "title": f"{evidence.rows.capitalize()} error (RMSE)",
        "text": number(rmse),
        "compared": f"{number(mean)} by always answering the mean",
        "label": evidence.card.label or "",
        "mean": number(float(np.abs(residuals).mean())),
    }
