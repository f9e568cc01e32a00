"""DATA as the command line takes it: a built-in name, a CSV or .npz file, or a folder of IDX files."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from portanet._calls import explained
from portanet._typing import Shape
from portanet.data.csv.table import read_table
from portanet.data.dataset import Dataset
from portanet.data.files import require_regular
from portanet.data.idx import read_folder
from portanet.data.labels import encode
from portanet.data.memmap.mapped import Progress
from portanet.data.mnist import mnist, mnist_article, mnist_test
from portanet.data.npz import read_npz
from portanet.errors import ConfigError, DataError

_BUILT_IN: dict[str, Callable[[], Dataset]] = {
    "mnist": mnist,
    "mnist:article": mnist_article,
    "mnist:test": mnist_test,
}


@explained
def read(
    source: str,
    *,
    label: str | None = None,
    usual_label: str | None = None,
    image: Shape | None = None,
    task: str = "classify",
    classes: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    mapped: bool | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The rows of `mnist`, `mnist:article`, `mnist:test`, `FILE.csv`, `FOLDER`, `FILE.npz`, a `:test` part.

    `label` names a CSV's label column, or `usual_label` one that may be missing for a trained model;
    `image` (C, H, W) is the shape of its rows of pixels.
    `classes` and `columns` are those of a trained model: labels and columns are matched to them by name.
    A CSV or IDX file of more than 256 MB, or an eighth of the free memory, is `mapped`: its rows stay on disk. The map
    is made in the cache the first time, when `progress(bytes done, bytes in all)` is told how far it is.
    DataError says what is wrong with the source, and where.
    """
    if task not in ("classify", "regress"):
        raise ConfigError(f"task must be 'classify' or 'regress', got {task!r}.")
    regress = task == "regress"
    if regress:
        classes = None if classes is None else ()
    dataset = _read(
        source, label=label, usual_label=usual_label, image=image, regress=regress, classes=classes, columns=columns,
        mapped=mapped, progress=progress,
    )  # fmt: skip
    shape = dataset.x.shape[1:]
    if image is not None and columns is None and shape != tuple(image):
        raise DataError(f"{source} has rows of the shape {shape}, not images of {tuple(image)}.")
    if columns is not None and shape != (len(columns),):
        raise DataError(f"{source} has rows of the shape {shape}; the model needs {len(columns)} columns.")
    return dataset


def _read(
    source: str,
    *,
    label: str | None,
    usual_label: str | None,
    image: Shape | None,
    regress: bool,
    classes: Sequence[str] | None,
    columns: Sequence[str] | None,
    mapped: bool | None,
    progress: Progress | None,
) -> Dataset:
    if source in _BUILT_IN:
        _require_no_label(source, label)
        return _built_in(_BUILT_IN[source](), classes, regress=regress)
    path, part = _locate(source)
    if Path(path).is_dir() or path.lower().endswith(".npz"):
        _require_no_label(source, label)
    if Path(path).is_dir():
        return read_folder(
            path, part or "train", name=source, regress=regress, classes=classes, mapped=mapped, progress=progress
        )
    require_regular(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        return read_npz(path, part or "train", name=source, image=image, regress=regress, classes=classes)
    if suffix != ".csv":
        raise DataError(f"{source} is no .csv, .npz or folder of IDX files; unpack or convert it.")
    if part:
        raise DataError(f"{source}: a CSV has no parts; name the file alone.")
    return read_table(
        path, label=label, usual_label=usual_label, image=image, regress=regress, classes=classes, columns=columns,
        mapped=mapped, progress=progress,
    )  # fmt: skip


def _require_no_label(source: str, label: str | None) -> None:
    if label is not None:
        raise DataError(f"{source} has its labels apart and no column {label!r}.", remedy=f"leave out label={label!r}")


def _locate(source: str) -> tuple[str, str]:
    """The path and the part, if one is named; a colon in the name of an existing file is no part."""
    try:
        if source and Path(source).exists():
            return source, ""
        path, _, part = source.rpartition(":")
        exists = bool(path) and Path(path).exists()
    except (OSError, ValueError) as error:
        raise DataError(f"{source!r} is not a path ({error}).") from error
    if exists and part in ("train", "test"):
        return path, part
    if exists:
        raise DataError(f"{source}: the part {part!r} is unknown; it is train or test.")
    close = difflib.get_close_matches(source.lower(), _BUILT_IN, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"built in are {', '.join(_BUILT_IN)}."
    raise DataError(f"{source or 'An empty name'} does not exist; {hint}")


def _built_in(digits: Dataset, classes: Sequence[str] | None, *, regress: bool) -> Dataset:
    if regress:
        return replace(digits, targets=digits.require_targets().astype(np.float32), classes=())
    if classes is None:
        return digits
    labels, known = encode(digits.name, digits.classes, digits.require_targets(), classes)
    return replace(digits, targets=labels, classes=known)
