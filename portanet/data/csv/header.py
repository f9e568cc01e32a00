"""The header of a text file: the names of its columns, the label, and the pixels of an image."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from portanet._text import listed
from portanet._typing import Shape
from portanet.data.cells import is_text, quoted
from portanet.errors import DataError
from portanet.storage.label import Label, as_label, label_names
from portanet.storage.schema import Dialect, Schema

_MOST = 2**17  # columns; pandas takes 0.1 ms for each
_PIXEL = re.compile(r"pixel(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Header:
    """The columns of a file: their `names`, the positions of the `labels`, and of the `inputs` in the order of x.

    `image` is the shape of a row if the inputs are pixels.
    """

    names: tuple[str, ...]
    inputs: tuple[int, ...]
    labels: tuple[int, ...]
    image: Shape | None = None

    @property
    def label(self) -> Label:
        """The name of the label column, or a tuple of several."""
        return as_label([self.names[position] for position in self.labels]) if self.labels else None


def names_of(file: str, rows: Sequence[Sequence[str]], dialect: Dialect) -> tuple[str, ...]:
    """The distinct names of the columns, from the first rows of a file.

    Without a header they are numbered from 1. A column without a name gets its number; trailing columns without a name
    or cells are ignored. If the rows of a file separated by spaces or tabs have one cell more than the header, the
    first cell is the row name, as R writes it.
    """
    head, body = ([cell.strip() for cell in rows[0]], rows[1:]) if dialect.header else ([], rows)
    if len(head) > _MOST:
        raise DataError(f"{file} has {len(head)} columns, more than the {_MOST} of a table; save it as .npz.")
    if any("\0" in name or not is_text(name) for name in head):
        raise DataError(f"{file} is not UTF-8 text with a header; save it as UTF-8.")
    width = Counter(map(len, body)).most_common(1)[0][0] if body else len(head)
    full = max((i for row in body for i, cell in enumerate(row[:width], 1) if cell.strip()), default=0)
    if not dialect.header:
        return tuple(str(number) for number in range(1, full + 1))
    if len(head) == 1 and full > 2:
        raise DataError(
            f"{file} begins with the line {quoted(head[0])} of one cell, and the rows below it have {full}.",
            remedy="leave out what stands above the names of the columns",
        )
    if not dialect.comments and head[0].startswith("#"):
        head[0] = head[0].lstrip("# ")
    if dialect.separator in " \t" and body and all(len(row) == len(head) + 1 for row in body):
        head = ["", *head]
    while head and not head[-1] and len(head) > full and body:
        head.pop()
    return distinct(head)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The names made distinct by a numeric suffix; an empty one becomes the column's number."""
    found: dict[str, None] = {}
    counts: Counter[str] = Counter()  # avoids quadratic time if one name occurs many times
    for number, name in enumerate(names, 1):
        name = name or f"column {number}"
        unique = name
        while unique in found:
            counts[name] += 1
            unique = f"{name}.{counts[name] + 1}"
        found[unique] = None
    return tuple(found)


def parse_header(
    file: str, names: tuple[str, ...], *, label: Label = None, image: Shape | None = None, trained: bool = False
) -> Header:
    """Find the label columns and the pixels by their names; raises DataError for missing ones.

    Labels may be missing if a `trained` model reads rows to predict.
    """
    labels = label_positions(file, names, label, trained=trained)
    rest = tuple(i for i in range(len(names)) if i not in labels)
    if not rest:
        raise DataError(f"{file} has no column beside the label.")
    pixels = _pixels(names, rest)
    if image is None and pixels and (side := math.isqrt(len(pixels))) ** 2 == len(pixels):
        image = (1, side, side)
    if image is not None and math.prod(image) != len(rest):
        shape = "x".join(str(size) for size in image)
        raise DataError(f"{file} has {len(rest)} pixel columns; a {shape} image needs {math.prod(image)}.")
    return Header(names, pixels or rest, labels, image)


def matched(file: str, names: tuple[str, ...], schema: Schema, label: Label, asked: Label) -> Header:
    """The columns that a model was trained on, by their names; raises DataError for missing ones.

    `label` names the model's label or labels, which may be missing; `asked` is the user's choice.
    """
    used = [column.name for column in schema.used]
    if inputs := [name for name in label_names(asked) if name in used]:
        raise DataError(f"{file}: the column {inputs[0]!r} is an input of the model, not a label.")
    wanted = tuple(name for name in label_names(asked) or label_names(label) or ("label",) if name not in used)
    if schema.dialect is not None and not schema.dialect.header and asked is None:
        names = _without(names, wanted, len(schema.columns))
    labels = label_positions(file, names, wanted, trained=asked is None) if wanted else ()
    place = {name: i for i, name in enumerate(names)}
    if missing := [name for name in used if name not in place]:
        close = _close(missing[0], [name for name in names if name not in used])
        hint = f"; it has {quoted(close[0])}" if close else ""
        raise DataError(f"{file} has no column {listed(missing, quoted)}, which the model needs{hint}.")
    return Header(names, tuple(place[name] for name in used), labels)


def _without(names: tuple[str, ...], labels: tuple[str, ...], width: int) -> tuple[str, ...]:
    """The column numbers of the training table, skipping its labels, if the file lacks exactly the label columns."""
    if len(names) != width or not all(label.isdecimal() for label in labels):
        return names
    return tuple(str(number) for number in range(1, width + len(labels) + 1) if str(number) not in labels)


def label_positions(file: str, names: tuple[str, ...], label: Label, *, trained: bool = False) -> tuple[int, ...]:
    """The positions of one or several labels."""
    found = [label_position(file, names, name, trained=trained) for name in label_names(label) or (None,)]
    return tuple(position for position in found if position is not None)


def label_position(file: str, names: tuple[str, ...], label: str | None, *, trained: bool = False) -> int | None:
    """The position of the label; None if the user names none, or a `trained` model does not need it."""
    wanted = "label" if label is None else label
    if wanted in names:
        return names.index(wanted)
    if label is None or trained:
        return None
    if names == tuple(str(number) for number in range(1, len(names) + 1)):
        raise DataError(
            f"{file} has no header, so its columns are numbered from 1 to {len(names)}, and none is {quoted(label)}.",
            remedy=f'name the label by its number, as in label="{len(names)}"',
        )
    close = _close(label, names)
    hint = f"; did you mean {quoted(close[0])}?" if close else f"; its columns: {listed(names)}."
    raise DataError(f"{file} has no column {label!r}{hint}")


def _close(wanted: str, names: Sequence[str]) -> list[str]:
    """The likely intended name: one that differs only in case, else in few letters."""
    alike = [name for name in names if name.strip().lower() == wanted.strip().lower()]
    return alike[:1] or difflib.get_close_matches(wanted, names, 1)


def _pixels(names: tuple[str, ...], rest: tuple[int, ...]) -> tuple[int, ...]:
    """The columns pixel0, pixel1, ... in numeric order; empty if there are other columns."""
    number = {int(match[1]): i for i in rest if (match := _PIXEL.fullmatch(names[i]))}
    return tuple(number[k] for k in sorted(number)) if number.keys() == set(range(len(rest))) else ()
