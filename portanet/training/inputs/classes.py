"""Labels by class name: text, booleans, categories, bytes and the labels of a Dataset."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from reprlib import repr as brief
from typing import Any, NamedTuple

import numpy as np

from portanet._text import listed
from portanet._typing import HostArray
from portanet.data import Dataset
from portanet.data.labels import is_no_label
from portanet.errors import DataError
from portanet.storage.class_kind import ClassKind
from portanet.training.inputs.arrays import to_host
from portanet.training.inputs.frames import columns_of


class Named(NamedTuple):
    """Labels (N,) by name: row i has the class `names[codes[i]]`; `kind` is the type of the labels.

    further  all declared names in order, if more are declared than occur, as in a category
    """

    names: tuple[str, ...]
    codes: HostArray
    kind: ClassKind
    further: tuple[str, ...] = ()

    def values(self) -> HostArray:
        """Return the labels (N,) themselves."""
        return self.kind.labels(self.names)[self.codes]


def by_number(labels: HostArray) -> Named:
    """Integers (N,) as the names of classes."""
    distinct, codes = np.unique(labels, return_inverse=True)
    return Named(tuple(map(str, distinct.tolist())), codes.astype(np.int32), ClassKind.INTEGER)


def one_column(labels: Any) -> Any:
    """The only column of a one-column frame; anything else unchanged."""
    columns = columns_of(labels)
    return labels[labels.columns[0]] if columns is not None and len(columns) == 1 else labels


def as_named(labels: Any, known: Sequence[str] = ()) -> Named | HostArray:
    """Labels by name; numeric labels (class numbers, whole floats, probabilities) as an array on the host.

    Raises DataError for labels that are missing, infinite or of several types. A text that marks a missing value is a
    class if it is among those `known`.
    """
    if isinstance(labels, Dataset):
        targets = labels.require_targets()
        return Named(labels.classes, targets, ClassKind.of_names(labels.classes)) if labels.classes else targets
    labels = one_column(labels)
    categories = getattr(getattr(labels, "dtype", None), "categories", None)
    values = _flat(_on_host(labels))
    if values.ndim == 1 and values.dtype.kind in "OT":
        values = _of_one_type(values.astype(object))
    if values.ndim != 1 or (values.dtype.kind in "iuf" and categories is None):
        return _whole(values) if values.ndim == 1 and values.dtype.kind == "f" else values
    named = _named(values)
    if categories is None:
        _require_classes(named, known)
        return named
    return named._replace(further=_named(_of_one_type(np.asarray(categories, object))).names)


def _on_host(labels: Any) -> HostArray:
    """Labels as an array; a list that mixes text and other values is not converted to text."""
    if isinstance(labels, (list, tuple)) and any(isinstance(label, (str, bytes)) for label in labels):
        values = np.empty(len(labels), object)
        for row, label in enumerate(labels):
            values[row] = label
        return values
    return to_host(labels)


def _flat(values: HostArray) -> HostArray:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _of_one_type(values: HostArray) -> HostArray:
    """Objects (N,) of one type as an array of that type; text stays objects, which need no fixed length."""
    require_present(np.fromiter(map(is_absent, values), bool, len(values)))
    kinds = [_kind_of(value) for value in values]
    for row, kind in enumerate(kinds):
        if not kind:
            raise DataError(f"row {row}: the label is of the type {type(values[row]).__name__}; give text or numbers.")
        if kind != kinds[0]:
            raise DataError(
                f"the labels are of several types: {brief(values[0])} in row 0, {brief(values[row])} in row {row}."
            )
    found = values if kinds[:1] == ["U"] else np.array(values.tolist())
    if kinds[:1] == ["f"] and found.dtype.kind == "O":
        raise DataError("a label is an integer of more than 64 bits; give the labels as text.")
    return found


def _kind_of(value: Any) -> str:
    if isinstance(value, str):
        return "U"
    if isinstance(value, bytes):
        return "S"
    if isinstance(value, (bool, np.bool_)):
        return "b"
    return "f" if isinstance(value, Real) else ""


def is_absent(value: Any) -> bool:
    """Whether a value is None, NaN, or another library's missing value, which has no truth value."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return not isinstance(value, np.ndarray)


def require_present(absent: HostArray, word: str = "") -> None:
    """Raise DataError with the number of rows whose label is missing or infinite, and the first of them."""
    if absent.any():
        first, count = int(np.argmax(absent)), int(absent.sum())
        rows = "1 row has no label" if count == 1 else f"{count} rows have no label"
        shown = f" ({brief(word)})" if word else ""
        raise DataError(f"{rows}, the first is row {first}{shown}; leave out the rows without one.")


def _whole(values: HostArray) -> HostArray:
    """Class numbers given as floats, as integers."""
    require_present(~np.isfinite(values))
    wrong = np.flatnonzero(values != np.trunc(values))
    wrong = wrong if wrong.size else np.flatnonzero(np.abs(values) >= 2.0**63)
    if wrong.size:
        raise DataError(
            f"row {wrong[0]}: the label {values[wrong[0]]} is not a class.",
            remedy='to predict numbers, use task="regress"',
        )
    return values.astype(np.int64)


def _named(values: HostArray) -> Named:
    """Labels (N,) of one type by name, with the distinct values in ascending order as classes."""
    if values.dtype.kind == "f":
        require_present(~np.isfinite(values))
    if values.dtype.kind not in "OUSbiuf":
        raise DataError(f"labels must be text, numbers or truth values, got dtype {values.dtype}.")
    distinct, codes = np.unique(values, return_inverse=True)
    kind = {"O": ClassKind.TEXT, "U": ClassKind.TEXT, "S": ClassKind.BYTES, "b": ClassKind.BOOLEAN}.get(
        values.dtype.kind
    )
    names = tuple(map(name_of, distinct.tolist()))
    return Named(
        names, codes.astype(np.int32), kind or (ClassKind.INTEGER if ClassKind.INTEGER.has(names) else ClassKind.NUMBER)
    )


def name_of(label: Any) -> str:
    """The class name of a label."""
    if isinstance(label, bytes):
        try:
            return label.decode()
        except UnicodeDecodeError:
            raise DataError(f"the label {brief(label)} is not UTF-8; decode the labels first.") from None
    if isinstance(label, float):
        return str(int(label)) if label.is_integer() else repr(label)
    return str(label)


def _require_classes(named: Named, known: Sequence[str]) -> None:
    """Raise DataError for texts that mark a missing label, unless they are known classes."""
    is_text = named.kind in (ClassKind.TEXT, ClassKind.BYTES)
    absent = [is_text and is_no_label(name) and name not in known for name in named.names]
    if any(absent):
        require_present(np.array(absent)[named.codes], named.names[absent.index(True)])


def codes_among(named: Named, classes: Sequence[str]) -> HostArray:
    """Class numbers (N,) int32 of labels by name; raises DataError for the first unknown class."""
    place = {name: number for number, name in enumerate(classes)}
    table = np.array([place.get(name, -1) for name in named.names], np.int32)
    codes = table[named.codes]
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        label = named.kind.labels([named.names[named.codes[row]]]).tolist()[0]
        raise DataError(f"row {row}: label {brief(label)} is not one of the model's classes: {listed(classes)}.")
    return codes
