"""Small text files that anybody may have put there: their kind and size are checked before they are read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from portanet.errors import DataError


def read_small(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes.

    Never waits, as for a pipe, and never reads more than the limit, as from a device. Raises FileNotFoundError and
    other OSErrors as `open` does, DataError for anything but a regular file, and for a larger one.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DataError(f"{path} is a pipe, a device or a folder, not a regular file.")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{path} is larger than {limit:,} bytes, the most that such a file may have.")
    return content
