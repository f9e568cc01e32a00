"""Reading pictures as a Dataset: resized to one shape, decoded by several threads, and cached."""

from __future__ import annotations

import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from portanet import _machine
from portanet._text import plain
from portanet._typing import HostArray, Shape
from portanet.data.blocks import BLOCK_BYTES
from portanet.data.dataset import Dataset, Ids
from portanet.data.label_columns import is_number_task, targets_of
from portanet.data.labels import encode
from portanet.data.memmap.cache import CacheError, usable
from portanet.data.memmap.mapped import Found, InMemory, Parts, Progress, Sink, are_large, kept
from portanet.data.pictures.decode import Decoded, Look, UnreadableError, decode, look, require_pillow
from portanet.data.pictures.digit import SIDE
from portanet.data.pictures.folder import Listing
from portanet.errors import ConfigError, DataError
from portanet.storage.schema import Dialect

_FILE = "File"  # the name of a picture's identifier
_FEW = 32  # pictures; decoding so few is faster than the cache
_NAMED = 8  # faults in a message
_VALUES = 2**20  # per row, at most, unless the user sets the shape

Result = TypeVar("Result")


@dataclass(frozen=True)
class Wanted:
    """How pictures become rows.

    image     (C, H, W); None for the most frequent shape
    digits    whether to prepare them as digits of MNIST
    regress   whether labels are numbers to predict; None to infer it from the labels
    classes   the classes of a model
    mapped    whether rows stay on disk; None to decide by their size
    progress  called with the bytes of rows written so far, and in total
    """

    image: Shape | None = None
    digits: bool = False
    regress: bool | None = False
    classes: Sequence[str] | None = None
    mapped: bool | None = None
    progress: Progress | None = None


def read_pictures(listing: Listing, wanted: Wanted) -> Dataset:
    """The rows (N, C, H, W) uint8 of pictures; raises one DataError that names all unreadable files."""
    name, files = listing.name, listing.files
    require_pillow(name)
    if not files:
        raise DataError(f"{name} holds no PNG, JPEG, WebP, BMP or GIF pictures.")
    if wanted.image is not None and not 1 <= wanted.image[0] <= 4:
        raise ConfigError(f"pictures have 1 to 4 channels, not {wanted.image[0]}.", remedy="such as image=(3, 64, 64)")
    targets, classes, notes = _targets(listing, wanted)
    with _threads() as each:
        shape = wanted.image or _commonest(listing, each)
        parts = _parts(listing, shape, wanted, each)
    changed, asked = parts.about["changed"], "" if wanted.image else ", the commonest size"
    if changed and wanted.digits and shape == (1, SIDE, SIDE):
        notes.append(
            f"{name}: {changed:,} prepared as MNIST was: light ink on black, cropped, fitted into 20 x 20, centred by "
            "mass in 28 x 28"
        )
    elif changed or asked:
        size = f"{shape[0]}x{shape[1]}x{shape[2]}"
        notes.append(f"{name}: pictures of {size}{asked}; {changed:,} of {len(files):,} were resized to it")
    ids = Ids(_FILE, np.array([str(listing.place / file) for file in files], object))
    return Dataset(
        name, parts.x, targets, classes, label=listing.label, notes=(*listing.notes, *notes), ids=ids
    )  # fmt: skip


def is_of_pictures(data: Dataset) -> bool:
    """Whether a dataset was read from pictures."""
    return data.x.ndim == 4 and data.ids is not None and data.ids.name == _FILE


def _targets(listing: Listing, wanted: Wanted) -> tuple[HostArray | None, tuple[str, ...], list[str]]:
    """The labels as targets, the classes, and notes on the inferred task."""
    if listing.labels is None:
        return None, (), []
    index: dict[str, int] = {}
    codes = np.array([index.setdefault(text, len(index)) for text in listing.labels], np.int32)
    texts, regress, notes = list(index), wanted.regress, list[str]()
    if listing.label is None:  # class folders, whose names are neither missing values nor numbers to predict
        if regress:
            raise DataError(
                f"{listing.name} has folders of classes, and no numbers to predict.",
                remedy="list paths and numbers in a CSV file",
            )
        names = sorted({text.strip() for text in texts})
        whole = all(text.isascii() and text.isdecimal() for text in texts)
        return *encode(listing.name, texts, codes, wanted.classes or (None if whole else names)), []
    if regress is None:
        regress, why = is_number_task(listing.label, texts, Dialect())
        notes.append(why)
    if not regress:
        return *encode(listing.name, texts, codes, wanted.classes), notes
    targets = targets_of(codes, texts, Dialect())
    if targets is None:
        raise DataError(f"{listing.name}: a label of the column {plain(listing.label)} is not a number.")
    return targets, (), notes


