"""What the columns of a table are: numbers, a label, or the pixels of an image."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from portanet._text import plain
from portanet._typing import Shape
from portanet.data.cells import NUMBER, is_text, quoted
from portanet.errors import DataError

_MOST = 2**17  # columns; pandas takes a tenth of a millisecond for each
_PIXEL = re.compile(r"pixel(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Header:
    """`names` in the file's order, the positions of the `numbers` in x's order and of the `label`.

    `image` is the shape of a row whose numbers are pixels.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    label: int | None
    image: Shape | None

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The names of a table's columns in x's order; None for images."""
        return None if self.image else tuple(self.names[i] for i in self.numbers)

    @property
    def label_name(self) -> str | None:
        """The name of the label column."""
        return None if self.label is None else self.names[self.label]


def understand(
    file: str,
    names: Sequence[str],
    *,
    label: str | None = None,
    image: Shape | None = None,
    columns: Sequence[str] | None = None,
    trained: bool = False,
) -> Header:
    """Tell the columns apart by their names; DataError names the one that is wrong.

    The label may be missing where a `trained` model reads rows to predict. `columns` are the model's.
    """
    names = tuple(name.strip() for name in names)
    _check(file, names)
    position = _label(file, names, label, columns, trained)
    rest = tuple(i for i in range(len(names)) if i != position)
    if not rest:
        raise DataError(f"{file} has no column beside the label.")
    if columns is not None:
        return Header(names, _match(file, names, rest, columns), position, None)
    pixels = _pixels(names, rest)
    if image is None and pixels and (side := math.isqrt(len(pixels))) ** 2 == len(pixels):
        image = (1, side, side)
    if image is not None and math.prod(image) != len(rest):
        shape = "x".join(str(size) for size in image)
        raise DataError(f"{file} has {len(rest)} pixel columns; a {shape} image needs {math.prod(image)}.")
    return Header(names, pixels or rest, position, image)


def _check(file: str, names: tuple[str, ...]) -> None:
    if len(names) > _MOST:
        raise DataError(f"{file} has {len(names)} columns, more than the {_MOST} of a table; save it as .npz.")
    seen: set[str] = set()
    for i, name in enumerate(names, 1):
        if not name:
            raise DataError(
                f"{file}: column {i} has no name in the header; name it, or leave the index out "
                "when you write the file (pandas: index=False)."
            )
        if "\0" in name or not is_text(name):
            raise DataError(f"{file} is not UTF-8 text with a header; save it as UTF-8.")
        if name in seen:
            raise DataError(f"{file}: two columns are named {quoted(name)}; begin with a line of distinct names.")
        seen.add(name)
    if len(names) == 1 and re.search(r"[;\t]", names[0]):
        raise DataError(f"{file} is not separated by commas; save it as comma-separated values.")
    if all(NUMBER.fullmatch(name) for name in names) and seen != {str(i) for i in range(len(names))}:
        raise DataError(f"{file} begins with numbers; begin it with a line of column names.")


def _label(
    file: str, names: tuple[str, ...], label: str | None, columns: Sequence[str] | None, trained: bool
) -> int | None:
    wanted = "label" if label is None else label
    if columns is not None and wanted in columns:
        if label is None:
            return None
        raise DataError(f"{file}: the column {label!r} is an input of the model, not a label.")
    if wanted in names:
        return names.index(wanted)
    if label is None or trained:
        return None
    close = difflib.get_close_matches(label, names, 1)
    hint = f"; did you mean {quoted(close[0])}?" if close else f"; its columns: {', '.join(map(plain, names[:8]))}."
    raise DataError(f"{file} has no column {label!r}{hint}")


def _match(file: str, names: tuple[str, ...], rest: tuple[int, ...], columns: Sequence[str]) -> tuple[int, ...]:
    position, known = {names[i]: i for i in rest}, set(columns)
    for column in columns:
        if column not in position:
            raise DataError(f"{file} has no column {quoted(column)}, which the model needs.")
    for name in position:
        if name not in known:
            raise DataError(
                f"{file}: the model has no column {quoted(name)}.", remedy="remove it, or name it with label=NAME"
            )
    return tuple(position[column] for column in columns)


def _pixels(names: tuple[str, ...], rest: tuple[int, ...]) -> tuple[int, ...]:
    """The columns pixel0, pixel1, ... in the order of their numbers; empty where others are among them."""
    number = {int(match[1]): i for i in rest if (match := _PIXEL.fullmatch(names[i]))}
    return tuple(number[k] for k in sorted(number)) if number.keys() == set(range(len(rest))) else ()
