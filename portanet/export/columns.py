"""The layer Columns, the first of a table's model, as standard operators."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray
from portanet.export.place import Place
from portanet.nn.columns import FAR, GAPS, Columns


def lower_columns(layer: Columns, place: Place, x: str) -> str:
    """Write the layer to the graph; return the name of its features."""
    center = np.asarray(place.params.get("center", ()))
    if place.is_wide(x) and center.size:
        x, center = _centred(layer, place, x, center)
    x = place.floats(x)
    missing = place.add("IsNaN", x)
    parts = [_scaled(layer, place, x, place.constant("center", center))] if center.size else []
    for kind, start, stop in layer.runs(place.shape[0]):
        if kind == GAPS:
            parts.append(place.add("Cast", place.columns(missing, start, stop), to="float32"))
    parts += [
        place.add(
            "Gather", place.array_rows("embedding", first, count + 1), _row(place, x, column, count, first), axis=0
        )
        for column, count, first in layer.tables
    ]
    return place.add("Concat", *parts, axis=1)


def _centred(layer: Columns, place: Place, x: str, center: HostArray) -> tuple[str, HostArray]:
    """The numbers with their center subtracted in float64, and the centers that remain for the features."""
    offsets, left, feature = np.zeros(place.shape[0]), center.copy(), 0
    for kind, start, stop in layer.runs(place.shape[0]):
        if isinstance(kind, str):
            own = slice(feature, feature + stop - start)
            offsets[start:stop], left[own] = center[own], 0.0
            feature = own.stop
        elif kind <= layer.one_hot:
            feature += (stop - start) * (1 if kind == 2 else kind)
    return place.minus(x, offsets), left


def _scaled(layer: Columns, place: Place, x: str, center: str) -> str:
    """The smooth clip s / sqrt(1 + (s / 3)^2) of numbers and indicators."""
    far = place.constant("far", FAR)
    z = _features(layer, place, x)
    z = place.add("Where", place.add("IsNaN", z), center, z)
    s = place.add("Mul", place.add("Sub", z, center), place.array("factor"))
    s = place.add("Min", place.add("Max", s, place.constant("near", -FAR)), far)
    square = place.add("Div", place.add("Mul", s, s), place.constant("nine", 9.0))
    return place.add("Div", s, place.add("Sqrt", place.add("Add", square, place.constant("one", 1.0))))


def _features(layer: Columns, place: Place, x: str) -> str:
    """Numbers unchanged, categories as indicators."""
    parts = []
    for kind, start, stop in layer.runs(place.shape[0]):
        if isinstance(kind, str):
            parts.append(place.columns(x, start, stop))
        elif kind == 2 <= layer.one_hot:
            first, second = (_is(place, place.columns(x, start, stop), [[code]]) for code in (1, 2))
            parts.append(place.add("Sub", first, second))
        elif kind <= layer.one_hot:
            parts += [_is(place, place.columns(x, i, i + 1), [range(1, kind + 1)]) for i in range(start, stop)]
    return place.add("Concat", *parts, axis=1)


def _is(place: Place, codes: str, values: object) -> str:
    """Return 1 where a column has one of these integer values above 0, else 0, also for NaN."""
    whole = place.add("Floor", codes)
    return place.add("Cast", place.add("Equal", whole, place.constant("codes", values)), to="float32")


def _row(place: Place, x: str, column: int, count: int, first: int) -> str:
    """The index of a category's vector in its embedding: 0 for missing, rare and unknown ones."""
    code = place.columns(x, column, None)
    known = place.add(
        "And",
        place.add("GreaterOrEqual", code, place.constant("zero", 0.0)),
        place.add("Less", code, place.constant("end", count + 1)),
    )
    row = place.add("Cast", place.add("Where", known, code, place.constant("none", 0.0)), to="int64")
    common = np.asarray(place.params["common"])[first : first + count + 1] > 0.5
    return place.add("Gather", place.whole("rows", np.where(common, np.arange(count + 1), 0)), row, axis=0)
