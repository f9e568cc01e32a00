"""history.jsonl: a run's rows for people and programs, one JSON object per line."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from portanet.storage import atomic

_NO_WAIT = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


class HistoryFile:
    """A copy of a run's rows on disk, rewritten if rows are missing or another program changed the file.

    say  called with a message when the file is rewritten
    """

    def __init__(self, path: Path, say: Callable[[str], Any]) -> None:
        self.path, self.say = path, say
        self._count = 0  # rows in the file
        self._left: tuple[int, ...] = ()

    def update(self, rows: Sequence[dict[str, Any]]) -> None:
        """Append the new rows: all of them, or none if that fails."""
        try:
            if not (self._left and self._append(_lines(rows[self._count :]))):
                self._write(rows)
        except OSError as error:
            raise atomic.cannot_write(self.path, error) from error
        self._count = len(rows)

    def finish(self, rows: Sequence[dict[str, Any]]) -> None:
        """Make sure that the file holds these rows and is on the disk."""
        self.update(rows)
        try:
            with open(os.open(self.path, os.O_RDWR | _NO_WAIT), "rb") as file:
                os.fsync(file.fileno())
        except OSError as error:
            raise atomic.cannot_write(self.path, error) from error
        atomic.sync_folder(self.path.parent)

    def _append(self, lines: bytes) -> bool:
        """Append to the file; return False, without writing, if it has changed since our last write."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | _NO_WAIT)
        except OSError:
            return False
        try:
            if _state(before := os.fstat(descriptor)) != self._left or before.st_nlink > 1:
                return False
            _write_whole(descriptor, lines, before.st_size)
            self._left = _state(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        return True

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Replace the file by one with all rows."""
        if self._left or not self._begins_with(_lines(rows[:-1])):  # a resumed run adds only the last row
            self.say(f"{self.path} was changed or removed by another program; its {len(rows)} rows are written again")
        atomic.write(self.path, _lines(rows))
        self._left = _state(os.lstat(self.path))

    def _begins_with(self, lines: bytes) -> bool:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _NO_WAIT)
        except OSError:
            return not lines
        with open(descriptor, "rb") as file:
            return stat.S_ISREG(os.fstat(descriptor).st_mode) and file.read(len(lines)) == lines


def _lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def _state(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_mode, status.st_size)


def _write_whole(descriptor: int, content: bytes, size: int) -> None:
    """Append all of the content to a file of this size, or nothing."""
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    except BaseException:
        os.ftruncate(descriptor, size)
        raise
