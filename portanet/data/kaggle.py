"""Writing files in the format of Kaggle's digit recognizer, and submissions."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from portanet._typing import HostArray
from portanet.data.dataset import Dataset
from portanet.data.files import require_free
from portanet.data.mnist import mnist_article, mnist_test
from portanet.errors import DataError
from portanet.storage.atomic import replacing

_FIRST = np.array([b"%d" % value for value in range(256)], "S4")
_NEXT = np.array([b",%d" % value for value in range(256)], "S4")
_ROWS = 2000


def write_kaggle(folder: str | Path, *, force: bool = False) -> tuple[Path, Path]:
    """Write train.csv (the 42,000 images of mnist:article) and test.csv (the 10,000 test images, without labels).

    Returns the paths; existing files are replaced only with `force`.
    """
    train, test = Path(folder, "train.csv"), Path(folder, "test.csv")
    for path in (train, test):
        require_free(path, force=force)
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}.") from error
    digits = mnist_article()
    _write_images(train, digits, digits.targets)
    _write_images(test, mnist_test(), None)
    return train, test


def write_answers(
    file: BinaryIO,
    answers: Iterable[tuple[Sequence[str] | Sequence[Sequence[str]], HostArray | None]],
    *,
    identifier: str = "ImageId",
    ids: Iterable[str] | None = None,
    classes: Sequence[str] = (),
    label_last: bool = False,
    columns: Sequence[str] = (),
    targets: Sequence[str] = (),
    label: str = "Label",
) -> None:
    """Write `ImageId,Label` with one line for each label, numbered from 1: a Kaggle submission.

    answers     batches of labels, each with the probabilities (N, classes) of `classes`, which become columns
                `probability_NAME`, or with the numbers (N, C) of `columns`, or with None
    identifier  the title of the first column, such as `Row` for the rows of a table
    ids         the cells of the first column, in place of numbers from 1
    label_last  whether the label comes after the probabilities
    label       the title of the labels; for several, `targets` are their titles, and each row has a list of labels
    """
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")  # names may be any bytes
    write_row = _row_writer(text)
    names = [*(f"probability_{name}" for name in classes), *columns]
    heads = list(targets) or [label]
    write_row([identifier, *names, *heads] if label_last else [identifier, *heads, *names])
    numbers: Iterator[object] = count(1) if ids is None else iter(ids)
    for labels, probabilities in answers:
        # astype(str) gives the shortest text that reads as the same number
        shares = [[]] * len(labels) if probabilities is None else probabilities.astype(str).tolist()
        for own, row in zip(labels, shares, strict=True):
            cells = list(own) if targets else [own]
            write_row([next(numbers), *row, *cells] if label_last else [next(numbers), *cells, *row])
    text.detach()


def _row_writer(text: io.TextIOWrapper) -> Callable[[list[Any]], Any]:
    """Return a function that writes a row. It quotes rows with a carriage return, which readers take for a line end."""
    plain, quoted = csv.writer(text, lineterminator="\n"), csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")

    def write(cells: list[Any]) -> None:
        returns = any("\r" in cell for cell in cells if isinstance(cell, str))
        (quoted if returns else plain).writerow(cells)

    return write


def _write_images(path: Path, digits: Dataset, labels: HostArray | None) -> None:
    pixels = digits.x.reshape(len(digits), -1)
    values = pixels if labels is None else np.column_stack([labels.astype(np.uint8), pixels])
    header = [f"pixel{i}" for i in range(pixels.shape[1])]
    with replacing(path) as file:
        file.write(",".join(header if labels is None else ["label", *header]).encode() + b"\n")
        for start in range(0, len(values), _ROWS):
            file.write(_lines(values[start : start + _ROWS]))


def _lines(values: HostArray) -> bytes:
    """Numbers from 0 to 255 as lines of text: fixed-width cells from a lookup table, then the padding removed."""
    cells = np.full((len(values), values.shape[1] + 1), b"\n", "S4")
    cells[:, 0] = _FIRST[values[:, 0]]
    cells[:, 1:-1] = _NEXT[values[:, 1:]]
    return cells.tobytes().replace(b"\0", b"")
