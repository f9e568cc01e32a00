"""Comparison of an exported ONNX file with its model: the differences of their outputs on some rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._typing import HostArray
from portanet.data import Dataset
from portanet.export.onnx import load_onnx

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

_ROWS_AT_ONCE = 2**13  # whose outputs, of both, are held in memory


def differences(
    run: TrainedModel, path: str | Path, rows: Dataset, cells: Mapping[str, HostArray] | None
) -> dict[str, float]:
    """Return the largest difference of each output by name; for labels, the number of rows that differ.

    path   the ONNX file, which onnxruntime runs
    rows   the rows, as the model takes them
    cells  the same rows by column, as `read_cells` gives them, for a file with named columns; None for others

    Raises ConfigError if onnxruntime is missing.
    """
    answer, found = load_onnx(path), dict[str, float]()
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, len(rows)))
        x: Any = rows.x[part, ...]
        given = np.asarray(x) if cells is None else [column[part] for column in cells.values()]
        outputs = answer(given)
        for name, expected in _expected(run, x):
            if name == "label":
                differ = float((outputs[name] != expected).reshape(len(x), -1).any(axis=1).sum())
                found[name] = found.get(name, 0.0) + differ
            else:
                found[name] = max(found.get(name, 0.0), float(np.abs(outputs[name] - expected).max(initial=0.0)))
    return found


def _expected(run: TrainedModel, x: Any) -> Iterator[tuple[str, HostArray]]:
    """The model's predictions, by the names of the file's outputs."""
    if run.task.is_classification:
        yield "label", run.predict(x)
        yield "probabilities", run.probabilities(x).astype(np.float32)
        return
    yield "prediction", run.predict(x)
    if len(run.card.levels) > 1:
        ends = run.intervals(x)
        yield "lower", ends[:, 0]
        yield "upper", ends[:, 1]
