"""The parts of an exported predict.py other than the maths: decoding of arrays, and the command line."""

from __future__ import annotations

import base64
import csv
import itertools
import os
import sys
from typing import Any

import numpy as np

# Defined by the exported file.
TARGETS: list[str] = []
LABEL = "Label"
CLASS: str | None = None
FIRST = "Row"
IDENTIFIER: str | None = None
DECIMALS: list[int] | None = None
PRECISION = "float32"
ROWS_AT_ONCE = 1


def network(rows: Any) -> dict[str, Any]:
    """Placeholder for the network in the exported file."""
    raise NotImplementedError


def matrix(rows: Any) -> Any:
    """Placeholder for the function of numpy_table or numpy_rows."""
    raise NotImplementedError


def read(path: str) -> Any:
    """Placeholder for the function of numpy_table or numpy_rows."""
    raise NotImplementedError


def predict(rows: Any) -> Any:
    """Return a dict with the predictions for rows, in their order, as `matrix` takes them."""
    rows = matrix(rows)
    parts = [network(rows[start : start + ROWS_AT_ONCE]) for start in range(0, len(rows) or 1, ROWS_AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def decoded(dtype: str, shape: tuple[int, ...], text: str) -> Any:
    """Return the array of a text."""
    return np.frombuffer(base64.b64decode(text), np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)


def main(arguments: list[str]) -> None:
    """Print the predictions for a file as CSV."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.exit("usage: python predict.py FILE.csv|FILE.npy")
    try:
        rows = read(arguments[0])
        answers = predict(rows)
    except OSError as error:
        sys.exit(f"{arguments[0]}: {error.strerror}.")
    except (ValueError, IndexError, csv.Error) as error:
        sys.exit(f"{arguments[0]} is not a table of such rows: {error}.")
    columns = columns_of(answers)
    has_ids = isinstance(rows, dict) and IDENTIFIER in rows
    ids = rows[IDENTIFIER] if has_ids else map(str, itertools.count(1))
    write([[IDENTIFIER if has_ids else FIRST, *columns], *zip(ids, *columns.values())])


def columns_of(answers: Any) -> Any:
    """Return predictions as text by column name: one column, or one for each target."""
    columns: dict[str, Any] = {}
    for name, values in answers.items():
        if name != "probabilities":
            texts = labels(values) if name == "label" else rounded(values)
            head = "" if name in ("label", "prediction") else name
            heads = [f"{target} {head}".strip() for target in TARGETS] or [head or LABEL]
            columns.update(zip(heads, zip(*texts) if texts else [[] for _ in heads]))
    return columns


def labels(values: Any) -> Any:
    """Return multi-label predictions (N, K) as text; of a single class its name or nothing."""
    rows = values.tolist() if values.ndim == 2 else [[value] for value in values.tolist()]
    return (
        [[CLASS if there else ""] for [there] in rows] if CLASS is not None else [list(map(str, row)) for row in rows]
    )


def rounded(values: Any) -> Any:
    """Return numbers (N, K) as text, without decimals beyond the model's precision."""
    rows = values if values.ndim == 2 else values[:, None]
    if DECIMALS is None:
        rows = rows.astype(PRECISION)
    else:
        columns = [column if places is None else np.round(column, places) for column, places in zip(rows.T, DECIMALS)]
        rows = np.stack(columns, axis=1)
    return rows.astype(str).tolist()


def write(rows: Any) -> None:
    """Print rows as CSV. Carriage returns also end a line, and csv does not quote them by itself."""
    plain = csv.writer(sys.stdout, lineterminator="\n")
    try:
        for row in rows:
            returns = any("\r" in cell for cell in row)
            writer = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\n") if returns else plain
            writer.writerow(row)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has closed it, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
