"""Small files are read within bounded time and memory, whatever they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portanet.errors import DataError
from portanet.storage.small_file import read_small


def test_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_small(tmp_path / "a", 5) == b"12345"
    with pytest.raises(DataError, match="larger than 4 bytes"):
        read_small(tmp_path / "a", 4)
    with pytest.raises(FileNotFoundError):
        read_small(tmp_path / "absent", 5)


def test_what_is_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, target in (("zero", "/dev/zero"), ("to pipe", "pipe")):
        (tmp_path / name).symlink_to(target)
    for name in ("pipe", "zero", "to pipe"):
        with pytest.raises(DataError, match=f"{name} is a pipe, a device or a folder"):
            read_small(tmp_path / name, 5)
    with pytest.raises((DataError, IsADirectoryError)):
        read_small(tmp_path, 5)