@contextmanager
def _threads() -> Iterator[Any]:
    """A `map` over files by several threads, in order; Pillow's warnings are ignored."""
    with warnings.catch_warnings(), ThreadPoolExecutor(_machine.threads()[0]) as pool:
        warnings.simplefilter("ignore")
        yield pool.map


def _tried(read: Callable[[Path], Result], path: Path) -> Result | str:
    try:
        return read(path)
    except UnreadableError as error:
        return str(error)


def _commonest(listing: Listing, each: Any) -> Shape:
    """The most frequent shape of the pictures; in colour if any of them is."""
    found: list[Look | str] = list(each(partial(_tried, look), [listing.place / file for file in listing.files]))
    looks = [entry for entry in found if not isinstance(entry, str)]
    if not looks:
        _require_none(listing, {file: words for file, words in zip(listing.files, found) if isinstance(words, str)})
    [((height, width), _)] = Counter((entry.height, entry.width) for entry in looks).most_common(1)
    shape = (3 if any(entry.is_coloured for entry in looks) else 1, height, width)
    if math.prod(shape) > _VALUES:
        raise DataError(
            f"{listing.name}: most pictures have {width} x {height} pixels, which is much for a network.",
            remedy=f"name a smaller size, such as image=({shape[0]}, 64, 64)",
        )
    return shape


def _parts(listing: Listing, shape: Shape, wanted: Wanted, each: Any) -> Parts:
    def read(sink: Sink, progress: Progress | None = wanted.progress) -> Found:
        return _decoded(listing, shape, each, sink, digits=wanted.digits, progress=progress)

    large = are_large(len(listing.files) * math.prod(shape)) if wanted.mapped is None else wanted.mapped
    if large or (wanted.mapped is None and listing.labels is not None and len(listing.files) > _FEW):
        try:
            settings = [str(listing.place.resolve()), shape, wanted.digits]
            parts = kept(listing.name, settings, read, state=lambda: _state(listing))
        except CacheError as error:
            if large and 2 * len(listing.files) * math.prod(shape) > _machine.available():
                raise DataError(
                    f"{listing.name} needs a memory map, and the cache cannot take it ({error}); make room there, or "
                    "name another folder in PORTANET_CACHE."
                ) from error
        else:
            return parts if large else Parts(np.array(parts.x), about=parts.about)
    sink = InMemory()
    found = read(sink, None)
    return Parts(sink.array(), *found)


def _decoded(
    listing: Listing, shape: Shape, each: Any, sink: Sink, *, digits: bool, progress: Progress | None
) -> Found:  # fmt: skip
    """Add the rows of all pictures to the sink; raises DataError with all unreadable files."""
    one = partial(_tried, partial(decode, shape=shape, digit=digits and shape == (1, SIDE, SIDE)))
    size, files = math.prod(shape), listing.files
    block = max(4 * _machine.threads()[0], BLOCK_BYTES // size)
    faults: dict[str, str] = {}
    changed = 0
    for start in range(0, len(files), block):
        some = files[start : start + block]
        rows: list[Decoded | str] = list(each(one, [listing.place / file for file in some]))
        faults |= {file: row for file, row in zip(some, rows) if isinstance(row, str)}
        pictures = [row for row in rows if not isinstance(row, str)]
        changed += sum(row.is_changed for row in pictures)
        if not faults:
            sink.add(np.stack([row.pixels for row in pictures]))
        if progress is not None:
            progress((start + len(some)) * size, len(files) * size)
    if faults:
        _require_none(listing, faults)
    return None, [], {"changed": changed}


def _require_none(listing: Listing, faults: dict[str, str]) -> None:
    shown = "; ".join(f"{plain(file)}: {words}" for file, words in list(faults.items())[:_NAMED])
    more = f"; and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
    raise DataError(
        f"{listing.name}: {len(faults):,} of {len(listing.files):,} pictures cannot be read: {shown}{more}.",
        remedy="repair them, or take them away",
    )


def _state(listing: Listing) -> list[Any]:
    """The state of the files, which changes if a picture is changed, added or removed."""
    with usable():
        found = [(file, os.stat(listing.place / file)) for file in listing.files]
    changes = os.name == "posix"  # programs cannot set st_ctime there
    return [
        [
            os.fsencode(file).hex(),
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns if changes else 0,
            status.st_ino,
        ]
        for file, status in found
    ]
