"""history.jsonl holds the rows of its run, whatever happens to the file meanwhile."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portanet.errors import DataError
from portanet.storage.history_file import HistoryFile

ROWS: list[dict[str, Any]] = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25}, {"step": 3, "loss": 0.125}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def history(path: Path, said: list[str]) -> HistoryFile:
    return HistoryFile(path, said.append)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_are_added_as_they_come(history: HistoryFile, path: Path, said: list[str]) -> None:
    for count in (1, 2, 3, 3):
        history.update(ROWS[:count])
        assert read(path) == ROWS[:count]
    assert said == []
    assert os.listdir(path.parent) == ["history.jsonl"]


def delete(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def add_a_line(path: Path) -> None:
    with open(path, "a") as file:
        file.write("{}\n")


def replace(path: Path) -> None:
    """By a file of the same content, as an editor does."""
    shutil.copy(path, path.with_name("copy"))
    os.replace(path.with_name("copy"), path)


def link_elsewhere(path: Path) -> None:
    os.replace(path, path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("change", [delete, empty, add_a_line, replace, link_elsewhere])
@pytest.mark.parametrize("more", [0, 1], ids=["at the end", "before a row"])
def test_what_others_do_to_it(
    history: HistoryFile, path: Path, said: list[str], change: Callable[[Path], None], more: int
) -> None:
    history.update(ROWS[:1])
    history.update(ROWS[:2])
    change(path)
    history.finish(ROWS[: 2 + more])
    assert read(path) == ROWS[: 2 + more]
    assert not path.is_symlink()
    assert said == [f"{path} was changed or removed by another program; its {2 + more} rows are written again"]


def test_a_copy_by_hard_links_keeps_its_own(history: HistoryFile, path: Path, said: list[str]) -> None:
    history.update(ROWS[:1])
    copy = path.with_name("copy.jsonl")
    os.link(path, copy)
    history.update(ROWS[:2])
    history.update(ROWS)
    assert (read(copy), read(path)) == (ROWS[:1], ROWS)
    assert len(said) == 1


@pytest.mark.parametrize("content", [None, b"", b'{"step": 1, "loss": 0.5}\n{"st', b"of another\n"])
def test_a_resumed_run_finds_less(history: HistoryFile, path: Path, said: list[str], content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    history.update(ROWS)
    assert read(path) == ROWS
    assert len(said) == 1


@pytest.mark.parametrize("tail", ["", '{"step": 3, "lo', '{"step": 3, "loss": 0.1}\n{"step": 4, "loss": 0.1}\n'])
def test_a_resumed_run_finds_all_and_what_was_after_its_checkpoint(
    history: HistoryFile, path: Path, said: list[str], tail: str
) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS[:2]) + tail)
    history.update(ROWS)
    assert read(path) == ROWS
    assert said == []


def test_a_run_that_begins_again_keeps_no_row_of_before(history: HistoryFile, path: Path, said: list[str]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS[1:]))
    history.update(ROWS[:1])
    assert read(path) == ROWS[:1]
    assert said == []


def test_a_pipe_is_refused_and_not_waited_for(history: HistoryFile, path: Path) -> None:
    history.update(ROWS[:1])
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"cannot write .*history\.jsonl: .*pipe"):
        history.update(ROWS[:2])


def test_the_rows_last_when_the_run_ends(history: HistoryFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history.update(ROWS[:1])
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}")))
    history.finish(ROWS[:2])
    assert synced == [str(path), str(path.parent)]


@pytest.mark.parametrize("fail_at", [0, 1])
def test_a_line_is_there_as_a_whole_or_not_at_all(
    history: HistoryFile, path: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    """A disk that is full in the middle of a line."""
    history.update(ROWS[:1])
    before = path.read_bytes()
    real, count = os.write, iter(range(9))

    def write(handle: int, content: bytes) -> int:
        if next(count) == fail_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, content[:5])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(DataError, match=r"cannot write .*history\.jsonl: No space .*free some space"):
        history.update(ROWS[:2])
    monkeypatch.undo()
    assert path.read_bytes() == before
    history.update(ROWS[:2])
    assert read(path) == ROWS[:2]
