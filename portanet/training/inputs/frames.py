"""Columns by name: rows of numbers from pandas or polars frames and from the tables that `read` returns."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from numbers import Number
from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np

from portanet._typing import HostArray
from portanet.data import Dataset, read
from portanet.data.frame import read_inputs
from portanet.data.memmap.rows import as_rows
from portanet.data.pictures.folder import are_pictures
from portanet.data.pictures.source import is_of_pictures
from portanet.errors import DataError
from portanet.nn import LAYERS, Columns, Layer, Sequential
from portanet.storage.label import Label, as_label, label_names
from portanet.storage.model_card import ModelCard
from portanet.storage.schema import Schema


class Given(NamedTuple):
    """The arguments of `fit` or `evaluate`: rows, their labels, and the names of the label columns if there are any."""

    x: Any
    labels: Any
    label: Label

    @classmethod
    def of(cls, x: Any, labels: Any) -> Given:
        """Return rows and labels; a Dataset has its own. Raises DataError for no labels, or for two sets of them."""
        if labels is None and not isinstance(x, Dataset):
            raise DataError("there are no labels; give them after x, or a Dataset, which has both.")
        if isinstance(x, Dataset) and isinstance(labels, Dataset):
            raise DataError("a Dataset has its own labels, got two; pass rows to validate on as valid=.")
        if labels is None:
            return cls(x, x, x.label)
        columns = columns_of(labels)
        name = as_label(columns) if columns else getattr(labels, "name", None)
        given = cls(x, labels, name if isinstance(name, (str, tuple)) and columns_of(x) else None)
        if twice := [name for name in label_names(given.label) if name in (columns_of(x) or ())]:
            raise DataError(f"the labels {twice[0]!r} are among the columns of x too; leave that column out of x.")
        return given

    def label_for(self, *, one_class: bool) -> Label:
        """The name or names of the label columns; None if several columns are class probabilities."""
        return None if one_class and isinstance(self.label, tuple) else self.label

    def rows(self, card: ModelCard) -> Any:
        """The rows of x, with the columns in the model's order."""
        return rows_for(self.x, card)

    def table(self, card: ModelCard) -> Schema | None:
        """The schema of the columns of `rows`, if they are those of a Dataset."""
        own = self.x.table if isinstance(self.x, Dataset) else None
        return own if card.columns is None or columns_of(self.x) is None else card.table

    def columns(self, card: ModelCard) -> tuple[str, ...] | None:
        """The names of the columns of `rows`."""
        columns = columns_of(self.x)
        return columns if columns is None else card.columns or columns


def columns_of(x: Any) -> tuple[str, ...] | None:
    """The column names of a frame or a Dataset; None for other values. Raises DataError for duplicate names."""
    columns = None if isinstance(x, np.ndarray) else getattr(x, "columns", None)
    if columns is None or callable(columns):
        return None
    names = tuple(map(str, columns))
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise DataError(f"two columns are named {brief(twice)}; give each its own name.")
    return names


def rows_for(x: Any, card: ModelCard) -> Any:
    """The rows of `x` for a model, with columns matched by name; a frame is read like the training table.

    For a model of images, `x` may be the path of a picture or of a folder of pictures, or a list of paths.
    Raises DataError for a Dataset whose columns differ from training, such as other codes of categories.
    """
    table = card.table
    if card.has_images and are_pictures(x):
        return _pixels(x, card)
    if table is not None and isinstance(x, Dataset) and x.table is not None:
        _require_alike(x, x.table, table)
    if table is None or isinstance(x, Dataset) or columns_of(x) is None:
        if card.columns is None and card.input_shape and not isinstance(x, Dataset) and columns_of(x) is not None:
            say_once("the model was trained without names of columns; those of x are taken by their position")
        return rows_of(x, card.columns, card.label)
    rows = read(x, table=table, columns=card.columns, default_label=card.label, labelled=False)
    for note in rows.notes:
        say_once(note)
    return rows.x


def as_table(given: Given, model: Layer, card: ModelCard) -> tuple[Given, Layer]:
    """Rows and model; if the model begins with `Columns` without kinds, a frame is read as a table, which sets them.

    card  the card of a model that is trained further, with its columns

    Raises DataError for category codes in front of a layer that would treat them as numbers.
    """
    first = _first(model)
    if not (isinstance(first, Columns) and not first.kinds):
        behind = _first(model.unfrozen())
        takes_codes = type(first) not in LAYERS.values() or (isinstance(behind, Columns) and behind.kinds)
        if isinstance(given.x, Dataset) and not takes_codes:
            _require_numbers(given.x)
        return given, model
    if card.columns is None and columns_of(given.x) is not None and not isinstance(given.x, Dataset):
        table = read_inputs(given.x)
        for note in table.notes:
            say_once(note)
        given = given._replace(x=table)
    known = card.table or (given.x.table if isinstance(given.x, Dataset) else None)
    return given, model if known is None else _with_kinds(model, known.kinds)


