"""A run as text: its model as a table of layers, with parameters and multiply-accumulates; a row of its history."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Any

from portanet._typing import Params, Shape
from portanet.metrics import LOSS, METRICS, Metric
from portanet.nn.layer import Layer
from portanet.nn.layout import Layout
from portanet.training.callbacks import Row


def layers(model: Layer, params: Params, input_shape: Shape) -> list[dict[str, Any]]:
    """Each layer with its name, output shape, trained parameters and the multiply-accumulates (MACs) of one row.

    Layers inside a container have names such as "2.0"; their numbers are not counted again for the container.
    """
    rows = [row | {"parameters": 0} for row in _rows(model, input_shape, "")]
    by_name = {row["name"]: row for row in rows}
    for path, shape, _ in Layout.of(model, params).places:
        names = (".".join(path[:end]) for end in range(len(path), -1, -1))
        next(by_name[name] for name in names if name in by_name)["parameters"] += math.prod(shape)
    return rows


def table(model: Layer, params: Params, input_shape: Shape) -> str:
    """The layers as lines of text in columns, with their totals."""
    lines = _lines(model, params, input_shape)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        f"{name:{widths[0]}}  {layer:{widths[1]}}  {output:{widths[2]}}  {parameters:>{widths[3]}}  {macs:>{widths[4]}}"
        for name, layer, output, parameters, macs in lines
    )


def html_table(model: Layer, params: Params, input_shape: Shape) -> str:
    """The same as HTML."""
    head, *body = _lines(model, params, input_shape)
    rows = [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in body]
    titles = "".join(f"<th>{title}</th>" for title in head)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def describe(row: Row, epochs: int, metric: Metric) -> str:
    """A row of the history as text."""
    parts = [f"epoch {row['epoch']}/{epochs}"]
    parts += [f"{shown.title} {shown.text(row[shown.key])}" for shown in (LOSS, metric)]
    if (key := f"valid_{metric.key}") in row:
        parts.append(f"valid {metric.text(row[key])}")
    parts += [
        f"valid {watched.title} {watched.text(row[key])}"
        for watched in METRICS
        if watched not in (LOSS, metric) and (key := f"valid_{watched.key}") in row
    ]
    return "  ".join(parts)


def _lines(model: Layer, params: Params, input_shape: Shape) -> list[tuple[str, ...]]:
    """The lines of the table: titles, layers and totals."""
    rows = layers(model, params, input_shape)
    lines: list[tuple[str, ...]] = [("", "layer", "output", "parameters", "MACs")]
    for row in rows:
        output = " x ".join(map(str, row["output_shape"]))
        lines.append((row["name"], row["layer"], output, f"{row['parameters']:,}", f"{row['macs']:,}"))
    totals = [sum(row[key] for row in rows) for key in ("parameters", "macs")]
    return [*lines, ("", "all", "", *(f"{total:,}" for total in totals))]


def _rows(layer: Layer, shape: Shape, name: str) -> Iterator[dict[str, Any]]:
    """A row for the layer, unless it is a plain chain of others, and for each layer inside."""
    children = list(layer.children_with_shapes(shape))
    if not layer.is_chain:
        yield {
            "name": name,
            "layer": type(layer).__name__ if children else repr(layer),
            "output_shape": list(layer.output_shape(shape)),
            "macs": layer.macs(shape) - sum(child.macs(child_shape) for _, child, child_shape in children),
        }
    for child_name, child, child_shape in children:
        yield from _rows(child, child_shape, f"{name}.{child_name}" if name else child_name)
