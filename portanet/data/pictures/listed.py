"""Text files with a column of paths to pictures."""

from __future__ import annotations

import re
from pathlib import Path

from portanet._text import plain
from portanet.data.cells import quoted
from portanet.data.csv.header import label_position
from portanet.data.csv.table import cells_of
from portanet.data.packed import unpacked
from portanet.data.pictures.decode import SUFFIXES
from portanet.data.pictures.folder import Listing, is_picture
from portanet.data.request import Request
from portanet.errors import DataError

_START = 2**16  # bytes searched for a path
_TRIED = 100  # paths checked for an existing file
_PATH = re.compile(rb"(?i)(" + "|".join(map(re.escape, SUFFIXES)).encode() + rb")[\"']?\s*([,;|\t\r\n]|$)")


def listed(path: str, request: Request) -> Listing | None:
    """The pictures whose paths, relative to the file, are in one of its columns; None for any other table.

    A column of paths makes the table a list of pictures if the request has an image shape, if at most a label column
    accompanies it, or if one of the first hundred files exists. The label is the requested column, else "label", else
    the only other one. Raises DataError for a row without a path.
    """
    with unpacked(path) as file:
        if not _PATH.search(file.read(_START)):
            return None
    columns = cells_of(path, request.asked)
    name = next((name for name, cells in columns.items() if _are_paths(cells)), None)
    if name is None:
        return None
    files, place = columns[name], Path(path).parent
    others = [other for other in columns if other != name]
    if (
        request.image is None
        and len(others) > 1
        and not any((place / file).is_file() for file in files[:_TRIED] if file)
    ):
        return None
    if missing := [row for row, file in enumerate(files, 1) if not file]:
        more = f" and {len(missing) - 1:,} more rows" if len(missing) > 1 else ""
        raise DataError(f"{path}: row {missing[0]}{more} of the column {quoted(name)} has no path.")
    wanted = request.wanted
    if isinstance(wanted, tuple):
        raise DataError(f"{path}: pictures have one label; name one column, not {len(wanted)}.")
    position = label_position(path, tuple(columns), wanted, trained=request.label is None)
    chosen = tuple(columns)[position] if position is not None else others[0] if len(others) == 1 else None
    if chosen == name:
        raise DataError(f"{path}: the column {quoted(name)} holds the paths, not labels.")
    labels = tuple(columns[chosen]) if chosen is not None and request.labelled else None
    spare = [other for other in others if other != chosen]
    notes = [f"{path}: the column {quoted(name)} holds paths of pictures"]
    if spare:
        notes.append(f"{path}: left out, beside pictures: {', '.join(map(plain, spare[:3]))}")
    return Listing(path, place, tuple(files), labels, chosen, tuple(notes))


def _are_paths(cells: list[str]) -> bool:
    present = [cell for cell in cells if cell]
    return bool(present) and all(is_picture(cell) and "://" not in cell for cell in present)