def _first(model: Layer) -> Layer:
    while model.is_chain and model.children:
        model = next(iter(model.children.values()))
    return model


def _with_kinds(model: Layer, kinds: tuple[str | int, ...]) -> Layer:
    """The model with these kinds set in the Columns that it begins with."""
    if isinstance(model, Columns):
        return replace(model, kinds=kinds)
    first, *others = model.children.values()
    return Sequential(_with_kinds(first, kinds), *others)


def _require_numbers(data: Dataset) -> None:
    for column in data.table.used if data.table else ():
        if column.values:
            raise DataError(
                f"{data.name}: the column {brief(column.name)} holds codes of categories, which are not numbers.",
                remedy="begin the network with Columns(), as in Sequential(Columns(), ...)",
            )


def _pixels(paths: Any, card: ModelCard) -> Any:
    data = read(paths, image=card.input_shape, digits=card.digits, labelled=False)
    require_pixels(data, card)
    for note in data.notes:
        say_once(note)
    return data.x


def require_pixels(data: Dataset, card: ModelCard) -> None:
    """Raise DataError for pictures if the model was trained on other numbers than pixels from 0 to 255."""
    if is_of_pictures(data) and not card.pixels:
        raise DataError(
            f"{data.name}: the model was trained on numbers other than pixels from 0 to 255, so it takes no pictures.",
            remedy="give it an array of such numbers, or train on pictures",
        )


def _require_alike(data: Dataset, own: Schema, table: Schema) -> None:
    found = {column.name: column for column in own.columns}
    for column in table.used:
        other = found.get(column.name, column)
        if (other.kind, other.values, other.form) != (column.kind, column.values, column.form):
            raise DataError(
                f"{data.name}: the column {brief(column.name)} was not read as in training.",
                remedy="read it with the table of model.card, the argument of read",
            )


def rows_of(x: Any, columns: Sequence[str] | None = None, label: Label = None, *, what: str = "x") -> Any:
    """The rows of `x`: a frame or a Dataset as numbers, with `columns` in the model's order; anything else unchanged.

    Other columns are left out, with a warning unless they are the `label`.
    Raises DataError for a missing column, and for one that does not hold numbers.
    """
    names = columns_of(x)
    in_order = names is None or columns is None or names == tuple(columns)
    positions = None if in_order else _positions(names or (), columns or (), label, what)
    if isinstance(x, Dataset):
        return x.x if positions is None else _reordered(x, positions)
    if names is None:
        return x
    own = list(x.columns)
    return _numbers(x if positions is None else x[[own[position] for position in positions]])


def _positions(names: Sequence[str], columns: Sequence[str], label: Label, what: str) -> list[int]:
    place = {name: position for position, name in enumerate(names)}
    if missing := [name for name in columns if name not in place]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"{what} has no column {brief(missing[0])}{more}, which the model needs.")
    if others := [name for name in names if name not in {*columns, *label_names(label)}]:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        say_once(f"the model has no column {brief(others[0])}{more}; left out")
    return [place[name] for name in columns]


@lru_cache(1024)
def say_once(message: str) -> None:
    """Warn at the user's call of the library, once per message."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] in ("portanet", "functools"):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)  # the line that called predict or evaluate


def _reordered(table: Dataset, positions: list[int]) -> HostArray:
    if as_rows(table.x) is not None:
        raise DataError(
            f"{table.name} is a memory map whose columns are not in the model's order.",
            remedy="read it in the order of model.card.columns",
        )
    chosen: HostArray = table.x[:, positions]
    return chosen


def _numbers(frame: Any) -> HostArray:
    """The values of a frame as one array, in the smallest common dtype of its columns."""
    values = np.asarray(frame)
    if values.dtype.kind in "buif":
        return values
    return np.stack([_column(str(name), frame[name]) for name in frame.columns], axis=1)


def _column(name: str, column: Any) -> HostArray:
    values = without_objects(np.asarray(column))
    if values.dtype.kind not in "buif":
        text = values.dtype.kind in "OUST"
        wrong = brief(next(value for value in values.tolist() if not _is_number(value))) if text else values.dtype
        raise DataError(
            f"column {brief(name)} holds {wrong}, which is not a number.",
            remedy="begin the network with Columns(), which takes text too; or leave the column out",
        )
    return values


def without_objects(values: HostArray) -> HostArray:
    """Return an object array of numbers, as frames may have, as float64; other arrays unchanged."""
    if values.dtype.kind != "O" or not all(map(_is_number, values.flat)):
        return values
    return values.astype(np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, (Number, np.bool_)) and not isinstance(value, complex)
