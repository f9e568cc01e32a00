"""DATA as the command line takes it: a built-in name, a CSV or .npz file, or a folder of pictures or IDX files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from portanet._calls import explained
from portanet._typing import HostArray, Shape
from portanet.data.cells import quoted
from portanet.data.csv.dialect import Asked
from portanet.data.csv.table import read_table
from portanet.data.dataset import Dataset
from portanet.data.files import require_regular
from portanet.data.frame import is_frame, read_frame
from portanet.data.idx import read_folder
from portanet.data.labels import class_names, encode
from portanet.data.memmap.mapped import Progress
from portanet.data.mnist import mnist, mnist_article, mnist_test
from portanet.data.npz import read_npz
from portanet.data.packed import SUFFIXES, name_inside, stdin_as_file
from portanet.data.parquet import read_parquet
from portanet.data.pictures.folder import Listing, holds_pictures, is_picture, of_classes, of_paths
from portanet.data.pictures.listed import listed
from portanet.data.pictures.source import Wanted, read_pictures
from portanet.data.request import Request
from portanet.errors import ConfigError, DataError
from portanet.storage.label import Label, as_label, label_names
from portanet.storage.schema import DATE, NUMBER, Column, Schema

_TABLES = (".csv", ".tsv", ".txt", ".data")
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_TASKS = {"auto": None, "classify": False, "regress": True, "multilabel": False}
_BUILT_IN: dict[str, Callable[[], Dataset]] = {
    "mnist": mnist,
    "mnist:article": mnist_article,
    "mnist:test": mnist_test,
}


@explained
def read(
    source: Any,
    *,
    label: str | Sequence[str] | None = None,
    default_label: str | Sequence[str] | None = None,
    image: Shape | None = None,
    task: str = "classify",
    classes: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    table: Schema | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    missing: Sequence[str] | None = None,
    kinds: Mapping[str, str] | None = None,
    coerce: bool = False,
    digits: bool = False,
    labelled: bool = True,
    held_out: float = 0.0,
    id: str | None = None,
    mapped: bool | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The rows of `mnist`, `mnist:article`, `mnist:test`, a text or Parquet file, `FOLDER`, `FILE.npz`, a data frame.

    A table's text file may be compressed (.gz .bz2 .xz .zst .zip); "-" is stdin. `:test` selects the test part of a
    folder or an .npz file. Pictures (PNG, JPEG, WebP, BMP, GIF; extra `images`) come from a folder with a subfolder for
    each class, or from a text file with a column of paths; a picture or a list of pictures has no labels.

    source         a name or path, a list of pictures, or a data frame
    label          a table's label column; a list of several gives targets (N, K), which are numbers, or ones and zeros
                   if all are yes or no
    default_label  the label column, or several, unless `label` is given; it may be missing, as in rows to predict
    image          the shape (C, H, W) of a table's rows of pixels, or that pictures are resized to; by default the most
                   frequent shape of the pictures
    task           "classify", "regress", or "auto": text, and integers of up to 20 distinct values, are classes;
                   "multilabel" for several labels of yes or no. By default several labels are numbers, or yes and no
                   if all are
    classes        the classes of a trained model, or all classes if one looks like a missing value, such as "NA";
                   labels are matched by name
    columns        the names of a trained model's columns
    table          the schema of a trained model, `card.table`, in place of `columns`
    separator      the separator of cells, such as ";"; " " for runs of spaces. It is detected by default, as are the
                   next three settings
    decimal        the decimal mark, "." or ","
    header         whether the first row names the columns; otherwise they are numbered from 1
    encoding       the encoding, such as "cp1252"
    missing        further texts for a missing value, besides "", "?", "-", "NA", "NaN", "null" and the like
    kinds          "number", "category", "date" or its format such as "day.month.year", "id" or "drop", by column name,
                   in place of the detected kind
    coerce         whether a cell not of its column's kind counts as missing; otherwise it is an error
    digits         whether to prepare pictures as digits of MNIST, as for a model with `card.digits`
    labelled       whether labels are wanted; otherwise a label column is left out, whatever it holds
    held_out       the fraction that `fit(valid=...)` will hold out: kinds of columns are decided on the other rows
    id             a column to return as `Dataset.ids`; with `labelled=False` it defaults to the identifier column of a
                   trained model
    mapped         whether rows stay on disk; by default for a file of more than 256 MB, or an eighth of the free
                   memory. The map is written to the cache the first time
    progress       called with (bytes done, bytes in total) while the map is written

    Raises DataError with the faults of the source and their positions, and ConfigError for invalid settings.
    """
    if task not in _TASKS:
        raise ConfigError(f"task must be {', '.join(map(repr, _TASKS))}, got {task!r}.")
    regress = _TASKS[task]
    classes = () if regress and classes is not None else class_names(classes)
    table = _schema(columns, table)
    if table is not None and kinds:
        raise ConfigError(
            f"a trained model knows what its columns hold, so {quoted(next(iter(kinds)))} cannot be another kind.",
            remedy="leave out kinds=..., or train a model with it",
        )
    asked = Asked(separator, decimal, header, encoding, None if missing is None else _words(missing))
    request = Request(
        as_label(label), as_label(default_label), image, regress, classes, table, asked, kinds or {}, coerce, labelled,
        held_out, id, digits, task == "multilabel",
    )  # fmt: skip
    dataset = _read(source, request, mapped=mapped, progress=progress)
    if not labelled:
        dataset = replace(dataset, targets=None, classes=())
    if task == "multilabel" and dataset.targets is not None and dataset.targets.ndim == 1:
        raise DataError(
            f"{dataset.name} has one label a row, and several classes at once need several.",
            remedy="name the column of each with label=NAME",
        )
    shape = dataset.x.shape[1:]
    if image is not None and table is None and shape != tuple(image):
        raise DataError(f"{dataset.name} has rows of the shape {shape}, not images of {tuple(image)}.")
    if table is not None and shape != (len(table.names),):
        raise DataError(f"{dataset.name} has rows of the shape {shape}; the model needs {len(table.names)} columns.")
    return dataset


