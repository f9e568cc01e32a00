"""A file is the old one or the new one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portanet import files
from portanet.errors import DataError


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = files.write(tmp_path / "a.txt", "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"cannot write .*a\.txt: No space left on device"):
        files.write(path, b"new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_write_cut_short_by_the_caller_keeps_the_old_file(tmp_path: Path) -> None:
    path = files.write(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt), files.replacing(path) as file:
        file.write(b"ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_file_is_as_readable_as_any_other(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        assert files.write(tmp_path / "a", b"").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(old)


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .*: No such file or directory"):
        files.write(tmp_path / "absent" / "a", b"")
