"""What an exported predict.py does besides the maths: its arrays as text, and its command line."""

from __future__ import annotations

import base64
import csv
import sys
from typing import Any

import numpy as np

# What the exported file defines for its model.
ROW_SHAPE: tuple[int, ...] = ()
ROW_DTYPE: Any = np.float32
COLUMNS: list[str] | None = None
LABEL = "label"
CLASSES: list[str] | None = None
FIRST = "Row"


def predict(rows: Any) -> dict[str, Any]:
    """Stands for the network."""
    raise NotImplementedError


def decoded(dtype: str, shape: tuple[int, ...], text: str) -> Any:
    """Return the array that is written as text."""
    return np.frombuffer(base64.b64decode(text), np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)


def read(path: str) -> Any:
    """Return the rows of a .npy or .csv file; columns are found by their names, pixels by their order."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    with open(path, encoding="utf-8-sig", newline="") as file:
        names, *rows = csv.reader(file)
    names = [name.strip() for name in names]
    if COLUMNS is not None and (missing := [name for name in COLUMNS if name not in names]):
        sys.exit(f"{path} has no column {missing[0]!r}.")
    wanted = [name for name in names if name != LABEL] if COLUMNS is None else COLUMNS
    places = [names.index(name) for name in wanted]
    return np.array([[float(row[place]) for place in places] for row in rows if row])


def main(arguments: list[str]) -> None:
    """Print the answers for a file as CSV."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit("usage: python predict.py FILE.csv|FILE.npy")
    try:
        answers = predict(read(arguments[0]))
    except OSError as error:
        sys.exit(f"{arguments[0]}: {error.strerror}.")
    except (ValueError, IndexError) as error:
        sys.exit(f"{arguments[0]} is not a table of such rows: {error}.")
    labels = answers["label"] if "label" in answers else answers["prediction"]
    cells = [_text(label) for label in labels.tolist()]
    returns = any("\r" in cell for cell in cells)  # readers end a line there, and csv quotes it in no cell
    writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL, lineterminator="\n")
    bounds = {
        name: [_text(bound) for bound in answers[name].tolist()] for name in ("lower", "upper") if name in answers
    }
    writer.writerow([FIRST, "Label", *bounds])
    writer.writerows(zip(range(1, len(cells) + 1), cells, *bounds.values()))


def _text(label: Any) -> str:
    """A label or a number, the names of several classes, or several numbers."""
    if not isinstance(label, list):
        return str(label)
    return " ".join(name for name, there in zip(CLASSES, label) if there) if CLASSES else " ".join(map(str, label))
