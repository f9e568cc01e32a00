"""Large data as memory maps: written to the cache once, in constant memory, and opened the next time."""

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

_LARGE = 2**28  # bytes of a file, whose array takes up to twice as many
_ABOUT_LIMIT = 2**28  # bytes
_FORMAT = 5
_SAMPLES, _SAMPLE_BYTES = 16, 4096  # evenly spaced, from the first byte of the file to the last

Progress = Callable[[int, int], None]
"""Called with the number of bytes read of a large file, and its size."""


class Sink(Protocol):
    """Collects chunks of rows into one array: uint8 if every chunk is uint8, else float32; or all chunks float64."""

    def add(self, chunk: HostArray) -> None:
        """Add the next rows."""

    def restart(self) -> None:
        """Discard all rows."""


class InMemory:
    """Collects chunks into an array in memory."""

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
    """Collects chunks into a .npy file; the first chunk that is not uint8 converts the rows so far to float32."""

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
        """Close the file, after writing the number of rows if it is complete."""
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
    """The content of a file: rows, encoded labels if there are any, and the texts that the codes stand for.

    about    further information, as JSON data
    targets  (N,), or (N, K) of several labels: int32 indices into `texts`, or float32 or float64 numbers to predict
    """

    x: HostArray
    targets: HostArray | None = None
    texts: Sequence[str] = ()
    about: dict[str, Any] = field(default_factory=dict)


Found = tuple[HostArray | None, Sequence[str], dict[str, Any]]
"""The targets, the texts and further information: what a reader returns after adding all rows to a sink."""


def is_large(path: str | Path) -> bool:
    """Whether a file should be mapped: its array may take more than 512 MB, or than a quarter of the free memory."""
    try:
        return are_large(os.stat(path).st_size)
    except OSError:  # opening it raises the error
        return False


def are_large(size: int) -> bool:
    """Whether a file of this size, whose array may take twice as many bytes, should be mapped."""
    return size > min(_LARGE, _machine.available() // 8)


def kept(
    path: str | Path, settings: Any, read: Callable[[Sink], Found], *, state: Callable[[], Any] | None = None
) -> Parts:
    """The parts of a file with the rows as a memory map: an existing one, or a new one written by `read`.

    The map is rebuilt when the file's size, times or sampled bytes change, when it is damaged, and for other
    `settings`, which are plain data. `state` returns the same for a source of several files, as plain data. Raises
    CacheError if the cache cannot be used, DataError if the file changes meanwhile.
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
    """Raise DataError if a file that cannot be mapped is too large for memory."""
    size, free = os.stat(path).st_size, _machine.available()
    if 2 * size > free:  # the array may take twice the file's size
        raise DataError(
            f"{path} needs a memory map, and the cache cannot take it ({error}); make room there, or name another "
            "folder in PORTANET_CACHE."
        ) from error


def _state(path: Path) -> list[Any]:
    """The state of a file, which detects almost every change, even if the modification time is restored."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        status = os.fstat(file.fileno())
        for i in range(_SAMPLES):
            file.seek(max(0, status.st_size - _SAMPLE_BYTES) * i // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    changed = status.st_ctime_ns if os.name == "posix" else 0  # programs cannot set this time
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
    """The SHA-256 of each array file."""
    return {path.name: file_digest(path) for path in sorted(place.glob("*.npy"))}


def _open(place: Path) -> Parts | None:
    """The parts in a folder; None unless they are consistent."""
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
    """Remove the maps of earlier states of the same file."""
    with contextlib.suppress(OSError, CacheError):
        for place in (cache.folder() / "rows").glob(f"{name}-*"):
            if place.name != f"{name}-{state}":
                remove(place)
