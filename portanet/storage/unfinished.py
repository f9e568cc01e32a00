"""Temporary names for files being written, which are removed only after their writer has ended.

A writer holds a lock on its file. Process IDs would not do: containers and machines that share a folder number their
processes separately.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from portanet.storage.lock import is_at

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_OLD = 86_400  # seconds after which a file that cannot be locked counts as abandoned


def name_beside(path: Path) -> Path:
    """Return an unpredictable name in the same folder."""
    return path.parent / f".{path.name}.{secrets.token_hex(8)}.tmp"


def claim(descriptor: int, path: Path) -> bool:
    """Lock a new file or folder as long as it is open; False if a sweep removed it first."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks, as on some network file systems: its age protects it
        return True
    return is_at(path, descriptor)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a new private folder next to `path`; it is removed when the block ends."""
    while True:
        folder = name_beside(path)
        folder.mkdir(mode=0o700)
        descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
        if descriptor is None or claim(descriptor, folder):
            break
        os.close(descriptor)
    try:
        yield folder
    finally:
        remove(folder)
        if descriptor is not None:
            os.close(descriptor)


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove unfinished files of ended writers in a folder: those for `name`, or all."""
    unfinished = re.compile(rf"\.{'.+' if name is None else re.escape(name)}\.[0-9a-f]{{16}}\.tmp")
    for entry in os.listdir(folder):
        if unfinished.fullmatch(entry):
            _remove_if_abandoned(folder / entry)


def remove(path: Path) -> None:
    """Remove a file or folder; ignore errors."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _remove_if_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError):
        if fcntl is None:
            abandoned = time.time() - path.lstat().st_mtime > _OLD
            return remove(path) if abandoned else None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(path)  # while locked, so that a writer that is about to lock it notices
        except BlockingIOError:
            pass
        except OSError:
            if time.time() - path.lstat().st_mtime > _OLD:
                remove(path)
        finally:
            os.close(descriptor)
