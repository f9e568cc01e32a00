"""Atomic on-disk cache."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from portanet._cache import folder, size
from portanet.storage import unfinished

__all__ = ["CacheError", "folder", "kept", "require_room", "size", "usable"]

T = TypeVar("T")

_RESERVE = 2**28  # bytes of the disk to leave free


class CacheError(Exception):
    """The cache cannot be used; callers work without it."""


def kept(name: str, find: Callable[[Path], T | None], make: Callable[[Path], None]) -> T:
    """The result of `find` for a file or folder of the cache; if that is None, `make` writes it first.

    It is written under a temporary name and then renamed, so two processes never collide: the second uses the result
    of the first. Raises CacheError if the cache cannot be read or written.
    """
    with usable():
        place = folder() / name
        if (found := find(place)) is None:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the data may be private
            unfinished.sweep(place.parent)
            with unfinished.new_folder(place) as folder_of_new:
                make(folder_of_new / place.name)
                _move(folder_of_new / place.name, place, find)
            found = find(place)
    if found is None:
        raise CacheError(f"{place} is not what was written")
    return found


@contextlib.contextmanager
def usable() -> Iterator[None]:
    """Turn errors of the system into CacheError."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        raise CacheError(getattr(error, "strerror", None) or str(error)) from error


def require_room(place: Path, count: int) -> None:
    """Raise CacheError unless the disk of `place` has room for `count` bytes and a reserve."""
    free = shutil.disk_usage(place.parent).free
    if free - _RESERVE < count:
        raise CacheError(f"only {free / 1e9:.1f} GB are free in {folder()}")


def _move(new: Path, place: Path, find: Callable[[Path], T | None]) -> None:
    try:
        os.replace(new, place)
    except OSError:  # a folder cannot replace another one that has files
        if find(place) is None:
            unfinished.remove(place)
            os.replace(new, place)
