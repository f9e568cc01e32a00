"""How far the probabilities can be trusted: a reliability diagram and the expected calibration error."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from portanet import metrics
from portanet.report.chart import Chart, Range, chart, percent
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_BINS = 10
_CALIBRATED, _FAR = 0.02, 0.05


class Bin(NamedTuple):
    """The rows whose confidence is between low and high."""

    low: float
    high: float
    rows: int
    confidence: float
    right: float


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """What templates/calibration.html.j2 shows; None where rows are not of one class."""
    if evidence is None or not evidence.has_one_class:
        return None
    shares: Any = evidence.outputs.astype(np.float64)
    labels: Any = evidence.targets.astype(np.int32)
    error: Any = metrics.calibration_error(shares, labels)
    gap = float(evidence.confidence.mean() - (evidence.predicted == labels).mean())
    return {"chart": diagram(bins(evidence)), "error": f"{float(error):.4f}", "words": _words(float(error), gap)}


def bins(evidence: Evidence) -> list[Bin]:
    """Equal ranges of confidence, each with the mean confidence and the fraction of right answers in it."""
    shares: Any = evidence.outputs.astype(np.float64)
    labels: Any = evidence.targets.astype(np.int32)
    found: Any = metrics.calibration_bins(shares, labels, _BINS)
    return [
        Bin(place / _BINS, (place + 1) / _BINS, int(rows), float(confidence), float(right))
        for place, (confidence, right, rows) in enumerate(zip(*found, strict=True))
        if rows
    ]


def diagram(found: list[Bin]) -> Chart:
    """The fraction of right answers over the confidence; on the diagonal they are equal."""
    ends = Range("Confidence", 0.0, 1.0, percent), Range("", 0.0, 1.0, percent)
    drawn = chart("calibration", "Right answers", *ends, [("Right answers", "validation"), ("Perfect", "training")])
    x, y = drawn.x, drawn.y
    for each in found:
        left, right, top = x.at(each.low), x.at(each.high), y.at(each.right)
        text = f"{each.rows:,} rows, {each.confidence:.1%} sure, {each.right:.1%} right"
        drawn.add("rect", text, x=left + 1, y=top, width=round(right - left - 2, 1),
                  height=round(y.start - top, 1), class_="bar validation")  # fmt: skip
        drawn.reading.append([x.at((each.low + each.high) / 2), f"{each.low:.0%} to {each.high:.0%} sure",
                              [[top, "right", f"{each.right:.1%}"], [y.at(each.confidence), "sure",
                               f"{each.confidence:.1%}"], [y.start, "rows", f"{each.rows:,}"]]])  # fmt: skip
    drawn.add("path", d=f"M{x.start:g} {y.start:g}L{x.end:g} {y.end:g}", class_="line training")
    return drawn


def _words(error: float, gap: float) -> str:
    if error <= _CALIBRATED:
        return "The probabilities can be taken at their word."
    side = "surer than they should be" if gap > 0 else "less sure than they could be"
    return f"The answers are {'' if error > _FAR else 'a little '}{side}."
