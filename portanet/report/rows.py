"""The training data of a run, with the number of rows of each class."""

from __future__ import annotations

from typing import Any

from portanet.report.evidence import Evidence
from portanet.report.tables import text
from portanet.storage.run_record import Object, RunRecord

_CLASSES = 40


def section(record: RunRecord, evidence: Evidence | None = None) -> Object | None:
    """Return the content of templates/rows.html.j2; None if the record has no data."""
    data = record.data
    if not data:
        return None
    counts = data.get("counts")
    classes = _classes(data.get("classes"), counts if isinstance(counts, list) else [])
    titles = {"samples": "training rows", "name": "source"}
    pairs = [
        (titles.get(key, key), f"{value:,}" if isinstance(value, int) else text(value))
        for key, value in data.items()
        if key not in ("counts", "notes") and not (key == "classes" and (classes or not value))
    ]
    return {"pairs": pairs, "classes": classes[:_CLASSES], "hidden": max(0, len(classes) - _CLASSES)}


def _classes(names: Any, counts: list[Any]) -> list[Object]:
    """Each class with its number of rows, also as a fraction of the largest; empty if the counts are not known."""
    is_valid = isinstance(names, list) and len(names) == len(counts) and all(type(n) is int and n >= 0 for n in counts)
    most = max(counts, default=0) if is_valid else 0
    if not most:
        return []
    return [{"name": text(name), "rows": rows, "level": rows / most} for name, rows in zip(names, counts, strict=True)]
