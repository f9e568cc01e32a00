"""Class names to indices. Every reader names its classes by the same rules, so names match across formats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray
from portanet.data.cells import INTEGER, NUMBER, as_floats, quoted
from portanet.errors import DataError


def encode(
    name: str, texts: Sequence[str], codes: HostArray, classes: Sequence[str] | None = None
) -> tuple[HostArray, tuple[str, ...]]:
    """Labels (N,) as int32 indices into the classes, and the classes; row i is labelled `texts[codes[i]]`.

    Without `classes` they are the distinct labels: whole numbers in numeric order, others in text order.
    With them, the ones a trained model knows, every label must be among them.
    """
    names = [text.strip() for text in texts]
    if "" in names:
        raise DataError(f"{name}: row {_first(codes, names.index(''))}: the label is empty.")
    if classes is None:
        names, classes = _discover(name, names)
    else:
        known = frozenset(classes)
        names = [text if text in known else shortest(text) for text in names]
    index = {text: i for i, text in enumerate(classes)}
    for code, text in enumerate(names):
        if text not in index:
            raise DataError(
                f"{name}: row {_first(codes, code)}: the label {quoted(text)} is not among the model's classes: "
                f"{_listed(classes)}."
            )
    table = np.array([index[text] for text in names], np.int32)
    return table[codes], tuple(classes)


def encode_array(
    name: str, values: HostArray, *, regress: bool = False, classes: Sequence[str] | None = None
) -> tuple[HostArray, tuple[str, ...]]:
    """The same for labels that came as an array; for `regress` float32 or float64 targets and no classes."""
    if values.dtype.kind in "iuf":
        targets = as_floats(values)
        if targets is None:
            raise DataError(f"{name}: a label is NaN, infinite or too large.")
        if regress:
            return targets, ()
    elif regress:
        raise DataError(f"{name}: the labels are {values.dtype}; regression needs numbers.")
    if values.dtype.kind == "U":
        _require_unicode(name, values)
    distinct, codes = np.unique(values, return_inverse=True)
    return encode(name, [str(value) for value in distinct.tolist()], codes, classes)


def _require_unicode(name: str, values: HostArray) -> None:
    """Refuse numbers that are not characters, which Python cannot hold, and halves of one, which no file can."""
    points = np.ascontiguousarray(values).view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
    broken = (points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))
    if broken.any():
        row = int(np.argmax(broken)) * len(values) // broken.size + 1
        raise DataError(f"{name}: row {row}: the label is not text, as it holds {int(points[broken][0]):#x}.")


def shortest(text: str) -> str:
    """A whole number in its shortest form, so that "07" and "7.0" are "7"; other text as it is."""
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
            f"{name}: label {plain(broken)} is a measurement, not an integer or a name.",
            remedy='to predict numbers, use task="regress"',
        )
    return texts, sorted(set(texts))


def _first(codes: HostArray, code: int) -> int:
    return int(np.argmax(codes == code)) + 1


def _listed(classes: Sequence[str]) -> str:
    return ", ".join(map(plain, classes[:12])) + (f", ... ({len(classes)} in all)" if len(classes) > 12 else "")
