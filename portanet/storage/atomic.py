"""Atomic file writes: a file is the old one or the new one, never a mixture."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from portanet.errors import DataError
from portanet.storage import unfinished

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
    """Yield a binary file that replaces `path` when the block ends, and never if it fails.

    The bytes are on the disk, and verified, before the file is renamed; until then `path` is the old file. The old file
    is kept under the name `keep`, if given. Leftovers of killed processes are removed. Raises DataError if the file
    cannot be written, or `path` is not a regular file.
    """
    unwritten: Path | None = None
    try:
        _require_regular(path)
        for name in (path, keep) if keep else (path,):
            with contextlib.suppress(OSError):
                unfinished.sweep(name.parent, name.name)
        descriptor, unwritten = _create(path)
        with _NewFile(descriptor) as file:  # stays open, and so locked, until it is renamed
            yield cast(BinaryIO, file)
            os.fsync(file.fileno())
            if file_digest(unwritten) != file.digest.hexdigest():
                raise OSError(errno.EIO, "What was read back is not what was written")
            if keep is not None:
                _keep(path, keep)
            if os.name == "nt":  # Windows cannot rename an open file
                file.close()
            os.replace(unwritten, path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if unwritten is not None:
            with contextlib.suppress(OSError):
                _remove(unwritten)


def write(path: Path, content: bytes | str, *, keep: Path | None = None) -> Path:
    """Replace `path` by a file with this content; see `replacing`."""
    with replacing(path, keep=keep) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    return path


def sync_folder(folder: Path) -> bool:
    """Fsync a directory, so that renames in it are durable; False if the system cannot."""
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
    """The error for a file that could not be written, with the remedy."""
    remedy = _REMEDIES.get(error.errno or 0)
    return DataError(f"cannot write {path}: {error.strerror or error}{f'; {remedy}' if remedy else ''}.")


class _NewFile(io.BufferedIOBase):
    """An unbuffered new file that computes the SHA-256 of the bytes written."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.digest = hashlib.sha256()

    def fileno(self) -> int:
        return self._descriptor

    def writable(self) -> bool:
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        rest = view = memoryview(content).cast("B")
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self.digest.update(view)
        return len(view)

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)


def _create(path: Path) -> tuple[int, Path]:
    """The descriptor and name of a new file in the folder of `path`, with permissions by the umask."""
    while True:
        name = unfinished.name_beside(path)
        try:
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        except FileExistsError:
            continue
        if unfinished.claim(descriptor, name):
            return descriptor, name
        os.close(descriptor)


def _keep(path: Path, name: Path) -> None:
    """Link the file `path`, if it exists, under a second name, atomically replacing a file of that name."""
    if not path.exists():
        return
    second = unfinished.name_beside(name)
    try:
        os.link(path, second)
        os.replace(second, name)
    except OSError:  # no hard links, as on FAT and some network file systems
        with replacing(name) as copy, open(path, "rb") as file:
            shutil.copyfileobj(file, copy)
    finally:
        _remove(second)  # `replace` leaves it if both names already refer to the same file


def _require_regular(path: Path) -> None:
    """Refuse to replace a folder, a pipe or a device."""
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "Is a directory")
        if not stat.S_ISREG(mode):
            raise DataError(f"cannot write {path}: it is a pipe or a device; give a regular file.")


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
