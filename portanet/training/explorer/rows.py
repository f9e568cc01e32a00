"""The rows that an explorer page shows: a few of each class and some mistakes, or rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from portanet._text import shown
from portanet._typing import HostArray
from portanet.data import Dataset
from portanet.errors import ConfigError

if TYPE_CHECKING:
    from portanet.training.model import TrainedModel

ARRAY = "examples"
_OF_A_CLASS = 3
_IMAGES = 40
_MISTAKES = 6
_ROWS = 200
_NUMBERS = 50_000  # at most, in all rows of a table


def require_examples(examples: Any) -> Dataset | None:
    """Return the rows; raises ConfigError for anything but a Dataset with labels."""
    if examples is not None and not isinstance(examples, Dataset):
        raise ConfigError(
            f"examples must be a Dataset, got {shown(examples)}.",
            remedy="read them, as in examples=read('rows.csv', label=...)",
        )
    if examples is not None:
        examples.require_targets()
    return examples


def examples_of(run: TrainedModel, rows: Dataset) -> tuple[dict[str, Any], HostArray]:
    """Return the page's description of the rows that it shows, and these rows."""
    labels, predicted = np.asarray(rows.labels), np.asarray(run.predict(rows.x))
    is_wrong = _differ(labels, predicted) if run.task.has_one_class else np.zeros(len(rows), bool)
    chosen = _images(labels, is_wrong) if run.card.has_images else _even(len(rows), rows.x.shape[1:])
    found = {
        "array": ARRAY,
        "labels": [_plain(label) for label in labels[chosen].tolist()],
        "wrong": is_wrong[chosen].tolist(),
        "source": f"From {len(rows):,} rows of {rows.name}",
    }
    return found, np.asarray(rows.x[chosen])


def _differ(labels: HostArray, predicted: HostArray) -> HostArray:
    return np.asarray(labels.astype(str) != predicted.astype(str))


def _images(labels: HostArray, is_wrong: HostArray) -> HostArray:
    """Indices of a few rows of each class in turn, and of some that the model gets wrong."""
    _, codes = np.unique(labels, return_inverse=True)
    each = [
        np.flatnonzero((codes == code) & ~is_wrong)[:_OF_A_CLASS] for code in range(min(int(codes.max()) + 1, _IMAGES))
    ]
    right = np.array([rows[i] for i in range(_OF_A_CLASS) for rows in each if i < len(rows)][:_IMAGES], np.int64)
    return np.concatenate([right, np.flatnonzero(is_wrong)[:_MISTAKES]])


def _even(count: int, shape: tuple[int, ...]) -> HostArray:
    """Evenly spaced row indices."""
    most = max(1, min(count, _ROWS, _NUMBERS // max(1, int(np.prod(shape)))))
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64))


def _plain(label: Any) -> Any:
    """A label as JSON data: text for a class, numbers for targets."""
    if isinstance(label, list):
        return [_plain(each) for each in label]
    return label if isinstance(label, float) else str(label)
