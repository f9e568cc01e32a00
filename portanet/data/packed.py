"""Opening files as bytes, decompressed if necessary, up to a plausible size."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from portanet._text import listed, plain
from portanet.data.files import expansion_limit, reading
from portanet.errors import DataError

SUFFIXES = (".gz", ".bz2", ".xz", ".zst", ".zip")
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"\x28\xb5\x2f\xfd": ".zst", b"PK\3\4": ".zip"}
_STDIN = 2**34  # bytes, at most
_ZEROS = 2**16  # bytes
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)


@contextlib.contextmanager
def unpacked(path: str | Path) -> Iterator[BinaryIO]:
    """The bytes of a regular file, decompressed if necessary, as its first bytes show, not its name.

    Raises DataError for a damaged file, an archive of several files, and an implausible size.
    """
    with reading(path) as file:
        head = file.read(8)
        file.seek(0)
        suffix = next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), "")
        if not suffix:
            yield file
            return
        size = os.fstat(file.fileno()).st_size
        _require_no_zeros(path, file, size)
        with _explained(path):
            stream = _Bounded(_OPEN[suffix](file, str(path)), expansion_limit(size), str(path))
            stream.file = file
            yield io.BufferedReader(stream, 2**16)


def read_so_far(stream: BinaryIO) -> tuple[int, int]:
    """The bytes read so far of a file opened by `unpacked`, and its size; both compressed."""
    raw: Any = getattr(stream, "raw", None)
    file = raw.file if isinstance(raw, _Bounded) else stream
    return file.tell(), os.fstat(file.fileno()).st_size


@contextlib.contextmanager
def stdin_as_file() -> Iterator[Path]:
    """All of stdin as a temporary file."""
    with tempfile.TemporaryDirectory(prefix="portanet-") as folder:
        path = Path(folder, "stdin")
        with open(path, "wb") as file:
            source = getattr(sys.stdin, "buffer", None)
            if source is None:
                raise DataError("stdin is closed.")
            shutil.copyfileobj(_Bounded(source, _STDIN, "stdin"), file)
        yield path


class _Bounded(io.RawIOBase):
    """The bytes of a stream, at most `limit` of them."""

    file: BinaryIO

    def __init__(self, stream: Any, limit: int, name: str) -> None:
        self.stream, self.left, self.name = stream, limit, name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        block = self.stream.read(len(buffer))
        buffer[: len(block)] = block
        self.left -= len(block)
        if self.left < 0:
            raise DataError(f"{self.name} holds more bytes than is credible; unpack it.")
        return len(block)


@contextlib.contextmanager
def _explained(path: str | Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not isinstance(error, _DAMAGE) and type(error).__name__ != "ZstdError":  # its package may be missing
            raise
        raise DataError(f"{path} is damaged or cut short ({plain(error, 200)}); fetch it again.") from error


def _require_no_zeros(path: str | Path, file: BinaryIO, size: int) -> None:
    """Refuse a gzip file that ends in many zeros, which Python would skip one by one."""
    if size > _ZEROS:
        file.seek(-_ZEROS, os.SEEK_END)
        if not any(file.read(_ZEROS)):
            raise DataError(f"{path} ends in over {_ZEROS:,} zero bytes; fetch the file again.")
        file.seek(0)


def name_inside(path: str | Path) -> str:
    """The name of the only file in a .zip archive; "" for an archive of several, and for any other file."""
    with contextlib.suppress(*_DAMAGE, OSError), zipfile.ZipFile(path) as archive:
        members = _members(archive)
        return members[0].filename if len(members) == 1 else ""
    return ""


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [member for member in archive.infolist() if not (member.is_dir() or member.filename.startswith("__MACOSX/"))]


def _zip(file: BinaryIO, name: str) -> Any:
    archive = zipfile.ZipFile(file)
    members = _members(archive)
    if {"[Content_Types].xml", "content.xml"} & {member.filename for member in members}:
        raise DataError(f"{name} is a workbook of a spreadsheet program; save its sheet as CSV.")
    if len(members) != 1:
        names = listed([member.filename for member in members])
        raise DataError(f"{name} holds {len(members)} files{f' ({names})' if names else ''}, not one table; unpack it.")
    try:
        return archive.open(members[0])
    except RuntimeError as error:  # for example, a password is needed
        raise DataError(f"{name} cannot be unpacked ({plain(error, 200)}); unpack it.") from error


def _zstandard(file: BinaryIO, name: str) -> Any:
    for module, opening in (("compression.zstd", "ZstdFile"), ("zstandard", "open")):
        with contextlib.suppress(ImportError):
            return getattr(importlib.import_module(module), opening)(file)
    raise DataError(f"{name} needs zstandard: pip install 'portanet[zstd]', or unpack it.")


_OPEN: dict[str, Callable[[BinaryIO, str], Any]] = {
    ".gz": lambda file, _: gzip.GzipFile(fileobj=file),
    ".bz2": lambda file, _: bz2.BZ2File(file),
    ".xz": lambda file, _: lzma.LZMAFile(file),  # noqa: SIM115 - `unpacked` closes the file
    ".zip": _zip,
    ".zst": _zstandard,
}
