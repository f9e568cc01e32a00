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
LABELS = ["label"]
TARGETS: list[str] = []
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
    wanted = [name for name in names if name not in LABELS] if COLUMNS is None else COLUMNS
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
    table = columns("Label", answers["label"] if "label" in answers else answers["prediction"])
    for name in ("lower", "upper"):
        table.update(columns(name, answers[name]) if name in answers else {})
    cells = list(zip(*table.values()))
    returns = any("\r" in cell for row in cells for cell in row)  # readers end a line there, which csv does not quote
    writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerow([FIRST, *table])
    writer.writerows([number, *row] for number, row in enumerate(cells, 1))


def columns(name: str, values: Any) -> dict[str, Any]:
    """Return answers as text by the heads of their columns: one, or one for each of several targets."""
    if not TARGETS:
        return {name: list(map(str, values.tolist()))}
    heads = TARGETS if name == "Label" else [f"{target} {name}" for target in TARGETS]
    return {head: list(map(str, column)) for head, column in zip(heads, values.T.tolist())}
