"""Writing a file so that it is the old one or the new one, and never half of either."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from portanet.errors import DataError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_REMEDIES = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "delete something, or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.EACCES: "change the permissions, or write elsewhere",
    errno.EPERM: "change the permissions, or write elsewhere",
    errno.EIO: "the disk may be failing; write elsewhere",
}


@contextlib.contextmanager
def replacing(path: Path, *, keep: Path | None = None) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends, and never if it fails.

    The bytes are on the disk, and read back, before the name changes; until then every moment has the old file.
    The old file goes on under the name `keep`, if one is given. What a killed process left behind is swept.
    Raises DataError where the file cannot be written, and where `path` is no regular file.
    """
    unfinished = _unfinished(path)
    try:
        _require_regular(path)
        for name in (path, keep) if keep else (path,):
            _sweep(name)
        _remove(unfinished)
        with _NewFile(_create(unfinished)) as file:
            yield cast(BinaryIO, file)
            os.fsync(file.fileno())
        if _digest(unfinished) != file.digest.digest():
            raise OSError(errno.EIO, "What was read back is not what was written")
        if keep is not None:
            _keep(path, keep)
        os.replace(unfinished, path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            _remove(unfinished)


def write(path: Path, content: bytes | str, *, keep: Path | None = None) -> Path:
    """Replaces `path` by a file with this content, as `replacing` does."""
    with replacing(path, keep=keep) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def sync_folder(folder: Path) -> bool:
    """Makes the names in a folder last; False on a system that cannot."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        return False
    return True


def cannot_write(path: Path, error: OSError) -> DataError:
    """What happened to a file that was being written, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0)
    return DataError(f"cannot write {path}: {error.strerror or error}{f'; {remedy}' if remedy else ''}.")


def is_running(process: int) -> bool:
    """Whether a process with this number is alive; True where the system cannot tell."""
    if os.name != "posix":  # elsewhere `os.kill` ends the process
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


class _NewFile(io.BufferedIOBase):
    """A new file that goes straight to the system, and knows the SHA-256 of what it was given."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.digest = hashlib.sha256()

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        rest = whole = memoryview(content).cast("B")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self.digest.update(whole)
        return len(whole)

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _create(path: Path) -> int:
    """The descriptor of a new file, as readable as the umask lets it be; never a file or a link that is there."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)


def _keep(path: Path, name: Path) -> None:
    """Gives the file `path`, if there is one, a second name, in one step and in place of the file that had it."""
    if not path.exists():
        return
    second = _unfinished(name)
    try:
        _remove(second)
        os.link(path, second)
        os.replace(second, name)
    except OSError:  # no hard links here, as on FAT and some network file systems
        with replacing(name) as copy, open(path, "rb") as file:
            shutil.copyfileobj(file, copy)
    finally:
        _remove(second)  # it stays where both are names of one file already


def _unfinished(path: Path) -> Path:
    """A name beside `path` that no other thread or process takes."""
    return path.parent / f".{path.name}.{os.getpid()}.{threading.get_native_id()}.tmp"


def _sweep(path: Path) -> None:
    """Removes what processes that no longer live left unfinished of `path`."""
    unfinished = re.compile(rf"\.{re.escape(path.name)}\.([0-9]+)(\.[0-9]+)?\.tmp")
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            if (match := unfinished.fullmatch(name)) and not is_running(int(match[1])):
                os.unlink(path.with_name(name))


def _require_regular(path: Path) -> None:
    """Refuses to put a file in the place of a folder, a pipe or a device."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        if not stat.S_ISREG(mode):
            raise DataError(f"cannot write {path}: it is a pipe or a device; give a regular file.")


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _digest(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
