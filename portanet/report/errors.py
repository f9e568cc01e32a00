"""The errors of a regression model: predicted against true values, and the residuals."""

from __future__ import annotations

import math

import numpy as np

from portanet._typing import HostArray
from portanet.report.chart import Chart, Range, apart, chart, integer, number
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_POINTS = 1000  # drawn, at most
_OUTPUTS = 4  # with charts
_BINS = 25
_INTERVALS = 200  # drawn, at most
_LARGEST = 1e100  # value that is drawn


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """Return the content of templates/errors.html.j2; None for a classifier."""
    if evidence is None or not evidence.has_numbers:
        return None
    charts: list[Chart] = []
    for output, name in enumerate(evidence.target_names[:_OUTPUTS]):
        true, predicted = (np.asarray(each[:, output], np.float64) for each in (evidence.targets, evidence.outputs))
        bounds = np.stack([predicted] * 2, axis=1) if evidence.bounds is None else evidence.bounds[:, :, output]
        if np.abs([true, predicted, *bounds.T]).max() < _LARGEST:
            charts.append(scatter(f"predicted-{output}", name, np.column_stack([true, predicted, bounds])))
            charts.append(histogram(f"residuals-{output}", name, predicted - true))
    measures = [
        (f"{title}: {name}" if len(evidence.target_names) > 1 else title, text)
        for output, name in enumerate(evidence.target_names)
        for title, text in _measures(evidence, output)
    ]
    return {"charts": charts, "rows": evidence.rows, "measures": measures}


def scatter(key: str, name: str, rows: HostArray) -> Chart:
    """A scatter plot of predicted against true values, which are equal on the diagonal.

    rows  (N, 4) the true value, the predicted value, and the bounds of its interval
    """
    true = Range("True", float(rows[:, 0].min()), float(rows[:, 0].max()), number)
    drawn = chart(key, f"Predicted against true{f': {name}' if name else ''}", true,
                  Range("Predicted", float(rows.min()), float(rows.max()), number))  # fmt: skip
    start, end = max(drawn.x.low, drawn.y.low), min(drawn.x.high, drawn.y.high)
    drawn.add("path", d=f"M{drawn.x.at(start):g} {drawn.y.at(start):g}L{drawn.x.at(end):g} {drawn.y.at(end):g}",
              class_="line training")  # fmt: skip
    for a, _, low, high in thinned(rows, _INTERVALS).tolist():
        if low < high:
            drawn.add("path", d=f"M{drawn.x.at(a):g} {drawn.y.at(low):g}V{drawn.y.at(high):g}", class_="interval")
    for a, b, *_ in thinned(rows, _POINTS).tolist():
        drawn.add("circle", f"true {number(a)}, predicted {number(b)}", cx=drawn.x.at(a), cy=drawn.y.at(b), r=3,
                  class_="point")  # fmt: skip
    return drawn


def histogram(key: str, name: str, residuals: HostArray) -> Chart:
    """A histogram of the residuals, predicted minus true."""
    ends = apart(float(residuals.min()), float(residuals.max()))
    counts, edges = np.histogram(
        residuals, range=ends, bins=min(_BINS, math.ceil(2 * len(residuals) ** (1 / 3)))
    )  # Rice's rule
    drawn = chart(key, f"Residuals{f': {name}' if name else ''}", Range("Predicted minus true", float(edges[0]),
                  float(edges[-1]), number), Range("Rows", 0.0, float(counts.max()), integer))  # fmt: skip
    for count, left, right in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        start, end, top = drawn.x.at(left), drawn.x.at(right), drawn.y.at(count)
        text = f"{number(left)} to {number(right)}"
        drawn.add("rect", f"{text}: {count:,} rows", x=start, y=top, width=round(max(0.5, end - start - 1), 1),
                  height=round(drawn.y.start - top, 1), class_="bar validation")  # fmt: skip
        drawn.reading.append([round((start + end) / 2, 1), text, [[top, "rows", f"{count:,}"]]])
    if edges[0] < 0 < edges[-1]:
        drawn.add("path", d=f"M{drawn.x.at(0):g} {drawn.y.start:g}V{drawn.y.end:g}", class_="kept")
    return drawn


def root_mean_square(values: HostArray) -> float:
    """The root mean square of values, even if their squares overflow."""
    largest = float(np.abs(values).max()) or 1.0
    return float(largest * np.sqrt(np.mean(np.square(values / largest))))


def thinned(rows: HostArray, most: int) -> HostArray:
    """At most `most` of the rows, at even distances."""
    return rows[:: max(1, -(-len(rows) // most))]


def _measures(evidence: Evidence, output: int) -> list[tuple[str, str]]:
    """The errors of one target, in its unit."""
    targets = evidence.targets[:, output]
    size = np.abs(targets - evidence.outputs[:, output])
    quantiles = [
        ("Median absolute error", 0.5), ("90th percentile of absolute errors", 0.9), ("Largest absolute error", 1.0),
    ]  # fmt: skip
    intervals: list[tuple[str, str]] = []
    if evidence.bounds is not None:
        low, high = evidence.bounds[:, 0, output], evidence.bounds[:, 1, output]
        coverage = float(((low <= targets) & (targets <= high)).mean())
        intervals = [
            (f"Targets inside their {evidence.coverage:.0%} intervals", f"{coverage:.1%}"),
            ("Median width of the intervals", number(float(np.median(high - low)))),
        ]
    return [
        *intervals,
        ("Root mean squared error (RMSE)", number(root_mean_square(size))),
        ("Mean absolute error", number(float(size.mean()))),
        *((title, number(float(np.quantile(size, level)))) for title, level in quantiles),
    ]
