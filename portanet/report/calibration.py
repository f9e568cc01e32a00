"""Calibration of the probabilities: a reliability diagram and the expected calibration error."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from portanet import metrics
from portanet.report.chart import Chart, Range, chart, percent
from portanet.report.evidence import Evidence
from portanet.storage.run_record import Object, RunRecord

_BINS = 10
_CALIBRATED, _FAR = 0.02, 0.05  # expected calibration errors


class Bin(NamedTuple):
    """The rows with a confidence between low and high: their number, mean confidence and accuracy."""

    low: float
    high: float
    rows: int
    confidence: float
    accuracy: float


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """Return the content of templates/calibration.html.j2; None unless each row has one class."""
    if evidence is None or not evidence.has_one_class:
        return None
    probabilities: Any = evidence.outputs.astype(np.float64)
    labels: Any = evidence.targets.astype(np.int32)
    error: Any = metrics.calibration_error(probabilities, labels)
    gap = float(evidence.confidence.mean() - (evidence.predicted == labels).mean())
    return {"chart": diagram(bins(evidence)), "error": f"{float(error):.4f}", "verdict": _verdict(float(error), gap)}


def bins(evidence: Evidence) -> list[Bin]:
    """The bins of equal width that have rows."""
    probabilities: Any = evidence.outputs.astype(np.float64)
    labels: Any = evidence.targets.astype(np.int32)
    values: Any = metrics.calibration_bins(probabilities, labels, _BINS)
    return [
        Bin(i / _BINS, (i + 1) / _BINS, int(rows), float(confidence), float(accuracy))
        for i, (confidence, accuracy, rows) in enumerate(zip(*values, strict=True))
        if rows
    ]


def diagram(filled: list[Bin]) -> Chart:
    """A reliability diagram: the accuracy over the confidence, which are equal on the diagonal."""
    ends = Range("Confidence", 0.0, 1.0, percent), Range("", 0.0, 1.0, percent)
    legend = [("Accuracy", "validation"), ("Perfect calibration", "training")]
    drawn = chart("calibration", "Accuracy by confidence", *ends, legend)
    x, y = drawn.x, drawn.y
    for each in filled:
        left, right, top = x.at(each.low), x.at(each.high), y.at(each.accuracy)
        text = f"{each.rows:,} rows, confidence {each.confidence:.1%}, accuracy {each.accuracy:.1%}"
        drawn.add("rect", text, x=left + 1, y=top, width=round(right - left - 2, 1),
                  height=round(y.start - top, 1), class_="bar validation")  # fmt: skip
        values = [
            [top, metrics.ACCURACY.title, f"{each.accuracy:.1%}"],
            [y.at(each.confidence), "mean confidence", f"{each.confidence:.1%}"],
            [y.start, "rows", f"{each.rows:,}"],
        ]
        middle = x.at((each.low + each.high) / 2)
        drawn.reading.append([middle, f"Confidence {each.low:.0%} to {each.high:.0%}", values])
    drawn.add("path", d=f"M{x.start:g} {y.start:g}L{x.end:g} {y.end:g}", class_="line training")
    return drawn


def _verdict(error: float, gap: float) -> str:
    if error <= _CALIBRATED:
        return "The probabilities are well calibrated."
    side = "overconfident" if gap > 0 else "underconfident"
    return f"The model is {'' if error > _FAR else 'slightly '}{side}."
