"""Dates computed by a graph: year, month, weekday, days and hour from seconds since 1970."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet.export.graph import Graph

EARLIEST, LATEST = -62_135_596_800, 253_402_300_799
"""The first second of the year 1 and the last of 9999, of which dates are made."""


def date_parts(seconds: Any, *, timed: bool) -> list[Any]:
    """Return year, month, weekday (0 is Monday), days since 1970-01-01, and the hour if the dates are `timed`.

    seconds  integers since 1970-01-01 00:00, in float64; any value with + - * / and //, such as an array or a Traced

    The calendar is Gregorian, with years that begin in March, so that a leap day ends its year (Hinnant 2013,
    chrono-compatible low-level date algorithms).
    """
    days = seconds // 86400
    since = days + 719468  # 0000-03-01
    era = since // 146097  # 400 years
    day = since - era * 146097
    years = (day - day // 1460 + day // 36524 - day // 146096) // 365
    month = ((day - (years * 365 + years // 4 - years // 100)) * 5 + 2) // 153  # 0 is March
    is_next = month // 10  # January and February belong to the next year
    year, month, weekday = years + era * 400 + is_next, month - is_next * 12 + 3, days + 3 - (days + 3) // 7 * 7
    return [year, month, weekday, days, *([(seconds - days * 86400) / 3600] if timed else [])]


class Traced:
    """A float64 value of a graph; arithmetic with it appends nodes."""

    def __init__(self, graph: Graph, path: str, name: str) -> None:
        self.graph, self.path, self.name = graph, path, name

    def __add__(self, other: Traced | float) -> Traced:
        return self._node("Add", other)

    def __sub__(self, other: Traced | float) -> Traced:
        return self._node("Sub", other)

    def __mul__(self, other: Traced | float) -> Traced:
        return self._node("Mul", other)

    def __truediv__(self, other: Traced | float) -> Traced:
        return self._node("Div", other)

    def __floordiv__(self, other: Traced | float) -> Traced:
        return self._named(self.graph.add(self.path, "Floor", (self / other).name))

    def _node(self, op: str, other: Traced | float) -> Traced:
        if not isinstance(other, Traced):
            other = self._named(self.graph.constant(f"{self.path}.number", np.array(other, np.float64)))
        return self._named(self.graph.add(self.path, op, self.name, other.name))

    def _named(self, name: str) -> Traced:
        return Traced(self.graph, self.path, name)
