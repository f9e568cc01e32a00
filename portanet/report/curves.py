"""The curves of a run: scores, loss and learning rate by epoch, with the epoch that was kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from portanet.metrics import METRICS, Metric
from portanet.report.chart import Chart, Format, Range, chart, integer, number, path, percent
from portanet.report.ending import kept
from portanet.storage.run_record import Object, RunRecord

Column = list[float | None]

_LARGEST = 1e100  # value that is drawn
_POINTS = 400  # of a line, at most
_ROWS = 100  # of the table


def section(record: RunRecord, evidence: Any = None) -> Object:
    """Return the content of templates/curves.html.j2."""
    return {"charts": charts(record), "table": table(record)}


def charts(record: RunRecord) -> list[Chart]:
    """A chart for each metric in the history, and for the learning rate unless it is constant."""
    drawn = [_of_metric(record, metric) for metric in METRICS]
    if len(set(column(record, "learning_rate")) - {None}) > 1:
        drawn.append(_chart(record, "learning_rate", "Learning rate", [("Learning rate", "rate")], number, number))
    return [each for each in drawn if each is not None]


def table(record: RunRecord) -> tuple[list[str], list[list[str]]]:
    """The history as titles and rows of text; of many rows, some at even distances."""
    names = [name for name in (record.history[0] if record.history else {}) if column(record, name) != []]
    rows = [[_cell(row.get(name)) for name in names] for row in thinned(record.history, _ROWS)]
    return [str(name).replace("_", " ") for name in names], rows


def progress(record: RunRecord) -> tuple[str, Column]:
    """The title and the values of the x axis: iterations, epochs or steps."""
    steps, epochs = column(record, "step"), column(record, "epoch")
    if record.spec.get("batch_size") == "full":
        return "Iteration", steps
    if all(a is not None and b is not None and a < b for a, b in pairwise(epochs)) and None not in epochs:
        return "Epoch", epochs
    return "Step", steps


def column(record: RunRecord, key: str) -> Column:
    """The values of a key in the history; None where it is not a number that can be drawn."""
    return [_number(row.get(key)) for row in record.history]


def line(drawn: Chart, style: str, x: Sequence[float | None], y: Sequence[float | None]) -> None:
    """Draw a line through points; if they are few, with a dot at each."""
    points = thinned(list(zip(x, y, strict=True)), _POINTS)
    drawn.add("path", d=path(drawn.x, drawn.y, points), class_=f"line {style}")
    complete = [point for point in points if None not in point]
    for a, b in complete if len(complete) <= 25 else ():
        if a is not None and b is not None:
            drawn.add("circle", cx=drawn.x.at(a), cy=drawn.y.at(b), r=2.5, class_=f"dot {style}")


def _of_metric(record: RunRecord, metric: Metric) -> Chart | None:
    title = metric.title[0].upper() + metric.title[1:]
    form = percent if metric.format.endswith("%") else number
    return _chart(record, metric.key, title, [("Training", "training"), ("Validation", "validation")], form,
                  metric.text)  # fmt: skip


def _chart(
    record: RunRecord, key: str, title: str, names: list[tuple[str, str]], form: Format, read: Format
) -> Chart | None:
    x_title, x = progress(record)
    columns = [column(record, key), column(record, f"valid_{key}")][: len(names)]
    lines = [(*name, y) for name, y in zip(names, columns, strict=True) if any(value is not None for value in y)]
    xs, values = [a for a in x if a is not None], [b for *_, y in lines for b in y if b is not None]
    if not lines or not xs:
        return None
    best, legend = kept(record), [(name, style) for name, style, _ in lines] if len(lines) > 1 else []
    if best is not None:
        legend.append((f"{best.label}: epoch {best.epoch}", "kept"))
    x_range = Range(x_title, min(xs), max(xs), integer)
    drawn = chart(key.replace("_", "-"), title, x_range, Range("", min(values), max(values), form), legend)
    if best is not None and (best_x := x[best.row]) is not None:
        drawn.add("path", d=f"M{drawn.x.at(best_x):g} {drawn.y.start:g}V{drawn.y.end:g}", class_="kept")
    for _, style, y in lines:
        line(drawn, style, x, y)
    _read(drawn, x_title, x, [(name, y) for name, _, y in lines], read)
    return drawn


def _read(drawn: Chart, title: str, x: Column, lines: list[tuple[str, Column]], form: Format) -> None:
    rows = [(a, [y[i] for _, y in lines]) for i, a in enumerate(x) if a is not None]
    for a, values in thinned(rows, _POINTS):
        entries = [[drawn.y.at(b), name, form(b)] for (name, _), b in zip(lines, values, strict=True) if b is not None]
        if entries:
            drawn.reading.append([drawn.x.at(a), f"{title} {number(a)}", entries])


def thinned(rows: list[Any], most: int) -> list[Any]:
    """About `most` of the rows at most, at even distances and with the last."""
    step = max(1, math.ceil(len(rows) / most))
    return rows[(len(rows) - 1) % step :: step]


def _cell(value: Any) -> str:
    return number(value) if _number(value) is not None else str(value)[:40]


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST
    return float(value) if is_number else None
