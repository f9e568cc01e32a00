"""Several runs side by side: their scores, their curves in one chart, and the settings in which they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from portanet._settings import flat
from portanet.metrics import METRICS, Metric
from portanet.report import tables
from portanet.report.chart import Chart, Range, chart, integer, number, percent
from portanet.report.curves import column, line, progress, thinned
from portanet.report.page import assemble, write_html
from portanet.storage.run_record import Object, RunRecord

_COLOURS = 8
_SETTINGS = 100
_FRACTION = "Fraction of the run"
_LONGER = 5  # times the shortest run; beyond this, runs are drawn over their fraction
_READ = 400  # readings of a chart, at most


class _Curve(NamedTuple):
    """The line of a run.

    rows    "validation" or "training"
    x_axis  the title of the x axis
    """

    name: str
    style: str
    rows: str
    x_axis: str
    points: list[tuple[float, float]]


def write_beside(path: Path, records: Sequence[RunRecord]) -> Path:
    """Write one page for several runs to a file, and return its path."""
    title = f"{len(records)} runs"
    names = _names(records)
    contents = [("beside", section(records, names))]
    return write_html(path, assemble(title, ", ".join(names)[:200], "", contents))


def section(records: Sequence[RunRecord], names: Sequence[str]) -> Object:
    """Return the content of templates/beside.html.j2."""
    return {
        "names": [(name, f"s{index % _COLOURS}") for index, name in enumerate(names)],
        "scores": scores(records),
        "charts": [drawn for metric in METRICS if (drawn := overlaid(records, names, metric)) is not None],
        "differences": differences(records),
    }


def scores(records: Sequence[RunRecord]) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Rows of a table: a title, and for each run the text and whether it is the best."""
    rows = []
    for prefix, title in (("valid", "Validation"), ("test", "Test"), ("final_train", "Training")):
        for metric in METRICS:
            values = [record.result.get(f"{prefix}_{metric.key}") for record in records]
            if any(_is_number(value) for value in values):
                rows.append((f"{title} {metric.title}", _marked(values, metric)))
    counts: list[tuple[str, list[Any]]] = [
        ("Parameters", [tables.parameters(record) for record in records]),
        ("Steps", [tables.figure(record.result.get("steps"), "{:,}") for record in records]),
        ("Seconds", [tables.figure(record.result.get("seconds"), "{:,.1f}") for record in records]),
        ("Ended", [tables.text(record.result.get("stopped")) for record in records]),
    ]
    return [*rows, *((title, [(text, False) for text in texts]) for title, texts in counts)]


def overlaid(records: Sequence[RunRecord], names: Sequence[str], metric: Metric) -> Chart | None:
    """A chart with a line for each run: of its validation rows, or else of its training rows."""
    lines = [curve for index, record in enumerate(records) if (curve := _curve(record, names[index], index, metric))]
    if not lines:
        return None
    lines = _comparable(lines)
    xs, ys = ([point[axis] for each in lines for point in each.points] for axis in (0, 1))
    form = percent if metric.format.endswith("%") else number
    rows, titles = sorted({each.rows for each in lines}), sorted({each.x_axis for each in lines})
    drawn = chart(
        metric.key,
        f"{metric.title[0].upper()}{metric.title[1:]}" + (f", {rows[0]}" if len(rows) == 1 else ""),
        Range(titles[0], min(xs), max(xs), percent if titles[0] == _FRACTION else integer),
        Range("", min(ys), max(ys), form),
        [(each.name if len(rows) == 1 else f"{each.name}, {each.rows}", each.style) for each in lines],
    )
    for each in lines:
        line(drawn, each.style, *zip(*each.points, strict=True))
    _read(drawn, metric, lines)
    return drawn


def differences(records: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """The names of the settings in which the runs differ, and the value of each run."""
    settings = [flat(record.spec | {"preset": record.preset, "data": record.data.get("name")}) for record in records]
    names = list(dict.fromkeys(name for each in settings for name in each))
    rows = [(name, [each.get(name, "") for each in settings]) for name in names]
    differ = [(name, [tables.text(value) if value != "" else "" for value in values]) for name, values in rows
              if any(value != values[0] for value in values)]  # fmt: skip
    return differ[:_SETTINGS]


def _curve(record: RunRecord, name: str, index: int, metric: Metric) -> _Curve | None:
    """The curve of a run's validation rows, or else of its training rows; None if it has neither."""
    title, x = progress(record)
    for rows, key in (("validation", f"valid_{metric.key}"), ("training", metric.key)):
        pairs = zip(x, column(record, key), strict=True)
        if points := [(a, b) for a, b in pairs if a is not None and b is not None]:
            return _Curve(name, f"s{index % _COLOURS}", rows, title, points)
    return None


def _comparable(lines: list[_Curve]) -> list[_Curve]:
    """The lines over a common x axis: the fraction of the run if axes differ, or if some runs are much shorter."""
    ends = [each.points[-1][0] for each in lines]
    if len({each.x_axis for each in lines}) == 1 and max(ends) <= _LONGER * min(ends):
        return lines
    return [
        each._replace(x_axis=_FRACTION, points=[(round(a / (end or 1.0), 3), b) for a, b in each.points])
        for each, end in zip(lines, ends, strict=True)
    ]


def _read(drawn: Chart, metric: Metric, lines: Sequence[_Curve]) -> None:
    """Add the readings of a chart: at each x of any line, the values of the lines there."""
    values = [(each.name, dict(each.points)) for each in lines]
    for a in thinned(sorted({a for _, at in values for a in at}), _READ):
        entries = [[drawn.y.at(at[a]), name, metric.text(at[a])] for name, at in values if a in at]
        drawn.reading.append(
            [drawn.x.at(a), f"{drawn.x.title} {percent(a) if drawn.x.title == _FRACTION else number(a)}", entries]
        )


def _marked(values: Sequence[Any], metric: Metric) -> list[tuple[str, bool]]:
    numbers = [value for value in values if _is_number(value)]
    best = (max if metric.higher_is_better else min)(numbers)
    return [
        (metric.text(value), value == best and len(set(numbers)) > 1) if _is_number(value) else ("", False)
        for value in values
    ]


def _names(records: Sequence[RunRecord]) -> list[str]:
    """The name of each run; equal names are numbered."""
    names = [record.name for record in records]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})" for i, name in enumerate(names)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
