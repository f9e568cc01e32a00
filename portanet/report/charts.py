"""The curves of a run as plain Plotly figures: data, layout and config in dictionaries."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from portanet.metrics import LOSS, METRICS, Metric
from portanet.storage.run_record import Object, RunRecord

TRAINING, VALIDATION = "#4c7fdb", "#e08033"


def charts(record: RunRecord) -> list[Object]:
    """Accuracy or R2, loss and learning rate, each where the history holds it; a constant rate is no curve."""
    figures = [_metric_chart(record, metric) for metric in METRICS]
    if len(set(_column(record, "learning_rate")) - {None}) > 1:
        figures.append(_chart(record, "learning_rate", "Learning rate", ".4~g", exponentformat="e"))
    return [figure for figure in figures if figure["data"]]


def _metric_chart(record: RunRecord, metric: Metric) -> Object:
    title = metric.title[0].upper() + metric.title[1:]
    axis = {"tickformat": "~%"} if metric.format.endswith("%") else {"exponentformat": "e"}
    return _chart(record, metric.key, title, metric.format.replace("g", "~g"), **axis)  # "~": no trailing zeros


def _chart(record: RunRecord, key: str, title: str, hoverformat: str, **yaxis: str) -> Object:
    x_title, x = _progress(record)
    columns = {
        "Training": (_column(record, key), TRAINING),
        "Validation": (_column(record, f"valid_{key}"), VALIDATION),
    }
    lines = {name: column for name, column in columns.items() if any(y is not None for y in column[0])}
    return {
        "id": f"{key}-chart",
        "title": title,
        "data": [
            {
                "type": "scatter",
                "mode": "lines+markers" if len(x) <= 100 else "lines",
                "name": title if len(lines) == 1 else name,
                "x": x,
                "y": y,
                "line": {"color": color, "width": 2},
                "marker": {"size": 5},
            }
            for name, (y, color) in lines.items()
        ],
        "layout": {
            "title": {"text": title, "x": 0.5, "xanchor": "center"},
            "hovermode": "x unified",
            "showlegend": len(lines) > 1,
            "legend": {"orientation": "h", "x": 0.5, "xanchor": "center", "y": 1.0, "yanchor": "bottom"},
            "margin": {"l": 16, "r": 16, "t": 72, "b": 24},
            "xaxis": {
                "title": {"text": x_title},
                "automargin": True,
                "hoverformat": "d",
                "tickformat": ",d",
                # Left alone, a short axis is divided into halves, which "d" would print as doubled numbers.
                "dtick": 1 if _span(x) < 8 else None,
                "unifiedhovertitle": {"text": f"{x_title} %{{x}}"},
            },
            "yaxis": {"automargin": True, "hoverformat": hoverformat, **yaxis},
        },
        "config": {
            "responsive": True,
            "displayModeBar": True,
            "displaylogo": False,
            "modeBarButtons": [["toImage", "resetScale2d"]],
            "toImageButtonOptions": {"format": "png", "filename": _filename(record.name, key), "scale": 2},
        },
    }


def _progress(record: RunRecord) -> tuple[str, list[float | None]]:
    steps, epochs = _column(record, "step"), _column(record, "epoch")
    if record.spec.get("batch_size") == "full":
        return "Iteration", steps
    if all(a is not None and b is not None and a < b for a, b in pairwise(epochs)) and None not in epochs:
        return "Epoch", epochs
    return "Step", steps


def _column(record: RunRecord, key: str) -> list[float | None]:
    return [_number(row.get(key)) for row in record.history]


def _span(column: list[float | None]) -> float:
    numbers = [value for value in column if value is not None]
    return max(numbers, default=0) - min(numbers, default=0)


def _number(value: Any) -> float | None:
    # A diverged run logs NaN and Infinity, which the page's JSON cannot say: a gap in the line.
    return value if isinstance(value, int | float) and abs(value) < math.inf else None


def _filename(run: str, key: str) -> str:
    scores = [metric.key for metric in METRICS if metric is not LOSS]
    return run if key in scores else f"{run}-{key.replace('_', '-')}"
