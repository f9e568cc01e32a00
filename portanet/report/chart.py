"""A chart as plain values: axes, shapes and readings; `templates/chart.html.j2` draws it as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

WIDTH, HEIGHT = 420, 270
_RIGHT, _BOTTOM, _LETTER = 16, 44, 6.4  # the margins, and the mean width of a character
_TICKS = 5

Attributes = dict[str, Any]
Format = Callable[[float], str]


class Range(NamedTuple):
    """The range of an axis: its title, its ends and the format of its numbers."""

    title: str
    low: float
    high: float
    form: Format


@dataclass(frozen=True)
class Axis:
    """An axis: values and where they are drawn.

    low, high   the values at the two ends
    start, end  their coordinates
    ticks       values and their labels
    """

    title: str
    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...] = ()

    def at(self, value: float) -> float:
        """The coordinate of a value, to a tenth of a unit."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    @property
    def marks(self) -> list[tuple[float, str]]:
        """The coordinate and the label of each tick."""
        return [(self.at(value), text) for value, text in self.ticks]


@dataclass(frozen=True)
class Chart:
    """Shapes between two axes.

    shapes   tag, text (the tooltip), attributes
    legend   name, class of the line, and x, y of the entry
    reading  the values shown at a pointer or by the arrow keys: x, title, and for each line (y, name, text)
    """

    key: str
    title: str
    x: Axis
    y: Axis
    shapes: list[tuple[str, str, Attributes]] = field(default_factory=list)
    legend: list[tuple[str, str, float, float]] = field(default_factory=list)
    reading: list[list[Any]] = field(default_factory=list)
    label: str = ""
    width: int = WIDTH
    height: int = HEIGHT

    def add(self, tag: str, text: str = "", /, **attributes: Any) -> None:
        """Add a shape; `class_` is its CSS class."""
        self.shapes.append((tag, text, {name.rstrip("_").replace("_", "-"): v for name, v in attributes.items()}))


def chart(key: str, title: str, x: Range, y: Range, legend: Sequence[tuple[str, str]] = ()) -> Chart:
    """An empty chart; `legend` has the name and the class of each line."""
    entries, rows = _legend(legend)
    height = HEIGHT + 18 * max(0, rows - 1)
    low, high, values = _rounded(y.low, y.high, least=1.0 if y.form is integer else 0.0)
    ticks = tuple((value, y.form(value)) for value in values)
    left = 12 + _LETTER * max(len(text) for _, text in ticks) + (14 if y.title else 0)
    y_axis = Axis(y.title, low, high, height - _BOTTOM, 36 + 18 * rows, ticks)
    return Chart(key, title, _x_axis(x, left), y_axis, legend=entries, height=height)


def _x_axis(x: Range, left: float) -> Axis:
    low, high = apart(x.low, x.high)
    ticks = [value for value in _inside(low, high) if x.form is not integer or value == round(value)]
    return Axis(x.title, low, high, left, WIDTH - _RIGHT, tuple((value, x.form(value)) for value in ticks))


def path(x: Axis, y: Axis, points: Iterable[tuple[float | None, float | None]]) -> str:
    """The SVG path through points, with a gap where a coordinate is None."""
    parts, pen = [], "M"
    for a, b in points:
        if a is None or b is None:
            pen = "M"
            continue
        parts.append(f"{pen}{x.at(a):g} {y.at(b):g}")
        pen = "L"
    return "".join(parts)


def number(value: float) -> str:
    """A number as short text, with commas between thousands."""
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3g}"
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"


def integer(value: float) -> str:
    """A count as text; an axis with this format has ticks at integers only."""
    return f"{value:,.0f}"


def percent(value: float) -> str:
    """A fraction as a percentage."""
    return f"{100 * value:.6g}%"


def _legend(entries: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str, float, float]], int]:
    """Each entry with its coordinates, and the number of rows."""
    placed: list[tuple[str, str, float, float]] = []
    left, row = 0.0, 0
    for name, style in entries:
        short = name if len(name) <= 40 else f"{name[:39]}…"
        width = 40 + _LETTER * len(short)
        if left and left + width > WIDTH:
            left, row = 0.0, row + 1
        placed.append((short, style, round(left, 1), 40 + 18 * row))
        left += width
    return placed, (row + 1 if entries else 0)


def _rounded(low: float, high: float, least: float) -> tuple[float, float, list[float]]:
    """The ends rounded outwards, and the round numbers between them, at least `least` apart."""
    low, high = apart(low, high)
    step = max(_step(high - low), least)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    values = [float(f"{count * step:.12g}") for count in range(first, last + 1)]
    return values[0], values[-1], values


def _inside(low: float, high: float) -> list[float]:
    """The round numbers between the ends."""
    step = _step(high - low)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{count * step:.12g}") for count in range(first, last + 1)]


def apart(low: float, high: float) -> tuple[float, float]:
    """The ends, moved apart if they are too close."""
    size = max(abs(low), abs(high))
    if high - low > 1e-9 * size:
        return low, high
    return low - (size / 10 or 1.0), high + (size / 10 or 1.0)


def _step(span: float) -> float:
    """1, 2 or 5 times a power of ten, about a fifth of the span."""
    raw = span / _TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
