"""Encoding class names as indices, by the same rules in every reader, so that names match across formats."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from portanet._text import listed, plain
from portanet._typing import HostArray
from portanet.data.cells import INTEGER, NUMBER, as_floats, is_missing, quoted
from portanet.errors import ConfigError, DataError

_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)


def encode(
    name: str, texts: Sequence[str], codes: HostArray, classes: Sequence[str] | None = None
) -> tuple[HostArray, tuple[str, ...]]:
    """Labels (N,) as int32 indices into the classes, and the classes; row i is labelled `texts[codes[i]]`.

    Without `classes` they are the distinct labels: whole numbers in numeric order, others in text order.
    With `classes`, every label must be one of them. A text for a missing value is a class only if it is in `classes`,
    and an infinite number never is; raises DataError with the number of such rows.
    """
    names = [text.strip() for text in texts]
    require_labels(name, names, codes, classes or ())
    if classes is None:
        names, classes = _discover(name, names)
    else:
        known = frozenset(classes)
        names = [text if text in known else shortest(text) for text in names]
    index = {text: i for i, text in enumerate(classes)}
    for code, text in enumerate(names):
        if text not in index:
            raise DataError(
                f"{name}: row {_first(codes, code)}: the label {quoted(text)} is not among the classes: "
                f"{listed(classes)}."
            )
    table = np.array([index[text] for text in names], np.int32)
    return table[codes], tuple(classes)


def encode_array(
    name: str, values: HostArray, *, regress: bool | None = False, classes: Sequence[str] | None = None
) -> tuple[HostArray, tuple[str, ...]]:
    """The same for labels given as an array; with `regress`, float32 or float64 targets and no classes.

    If `regress` is None, numbers are targets unless all are whole.
    """
    if regress is None:
        regress = values.dtype.kind == "f" and bool((values != np.trunc(values)).any())
    if values.dtype.kind in "iuf":
        if not (finite := np.isfinite(values)).all():
            value = values[int(np.argmin(finite))]
            raise DataError(f"{name}: {_without_label(~finite)} ({value}).", remedy="leave them out")
        targets = as_floats(values)
        if targets is None:
            raise DataError(f"{name}: a label is too large.")
        if regress:
            return targets, ()
    elif regress:
        raise DataError(f"{name}: the labels are {values.dtype}; regression needs numbers.")
    if values.dtype.kind == "S":
        values = _decoded(name, values)
    if values.dtype.kind == "U":
        _require_unicode(name, values)
    distinct, codes = np.unique(values, return_inverse=True)
    return encode(name, [str(value) for value in distinct.tolist()], codes, classes)


def _decoded(name: str, values: HostArray) -> HostArray:
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: a label is not UTF-8 text ({error.reason}).") from error


def _require_unicode(name: str, values: HostArray) -> None:
    """Refuse code points that are not characters, and lone surrogates, which no file can hold."""
    points = np.ascontiguousarray(values).view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
    broken = (points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))
    if broken.any():
        row = int(np.argmax(broken)) * len(values) // broken.size + 1
        raise DataError(f"{name}: row {row}: the label is not text, as it holds {int(points[broken][0]):#x}.")


def is_no_label(text: str) -> bool:
    """Whether a label is a text for a missing value, or infinite."""
    return is_missing(text) or _INFINITE.fullmatch(text.strip()) is not None


def require_labels(name: str, names: Sequence[str], codes: HostArray, classes: Sequence[str]) -> None:
    """Raise DataError with the number of rows without a label; a text in `classes` is always a label."""
    absent = np.array([is_no_label(text) and text not in classes for text in names], bool)
    if absent.any():
        word = quoted(names[codes[int(np.argmax(absent[codes]))]])
        is_open = word != "''" and not classes
        remedy = either_remedy(names[codes[int(np.argmax(absent[codes]))]]) if is_open else "leave them out"
        raise DataError(f"{name}: {_without_label(absent[codes])} ({word}).", remedy=remedy)


def either_remedy(word: str) -> str:
    """The remedy for a text that may be a class or a missing label."""
    return f"{leave_out(word)}, or name all classes with classes=... if {quoted(word)} is one"


def leave_out(word: str) -> str:
    """The remedy that leaves out the rows with this label."""
    return f"leave them out with missing={word!r}" if is_missing(word) else "leave them out"


def _without_label(rows: HostArray) -> str:
    """The number of rows without a label and the first of them, in words, by a mask of rows."""
    return without_label(int(rows.sum()), int(np.argmax(rows)) + 1)


def without_label(count: int, first: int) -> str:
    """The number of rows without a label and the first of them, in words."""
    return f"row {first} has no label" if count == 1 else f"{count:,} rows have no label, the first is row {first}"


def class_names(classes: Sequence[object] | None) -> tuple[str, ...] | None:
    """Classes as text, from names or integers; raises ConfigError for a single text, and for duplicates."""
    if classes is None:
        return None
    if isinstance(classes, str):
        raise ConfigError(f"classes must be a list of names, got {quoted(classes)}.", remedy='write ["A", "B"]')
    names = tuple(map(str, classes))
    if len(set(names)) < len(names):
        raise ConfigError(f"classes must have distinct names, got {listed(names)}.")
    return names


def shortest(text: str) -> str:
    """A whole number in its shortest form, so that "07" and "7.0" are "7"; other text unchanged."""
    if INTEGER.fullmatch(text):
        return str(int(text))
    if NUMBER.fullmatch(text) and abs(float(text)) < 2**53 and float(text).is_integer():
        return str(int(float(text)))
    return text


def _discover(name: str, texts: list[str]) -> tuple[list[str], list[str]]:
    names = [shortest(text) for text in texts]
    if all(INTEGER.fullmatch(text) for text in names):
        return names, sorted(set(names), key=int)
    if all(NUMBER.fullmatch(text) for text in texts):
        broken = next(text for text in names if not INTEGER.fullmatch(text))
        raise DataError(
            f"{name}: label {plain(broken)} is not an integer or a name.",
            remedy='to predict numbers, use task="regress"',
        )
    return texts, sorted(set(texts))


def _first(codes: HostArray, code: int) -> int:
    return int(np.argmax(codes == code)) + 1
