"""The lock file of a folder: it admits one process at a time, and contains its process ID."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from types import ModuleType

from portanet.errors import ConfigError, DataError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_CONTENT = re.compile(rb"[0-9]{0,20}\n?")  # a process ID; empty if the process was killed before writing it
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def acquire(path: Path) -> tuple[int, str | None]:
    """The descriptor of a locked file with our process ID, and None, or a note if locks do not work here."""
    if fcntl is None:
        return _exclusive(path), None
    while True:
        handle = _open(path)
        try:
            note = _flock(path, handle)
            if is_at(path, handle):
                _require_ours(path, handle)
                os.ftruncate(handle, 0)
                os.write(handle, f"{os.getpid()}\n".encode())
                return handle, note
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise
        raise _not_ours(path) from error


def _flock(path: Path, handle: int) -> str | None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[union-attr]
    except BlockingIOError:
        raise _in_use(path, os.pread(handle, 20, 0)) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return f"{path.parent} cannot be locked here ({error.strerror}); make sure that no other run writes to it."
    return None


def is_at(path: Path, handle: int) -> bool:
    """Whether this open file still has that name: the previous holder may have removed it."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), os.stat(path))
    return False


def _require_ours(path: Path, handle: int) -> None:
    """Refuse to truncate, and later remove, a file that portanet did not write."""
    status = os.fstat(handle)
    is_own_file = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    if not (is_own_file and _CONTENT.fullmatch(os.pread(handle, 30, 0))):
        raise _not_ours(path)


def _not_ours(path: Path) -> DataError:
    return DataError(
        f"cannot write {path}: it is a link, or a file that portanet did not write.",
        remedy="move it away, or choose another folder with out=FOLDER",
    )


def _exclusive(path: Path) -> int:
    """The lock on systems without flock: a file that only one process can create; a killed process leaves it behind."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise _in_use(path, path.read_bytes()[:20], f"; if that has ended, delete {path}") from None
    os.write(handle, f"{os.getpid()}\n".encode())
    return handle


def _in_use(path: Path, content: bytes, stale: str = "") -> ConfigError:
    number = content.strip().decode("ascii", "replace")
    process = f"process {number}" if number.isdecimal() else "another process"
    remedy = f"wait until it ends, or choose another folder with out=FOLDER{stale}"
    return ConfigError(f"{path.parent} is in use by {process}.", remedy=remedy)
