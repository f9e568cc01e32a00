"""The tables of a report: rows of text from a run's record."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from portanet.report.chart import number
from portanet.storage.run_record import Object, RunRecord

FACTS = {
    "steps": ("Steps", "{:,}"),
    "seconds": ("Seconds", "{:,.1f}"),
    "backend": ("Backend", "{}"),
    "device": ("Device", "{}"),
    "dtype": ("Data type", "{}"),
    "seed": ("Seed", "{}"),
}
_BYTES = {"float32": 4, "float64": 8}
_ROWS = 400  # of a table, at most
_LETTERS = 600  # of a cell


def facts(record: RunRecord) -> list[tuple[str, str]]:
    """The titles and values of the result's figures that are not scores, without missing ones."""
    result = record.result
    rows = [(label, figure(result[key], form)) for key, (label, form) in FACTS.items() if result.get(key) is not None]
    return [("Parameters", parameters(record)), *rows] if record.layers else rows


def settings(value: Object) -> list[tuple[str, str]]:
    """A nested object as rows, with names joined by dots: optimizer.momentum."""
    rows = list(_flat(value, ""))
    more = [("…", f"and {len(rows) - _ROWS:,} more, in run.json")] if len(rows) > _ROWS else []
    return [*rows[:_ROWS], *more]


def layers(record: RunRecord) -> list[tuple[str, str, str, str, str]]:
    """The name, layer, output shape, parameters and memory (parameters + one row's output) of each layer."""
    size = _BYTES.get(str(record.result.get("dtype")), 4)
    return [
        (
            text(layer.get("name")),
            text(layer.get("layer")),
            _shape(layer.get("output_shape")),
            figure(layer.get("parameters"), "{:,}"),
            _memory(size, layer.get("parameters"), layer.get("output_shape")),
        )
        for layer in record.layers[:_ROWS]
    ]


def parameters(record: RunRecord) -> str:
    """The total number of parameters, as text."""
    return f"{count(record):,}"


def count(record: RunRecord) -> int:
    """The total number of parameters."""
    counts = [layer.get("parameters") for layer in record.layers]
    return sum(each for each in counts if isinstance(each, int))


def memory(record: RunRecord) -> str:
    """The memory of all parameters, as text."""
    return in_bytes(count(record) * _BYTES.get(str(record.result.get("dtype")), 4))


def in_bytes(size: float) -> str:
    """A number of bytes with a suitable unit."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} GB"


def text(value: Any) -> str:
    """A value as a cell."""
    if value is None:
        return "none"
    if isinstance(value, list) and not any(isinstance(entry, list | dict) for entry in value):
        return _short(", ".join(map(text, value[:_ROWS])))
    return _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _memory(size: int, parameters: Any, shape: Any) -> str:
    is_valid = isinstance(parameters, int) and isinstance(shape, list) and all(isinstance(n, int) for n in shape)
    if not is_valid:
        return ""
    output = in_bytes(size * math.prod(shape))
    return f"{in_bytes(size * parameters)} + {output}" if parameters else output


def _flat(value: Object, prefix: str) -> Iterator[tuple[str, str]]:
    for key, entry in value.items():
        if isinstance(entry, dict) and entry:
            yield from _flat(entry, f"{prefix}{key}.")
        else:
            yield _short(f"{prefix}{key}"), text(entry)


def figure(value: Any, form: str) -> str:
    """A number by a format; other values as text."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not abs(value) < 1e15:
        return number(float(value)) if abs(value) < 1e300 else str(value)[:40]
    return form.format(value) if is_number else text(value)


def _shape(value: Any) -> str:
    return " x ".join(map(text, value)) if isinstance(value, list) else text(value)


def _short(shown: str) -> str:
    return shown if len(shown) <= _LETTERS else f"{shown[:_LETTERS]}…"
