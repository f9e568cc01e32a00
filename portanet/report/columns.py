"""The columns of a table: kind, missing values, and importance for the predictions."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray
from portanet.report.chart import number
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord
from portanet.storage.schema import CLOCK, DATE, Column

_SHOWN = 60


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """Return the content of templates/columns.html.j2; None if the data are not a table."""
    if evidence is None or not evidence.columns:
        return None
    most = max(evidence.importance.values(), default=0.0)
    rows = [_row(evidence, column, most) for column in evidence.columns]
    rows.sort(key=lambda row: -row["importance"])
    table = evidence.card.table
    out = [column for column in table.columns if not column.parts] if table else []
    return {
        "columns": rows[:_SHOWN],
        "hidden": max(0, len(rows) - _SHOWN),
        "measured": bool(evidence.importance),
        "score": evidence.metric.title if evidence.metric else "score",
        "rows": evidence.rows,
        "left_out": [(column.name, column.kind, column.why) for column in out[:_SHOWN]],
        "hidden_out": max(0, len(out) - _SHOWN),
    }


def _row(evidence: Evidence, column: Column, most: float) -> Object:
    indices = evidence.column_indices[column.name]
    values = evidence.x[:, indices[0]].astype(np.float64) if indices else np.empty(0)
    missing = values == 0 if column.values else np.isnan(values)
    importance = evidence.importance.get(column.name, 0.0)
    return {
        "name": column.name,
        "kind": column.kind,
        "summary": _summary(column, values[~missing]),
        "missing": f"{missing.mean():.1%}" if missing.any() else "none",
        "importance": importance,
        "text": f"{importance:.4f}",
        "level": max(0.0, importance / most) if most > 0 else 0.0,
    }


def _summary(column: Column, values: HostArray) -> str:
    """The values of a column in short: its first categories, or its range and median."""
    if column.values:
        few = ", ".join(column.values[:3])
        return few if len(column.values) <= 3 else f"{few} and {len(column.values) - 3} more"
    if not len(values):
        return ""
    if column.kind == DATE and column.form != CLOCK:
        return f"{values.min():.0f} to {values.max():.0f}"
    return f"{number(float(values.min()))} to {number(float(values.max()))}, median {number(float(np.median(values)))}"
