"""The tables of a report: rows of words, made from what the record holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from portanet.metrics import ACCURACY, R2
from portanet.storage.run_record import Object, RunRecord

_MEASURED = {
    "train": "Training {}, last logged",
    "final_train": "Training {}, saved model",
    "valid": "Validation {}",
    "test": "Test {}",
}
SUMMARY = {
    f"{rows}_{metric.key}": (title.format(metric.title), f"{{:{metric.format}}}")
    for metric in (ACCURACY, R2)
    for rows, title in _MEASURED.items()
} | {
    "steps": ("Steps", "{:,}"),
    "seconds": ("Seconds", "{:,.1f}"),
    "backend": ("Backend", "{}"),
    "device": ("Device", "{}"),
    "dtype": ("Number type", "{}"),
    "seed": ("Seed", "{}"),
}


def summary(record: RunRecord) -> list[tuple[str, str]]:
    """The result's figures under their plain names; what is null or absent has no row."""
    result = record.result
    return [
        (label, _figure(result[key], form)) for key, (label, form) in SUMMARY.items() if result.get(key) is not None
    ]


def settings(value: Object) -> list[tuple[str, str]]:
    """A nested object as rows, names joined with dots: optimizer.momentum."""
    return list(_flat(value, ""))


def layers(record: RunRecord) -> list[tuple[str, str, str, str]]:
    """Name, layer, output shape and parameters of each layer."""
    return [
        (
            _text(layer.get("name")),
            _text(layer.get("layer")),
            _shape(layer.get("output_shape")),
            _figure(layer.get("parameters"), "{:,}"),
        )
        for layer in record.layers
    ]


def parameters(record: RunRecord) -> str:
    """How many parameters the layers hold together."""
    counts = [layer.get("parameters") for layer in record.layers]
    return f"{sum(count for count in counts if isinstance(count, int)):,}"


def _flat(value: Object, prefix: str) -> Iterator[tuple[str, str]]:
    for key, entry in value.items():
        if isinstance(entry, dict) and entry:
            yield from _flat(entry, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _text(entry)


def _figure(value: Any, form: str) -> str:
    return form.format(value) if isinstance(value, int | float) else _text(value)


def _shape(value: Any) -> str:
    return "x".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and not any(isinstance(entry, list | dict) for entry in value):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
