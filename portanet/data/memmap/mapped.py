"""Large sets as memory maps: made in the cache once, in constant memory, and opened the next time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from portanet import _machine
from portanet._typing import HostArray
from portanet.data.blocks import BLOCK_BYTES
from portanet.data.memmap import cache
from portanet.data.memmap.cache import CacheError
from portanet.data.memmap.npy import map_file, write_header
from portanet.errors import DataError
from portanet.storage.atomic import file_digest
from portanet.storage.small_file import open_regular, read_small
from portanet.storage.unfinished import remove

_LARGE = 2**28  # bytes of a file, of which at most twice as many become an array
_ABOUT_LIMIT = 2**28  # bytes
_FORMAT = 5
_SAMPLES, _SAMPLE_BYTES = 16, 4096  # of a file, from its first byte to its last

Progress = Callable[[int, int], None]
"""Told how many bytes of a large file are read, and how many there are."""


class Sink(Protocol):
    """Takes chunks of rows on their way to one array: uint8 or float32, uint8 if every chunk is; or all float64."""

    def add(self, chunk: HostArray) -> None:
        """The next rows."""

    def restart(self) -> None:
        """Forget all rows."""


class InMemory:
    """Chunks that become an array in memory."""

    def __init__(self) -> None:
        self.chunks: list[HostArray] = []

    def add(self, chunk: HostArray) -> None:
        self.chunks.append(chunk)

    def restart(self) -> None:
        self.chunks.clear()

    def array(self) -> HostArray:
        """All rows."""
        return np.concatenate(self.chunks)


class OnDisk:
    """Chunks that become a .npy file; the first that is not uint8 has the rows before it written again, as float32."""

    def __init__(self, path: Path) -> None:
        self._path, self._rows, self._row = path, 0, (0,)
        self._dtype = np.dtype(np.uint8)
        self._file: BinaryIO | None = None

    def add(self, chunk: HostArray) -> None:
        with cache.usable():
            if self._file is None:
                self._row, self._dtype = chunk.shape[1:], chunk.dtype
                self._file = self._begin(self._path)
            elif chunk.dtype != self._dtype and self._dtype == np.uint8:
                self._widen(chunk.dtype)
            rows = np.ascontiguousarray(chunk, self._dtype)
            cache.require_room(self._path, rows.nbytes)
            self._file.write(rows.data)
            self._rows += len(rows)

    def restart(self) -> None:
        self.close()
        self._file, self._rows = None, 0

    def close(self, *, whole: bool = False) -> None:
        """End the file, with its number of rows if it is complete."""
        if self._file is None:
            return
        with cache.usable(), self._file as file:
            if whole:
                file.seek(0)
                write_header(file, (self._rows, *self._row), self._dtype)
                file.flush()
                os.fsync(file.fileno())

    def _begin(self, path: Path) -> BinaryIO:
        file = open(path, "w+b")  # noqa: SIM115 - `close` ends it
        write_header(file, (0, *self._row), self._dtype)
        return file

    def _widen(self, dtype: Any) -> None:
        before, wide = self._file, self._path.with_suffix(".wide")
        assert before is not None
        cache.require_room(wide, self._rows * int(np.prod(self._row)) * dtype.itemsize)
        before.seek(0)
        write_header(before, (0, *self._row), self._dtype)
        self._dtype = dtype
        self._file = self._begin(wide)
        with before:
            while block := before.read(BLOCK_BYTES):
                self._file.write(np.frombuffer(block, np.uint8).astype(dtype).data)
        os.replace(wide, self._path)


@dataclass(frozen=True)
class Parts:
    """What a reader finds in a file: rows, their labels as numbers if there are any, and the texts those stand for.

    about    what else is known, as JSON data
    targets  (N,), or (N, K) of several labels: int32 indices into `texts`, or float32 or float64 numbers to predict
    """

    x: HostArray
    targets: HostArray | None = None
    texts: Sequence[str] = ()
    about: dict[str, Any] = field(default_factory=dict)


Found = tuple[HostArray | None, Sequence[str], dict[str, Any]]
"""The targets, the texts and what else is known: what a reader returns when it has given all rows to a sink."""


def is_large(path: str | Path) -> bool:
    """Whether a file's array may take so much memory that it is better mapped: 512 MB, or a quarter of what is free."""
    try:
        return are_large(os.stat(path).st_size)
    except OSError:  # opening it raises the error
        return False


