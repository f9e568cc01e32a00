"""Folders of pictures: finding the pictures and their classes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portanet._text import listed, plain
from portanet.data.pictures.decode import SUFFIXES
from portanet.errors import DataError

_PARTS = {"train": ("train", "training"), "test": ("test", "testing")}
_VALID = ("valid", "validation", "val", "dev")


@dataclass(frozen=True)
class Listing:
    """Picture files, their labels as text if there are any, and notes on files left out.

    place  the folder that the names of the files are relative to
    label  the name of the label column, if the labels are from one
    """

    name: str
    place: Path
    files: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    label: str | None = None
    notes: tuple[str, ...] = field(default=())


def is_picture(name: str) -> bool:
    """Whether a file has the suffix of a picture and is not hidden."""
    return name.lower().endswith(SUFFIXES) and not os.path.basename(name).startswith(".")


def are_pictures(source: Any) -> bool:
    """Whether a source is the path of a picture or a folder, or a list of paths."""
    if isinstance(source, (list, tuple)):
        return bool(source) and all(isinstance(each, (str, os.PathLike)) for each in source)
    return isinstance(source, (str, os.PathLike)) and (is_picture(os.fspath(source)) or os.path.isdir(source))


def holds_pictures(folder: Path) -> bool:
    """Whether a folder has pictures, at most two folders deep, and no IDX files."""
    with_idx = any("idx" in entry.name and "ubyte" in entry.name for entry in _entries(folder))
    places = [(folder, 0), *((folder / child, 1) for child in _folders(folder))]
    return not with_idx and any(True for place, deeper in places for _ in _pictures(place, deeper))


def pictures_in(folder: Path) -> tuple[str, ...]:
    """All pictures below a folder, as sorted names relative to it."""
    return tuple(sorted(_pictures(folder, deeper=16)))


def of_classes(name: str, folder: Path, part: str = "") -> Listing:
    """The pictures of a folder with a subfolder for each class, or of its `part`.

    The part "train" or "test" is a subfolder of that name; if both exist and none is named, it is "train". Raises
    DataError if there are no class folders.
    """
    folders = _folders(folder)
    notes: tuple[str, ...] = ()
    parts = {part: child for part, names in _PARTS.items() for child in folders if child.lower() in names}
    others = len(parts) == 2 or len(folders) == 1 or any(child.lower() in _VALID for child in folders)
    if "train" in parts and (part or others):
        chosen = parts.get(part or "train")
        if chosen is None:
            raise DataError(f"{name}: there is no folder {part!r} in it; there are {listed(folders)}.")
        if not part and (rest := [child for child in folders if child != chosen]):
            notes = (f"{name}: its folder {plain(chosen)} is read, and not {listed(rest)}, which can be named alone",)
        folder = folder / chosen
        folders = _folders(folder)
    elif part:
        raise DataError(f"{name}: it has no parts, as there is no folder {part!r} beside one to train on.")
    found = {child: pictures_in(folder / child) for child in folders}
    classes = {child: files for child, files in found.items() if files}
    if loose := [entry.name for entry in _entries(folder) if is_picture(entry.name)]:
        raise DataError(
            f"{name}: {len(loose):,} pictures lie beside the class folders, the first is {plain(loose[0])}; put each "
            "class into a separate folder, or list files and labels in a CSV file."
        )
    if empty := [child for child in folders if child not in classes]:
        notes += (f"{name}: without a picture, so no class: {listed(empty)}",)
    files = tuple(f"{child}/{file}" for child, inside in classes.items() for file in inside)
    labels = tuple(child for child, inside in classes.items() for _ in inside)
    return Listing(name, folder, files, labels, notes=(*notes, *_others(name, folder, classes)))


def of_paths(sources: Sequence[str | Path]) -> Listing:
    """The pictures among the paths, and all below folders, without labels; raises DataError for other paths."""
    files: list[str] = []
    for source in [os.fspath(each) for each in sources]:
        folder = Path(source)
        if folder.is_dir():
            if not (found := pictures_in(folder)):
                raise DataError(f"{source} holds no pictures ({', '.join(SUFFIXES)}).")
            files += [str(folder / file) for file in found]
        elif is_picture(source):
            files.append(source)
        else:
            raise DataError(f"{source} is neither a picture ({', '.join(SUFFIXES)}) nor a folder of them.")
    return Listing(os.fspath(sources[0]) if len(sources) == 1 else f"{len(files):,} pictures", Path(), tuple(files))


def _pictures(folder: Path, deeper: int) -> Iterator[str]:
    for entry in _entries(folder):
        if is_picture(entry.name) and not _is_folder(entry):
            yield entry.name
        elif deeper and not entry.name.startswith(".") and not entry.is_symlink() and _is_folder(entry):
            yield from (f"{entry.name}/{name}" for name in _pictures(folder / entry.name, deeper - 1))


def _folders(folder: Path) -> list[str]:
    return [
        entry.name for entry in _entries(folder) if not entry.name.startswith((".", "__")) and _is_folder(entry)
    ]  # fmt: skip


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot look into {folder}: {error.strerror or error}.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one that is not circular."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _others(name: str, folder: Path, classes: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """A note on files in the class folders without the suffix of a picture."""
    others = [
        f"{child}/{entry.name}" for child in classes for entry in _entries(folder / child)
        if not (is_picture(entry.name) or entry.name.startswith(".") or _is_folder(entry))
    ]  # fmt: skip
    return (f"{name}: left out, as they are no pictures: {listed(others)}",) if others else ()