def read_cells(source: Any, table: Schema, *, label: Label = None) -> dict[str, HostArray]:
    """The cells of a model's input columns by name, (N,) each: text, float64 or `datetime64[s]`, see `CellValues`.

    source  as for `read`: a text or Parquet file, or a data frame
    table   a trained model's schema of its columns
    label   the model's label column or columns, which may be missing

    Raises DataError as `read` does.
    """
    request = Request(default_label=label, table=table, labelled=False, cells=True)
    rows = _read(source, request, mapped=False, progress=None).x
    kinds = {NUMBER: "float64", DATE: "datetime64[s]"}
    return {column.name: rows[:, i].astype(kinds.get(column.kind, "O")) for i, column in enumerate(table.used)}


def _schema(columns: Sequence[str] | None, table: Schema | None) -> Schema | None:
    return Schema(tuple(map(Column, columns))) if table is None and columns is not None else table


def _words(missing: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.strip().lower() for word in ([missing] if isinstance(missing, str) else missing))


def _read(source: Any, request: Request, *, mapped: bool | None, progress: Progress | None) -> Dataset:
    if is_frame(source):
        return read_frame(source, request)
    pictures = Wanted(request.image, request.digits, request.regress, request.classes, mapped, progress)
    if isinstance(source, (list, tuple)) and source and all(isinstance(each, (str, os.PathLike)) for each in source):
        _require_no_columns("a list of pictures", request)
        return read_pictures(of_paths(source), pictures)
    if not isinstance(source, (str, os.PathLike)):
        raise DataError(f"read takes the name of a source, a Path or a data frame, got {type(source).__name__}.")
    name = os.fspath(source)
    if name in _BUILT_IN and isinstance(source, str):
        _require_no_columns(name, request)
        return _built_in(_BUILT_IN[name](), request.classes, regress=bool(request.regress))
    if name == "-":
        with stdin_as_file() as file:
            return read_table(file, request, name="stdin", mapped=False)
    path, part = _locate(name)
    if Path(path).is_dir() or path.lower().endswith(".npz"):
        _require_no_columns(name, request)
    settings: dict[str, Any] = {"name": name, "regress": request.regress, "classes": request.classes}
    settings["labelled"] = request.labelled
    if (listing := _listing(name, path, part, request)) is not None:
        _require_no_id(name, request)
        return read_pictures(listing, pictures)
    if Path(path).is_dir():
        return read_folder(path, part or "train", mapped=mapped, progress=progress, **settings)
    require_regular(path)
    if path.lower().endswith(".npz"):
        return read_npz(path, part or "train", image=request.image, **settings)
    if part:
        raise DataError(f"{name}: a table has no parts; name the file alone.")
    suffix = _suffix(path)
    if suffix == ".parquet":
        return read_parquet(path, request, name=name)
    if suffix in _WORKBOOKS:
        raise DataError(f"{name} is a workbook of a spreadsheet program; save its sheet as CSV.")
    if suffix not in _TABLES:
        raise DataError(
            f"{name} is not a table ({', '.join(_TABLES)}, compressed or not), a .parquet or .npz file, a picture, or "
            "a folder of pictures or IDX files; convert it."
        )
    return read_table(path, request, mapped=mapped, progress=progress)


def _listing(name: str, path: str, part: str, request: Request) -> Listing | None:
    """The pictures at a path; None if it is something else."""
    if Path(path).is_dir():
        if not holds_pictures(Path(path)):
            return None
        return of_classes(name, Path(path), part) if part or request.labelled else of_paths([path])
    if part:
        return None
    if is_picture(path):
        return of_paths([path])
    return listed(path, request) if request.table is None and _suffix(path) in _TABLES else None


def _suffix(path: str) -> str:
    """The suffix of a file, without that of the compression."""
    inner = Path(path.lower())
    if inner.suffix == ".zip" and not inner.with_suffix("").suffix:  # such as a site's archive.zip
        return Path(name_inside(path).lower()).suffix or ".csv"  # pandas' to_csv packs "a" into a.zip
    return inner.with_suffix("").suffix or inner.suffix if inner.suffix in SUFFIXES else inner.suffix


def _require_no_columns(source: str, request: Request) -> None:
    if names := label_names(request.label):
        remedy = f"leave out label={names[0]!r}"
        raise DataError(f"{source} has separate labels and no column {names[0]!r}.", remedy=remedy)
    _require_no_id(source, request)


def _require_no_id(source: str, request: Request) -> None:
    if request.id is not None:
        raise DataError(f"{source} has no columns of text to take {request.id!r} from.", remedy="leave out id=...")


def _locate(source: str) -> tuple[str, str]:
    """The path and the part, if one is given; a colon in the name of an existing file does not separate a part."""
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
    hint = f"did you mean {close[0]!r}?" if close else f"the built-in data sets are {', '.join(_BUILT_IN)}."
    raise DataError(f"{source or 'An empty name'} does not exist; {hint}")


def _built_in(digits: Dataset, classes: Sequence[str] | None, *, regress: bool) -> Dataset:
    if regress:
        return replace(digits, targets=digits.require_targets().astype(np.float32), classes=())
    if classes is None:
        return digits
    labels, known = encode(digits.name, digits.classes, digits.require_targets(), classes)
    return replace(digits, targets=labels, classes=known)
