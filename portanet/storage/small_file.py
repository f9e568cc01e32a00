"""Reading untrusted files, after checking their type and size."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from portanet.errors import DataError


def open_regular(path: Path) -> BinaryIO:
    """Return a regular file, opened for reading, without blocking on a pipe.

    Raises FileNotFoundError and other OSErrors as `open` does, DataError for anything but a regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(f"{path} is a pipe, a device or a folder, not a regular file.")
    return open(descriptor, "rb")


def read_small(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes, without reading more.

    Raises what `open_regular` does, and DataError for a larger file.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{path} is larger than {limit:,} bytes, the most that such a file may have.")
    return content
