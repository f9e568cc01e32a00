"""Rows of an array that stays where it is are those that NumPy's indexing gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import _machine
from portanet.data.blocks import blocks
from portanet.data.memmap.rows import Rows, as_rows

ARRAY = np.arange(60, dtype=np.float32).reshape(10, 2, 3)
INDEX = np.asarray([7, 0, 3, 9, 3])

KEYS: list[Any] = [
    slice(None), slice(1, 3), slice(4, 99), slice(0, 0), 2, -1, np.int64(0), [0, 4, 4], np.asarray([], int),
    np.asarray([True, False, True, False, True]), (slice(1, 4), ...), (slice(1, 4), 0), ([2, 0], slice(None), 1),
    (3, 1, 2), ...,
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing(key: Any) -> None:
    for rows, expected in ((Rows(ARRAY, INDEX), ARRAY[INDEX]), (Rows(ARRAY[:5]), ARRAY[:5])):
        assert (rows.shape, rows.dtype, rows.ndim, len(rows)) == ((5, 2, 3), np.float32, 3, 5)
        found = rows[key]
        assert type(found) is type(expected[key])
        assert np.array_equal(found, expected[key])


def test_a_choice_of_a_choice() -> None:
    rows = Rows(ARRAY, INDEX).select(np.asarray([4, 1, 0]))
    assert np.array_equal(rows, ARRAY[[3, 0, 7]])
    assert np.array_equal(rows.select(slice(1, 3)), ARRAY[[0, 7]])
    assert np.array_equal(Rows(ARRAY).select(slice(2, 4)), ARRAY[2:4])


def test_what_is_a_map(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ARRAY)
    disk = np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False)
    mapped = as_rows(disk)
    assert mapped is not None
    assert np.array_equal(mapped, ARRAY)
    assert as_rows(mapped) is mapped
    assert all(as_rows(x) is None for x in (ARRAY, [1.0], disk[:0], disk[0, 0, 0]))


def test_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portanet.data.blocks.BLOCK_BYTES", 50)  # two rows of 24 bytes
    assert [len(part) for part in blocks(Rows(ARRAY, INDEX))] == [2, 2, 1]
    assert np.array_equal(np.concatenate(list(blocks(Rows(ARRAY, INDEX)))), ARRAY[INDEX])


def test_memory_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 2**20 < _machine.available() < 2**50

    def no_files(path: Path, encoding: str | None = None) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", no_files)
    assert 2**20 < _machine.available() < 2**50
    monkeypatch.setattr(Path, "read_text", lambda path, encoding=None: "MemAvailable:  12 kB\n")
    monkeypatch.setattr(_machine._cgroup, "memory_limit", lambda: None)
    assert _machine.available() == 12 * 1024
    monkeypatch.setattr(_machine._cgroup, "memory_limit", lambda: 4096)
    assert _machine.available() == 4096
