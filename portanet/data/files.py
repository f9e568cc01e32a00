"""Opening files so that every failure is one clear DataError."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from portanet.errors import DataError

_SMALL = 2**26


def require_regular(path: str | Path) -> None:
    """Refuse a folder, a pipe or a device before it is opened."""
    with _explained(path):
        mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise DataError(f"{path} is a folder, not a file.")
    if not stat.S_ISREG(mode):
        raise DataError(f"{path} is a pipe or a device; give a regular file.")


@contextmanager
def reading(path: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading bytes."""
    require_regular(path)
    with _explained(path), open(path, "rb") as file:
        yield file


def require_free(path: str | Path, *, force: bool) -> None:
    """Refuse to overwrite a file without `force`."""
    if Path(path).exists() and not force:
        raise DataError(f"{path} exists already.", remedy="choose another name, or overwrite it with force=True")


def expansion_limit(size: int) -> int:
    """The most bytes that `size` compressed bytes may expand to before they count as a decompression bomb.

    Images compress by a factor of 5 to 50; a bomb reaches 1000.
    """
    return max(_SMALL, 200 * size)


@contextmanager
def _explained(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{path} does not exist.") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}.") from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory.") from error