def are_large(size: int) -> bool:
    """Whether so many bytes, of which twice as many may become an array, are better mapped."""
    return size > min(_LARGE, _machine.available() // 8)


def kept(
    path: str | Path, settings: Any, read: Callable[[Sink], Found], *, state: Callable[[], Any] | None = None
) -> Parts:
    """The parts of a file with their rows as a memory map: an existing one, or a new one from what `read` yields.

    It is rebuilt when the file's size, times or sampled bytes change, when its contents are damaged, and for other
    `settings`, which are plain data. `state` gives what changes with a source of several files, as plain data. Raises
    CacheError where the cache cannot be used, DataError where the file changes meanwhile.
    """
    with cache.usable():
        state = partial(_state, Path(path)) if state is None else state
        name, found = _short_hash([str(Path(path).resolve()), settings, _FORMAT]), _short_hash(state())
        parts = cache.kept(f"rows/{name}-{found}", _open, lambda place: _write(place, path, read))
        if _short_hash(state()) != found:
            raise DataError(f"{path} has changed while it was read; read it again.")
    _drop_older(name, found)
    return parts


def require_memory(path: str | Path, error: CacheError) -> None:
    """Raise DataError where a file that cannot be mapped is too large to be read into memory."""
    size, free = os.stat(path).st_size, _machine.available()
    if 2 * size > free:  # as large may its array be
        raise DataError(
            f"{path} needs a memory map, and the cache cannot take it ({error}); make room there, or name another "
            "folder in PORTANET_CACHE."
        ) from error


def _state(path: Path) -> list[Any]:
    """What changes with the file: even with its old time restored, except for a few of its bytes."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        for i in range(_SAMPLES):
            file.seek(max(0, status.st_size - _SAMPLE_BYTES) * i // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    changed = status.st_ctime_ns if os.name == "posix" else 0  # no program can put it back
    return [status.st_size, status.st_mtime_ns, changed, status.st_ino, digest.hexdigest()]


def _short_hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]


def _write(place: Path, path: str | Path, read: Callable[[Sink], Found]) -> None:
    place.mkdir(mode=0o700)
    sink = OnDisk(place / "x.npy")
    whole = False
    try:
        targets, texts, known = read(sink)
        whole = True
    finally:
        sink.close(whole=whole)
    if targets is not None:
        np.save(place / "targets.npy", targets, allow_pickle=False)
    about = {"file": str(path), "texts": list(texts), "known": known, "sha256": _digests(place)}
    (place / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _digests(place: Path) -> dict[str, str]:
    """The SHA-256 of each array's file."""
    return {path.name: file_digest(path) for path in sorted(place.glob("*.npy"))}


def _open(place: Path) -> Parts | None:
    """The parts in a folder; None unless they fit each other."""
    try:
        x: Any = map_file(place / "x.npy", (np.uint8, np.float32, np.float64))
        about = json.loads(read_small(place / "about.json", _ABOUT_LIMIT))
        texts, known = about["texts"], about["known"]
        targets = None
        if (place / "targets.npy").exists():
            targets = np.array(map_file(place / "targets.npy", (np.int32, np.float32, np.float64)))
        if about["sha256"] != _digests(place):
            return None
    except (DataError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    sound = isinstance(known, dict) and isinstance(texts, list) and all(isinstance(text, str) for text in texts)
    return Parts(x, targets, texts, known) if sound and _fit(targets, len(x), len(texts)) else None


def _fit(targets: HostArray | None, rows: int, texts: int) -> bool:
    if targets is None:
        return texts == 0
    if targets.shape[:1] != (rows,) or targets.ndim > 2:
        return False
    if targets.dtype.kind == "f":
        return texts == 0 and bool(np.isfinite(targets).all())
    return bool(targets.min() >= 0 and targets.max() < texts)


def _drop_older(name: str, state: str) -> None:
    """Remove what was made from earlier states of the same file."""
    with contextlib.suppress(OSError, CacheError):
        for place in (cache.folder() / "rows").glob(f"{name}-*"):
            if place.name != f"{name}-{state}":
                remove(place)
