"""The part of an exported predict.py that reads rows of unnamed numbers, such as pixels."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np

# Defined by the exported file.
ROW_SHAPE: tuple[int, ...] = ()
ROW_DTYPE: Any = np.float32
LABELS = ["label"]


def matrix(rows: Any) -> Any:
    """Return the network's input for rows, (N, ...)."""
    return np.asarray(rows, ROW_DTYPE).reshape(-1, *ROW_SHAPE)


def read(path: str) -> Any:
    """Return the rows of a .npy or .csv file, with its columns in order."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    with open(path, encoding="utf-8-sig", newline="") as file:
        names, *rows = csv.reader(file)
    places = [place for place, name in enumerate(names) if name.strip() not in LABELS]
    return np.array([[float(row[place]) for place in places] for row in rows if row])
