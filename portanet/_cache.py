"""The on-disk cache: files that can be rebuilt."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def folder() -> Path:
    """The folder that PORTANET_CACHE names, or portanet's in the user's cache folder; it may not exist."""
    if named := os.environ.get("PORTANET_CACHE"):
        return Path(named)
    import platformdirs

    return platformdirs.user_cache_path("portanet", appauthor=False)


def size() -> int:
    """How many bytes the cache holds."""
    total = 0
    for path, _, names in os.walk(folder()):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def require_own(path: Path) -> None:
    """Raise OSError unless only this user or root can change what a path leads to.

    Code is loaded from there. So the file and every folder above belong to this user or to root, and others may not
    write to them; a folder with the sticky bit, as /tmp is, lets them change only their own files.
    """
    for ancestor in (path, *path.absolute().parents):
        status = os.lstat(ancestor)
        if stat.S_ISLNK(status.st_mode) and status.st_uid in (0, os.getuid()):
            require_own(ancestor.resolve())
            continue
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        if status.st_uid not in (0, os.getuid()) or (status.st_mode & 0o022 and not sticky):
            raise PermissionError(f"others can write to {ancestor}")
