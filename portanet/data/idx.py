"""IDX files, the format of MNIST, gzipped or not: http://yann.lecun.com/exdb/mnist (1998)."""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from portanet._typing import HostArray, Shape
from portanet.data.blocks import BLOCK_BYTES
from portanet.data.cells import as_float32, as_uint8
from portanet.data.dataset import Dataset
from portanet.data.files import expansion_limit, reading
from portanet.data.labels import encode_array
from portanet.data.memmap.cache import CacheError
from portanet.data.memmap.mapped import Found, Progress, Sink, is_large, kept, require_memory
from portanet.errors import DataError

_DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_PARTS = {"train": ("train",), "test": ("t10k", "test")}
_CHUNK = 2**24
_TAIL = 2**16  # bytes

Stream = BinaryIO | gzip.GzipFile


def read_folder(
    folder: str | Path,
    part: str = "train",
    *,
    name: str | None = None,
    regress: bool | None = False,
    classes: Sequence[str] | None = None,
    labelled: bool = True,
    mapped: bool | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """The images and labels of a folder's part "train" or "test", in files named like MNIST's.

    With `mapped`, or by default if their file is large, the images are a memory map.
    """
    images = read_images(_find(folder, part, "images", 3), mapped=mapped, progress=progress)
    name = name or str(folder)
    if not labelled:
        return Dataset(name, images)
    labels = read_labels(_find(folder, part, "labels", 1))
    if len(images) != len(labels):
        raise DataError(f"{name}: {len(images)} {part} images but {len(labels)} labels.")
    return Dataset(name, images, *encode_array(name, labels, regress=regress, classes=classes))


def read_images(path: str | Path, *, mapped: bool | None = None, progress: Progress | None = None) -> HostArray:
    """Images (N, 1, H, W), or (N, C, H, W) from a file of four dimensions: uint8 if possible, else float32.

    With `mapped`, an uncompressed file of uint8 is mapped directly, others from the cache.
    """
    if is_large(path) if mapped is None else mapped:
        try:
            images = _mapped(path, progress)
        except CacheError as error:
            require_memory(path, error)
        else:
            return images[:, None] if images.ndim == 3 else images
    array = read_idx(path)
    _require_images(path, array.ndim)
    if array.ndim == 3:
        array = array[:, None]
    return _smallest(array, path)


def _require_images(path: str | Path, ndim: int) -> None:
    if ndim not in (3, 4):
        raise DataError(f"{path}: images need 3 or 4 dimensions, the file has {ndim}.")


def _smallest(array: HostArray, path: str | Path) -> HostArray:
    """The array as uint8 if it is integers in that range, else as float32; raises DataError if one is not finite."""
    whole = as_uint8(array) if array.dtype.kind in "iu" else None
    images = as_float32(array) if whole is None else whole
    if images is None:
        raise DataError(f"{path}: a value is NaN, infinite or too large.")
    return images


def _mapped(path: str | Path, progress: Progress | None) -> HostArray:
    """The images as a memory map, of the file itself if possible."""
    with _stream(path) as (stream, limit):
        shape, dtype = _declared(stream, limit, str(path))
        _require_images(path, len(shape))
        if dtype == np.uint8 and not isinstance(stream, gzip.GzipFile):
            offset = stream.tell()
            stream.seek(offset + math.prod(shape))
            _require_whole(stream, shape, dtype, limit - offset, str(path))
            return np.memmap(stream, np.uint8, "r", offset, shape)

    def read(sink: Sink) -> Found:
        with _stream(path) as (stream, limit):
            _declared(stream, limit, str(path))
            done = 0
            for rows in _rows(stream, shape, dtype, str(path)):
                sink.add(_smallest(rows, path))
                done += rows.nbytes
                if progress is not None:
                    progress(done, math.prod(shape) * dtype.itemsize)
        return None, (), {}

    return kept(path, ["idx"], read).x


def read_labels(path: str | Path) -> HostArray:
    """The labels (N,), unchanged."""
    array = read_idx(path)
    if array.ndim != 1:
        raise DataError(f"{path}: labels need 1 dimension, the file has {array.ndim}.")
    return array


def read_idx(path: str | Path) -> HostArray:
    """The array in an IDX file; raises DataError for a file that is invalid, cut short or too long."""
    with _stream(path) as (stream, limit):
        return decode(stream, limit, str(path))


def unpack(file: BinaryIO, size: int, name: str) -> HostArray:
    """The array in a gzipped IDX stream of `size` bytes."""
    with _unpacking(name):
        return decode(gzip.GzipFile(fileobj=file), expansion_limit(size), name)


def decode(file: Stream, limit: int, name: str) -> HostArray:
    """The array in an IDX stream of at most `limit` bytes; never reads more than the header declares."""
    shape, dtype = _declared(file, limit, name)
    array = np.empty(shape, dtype)
    _require_whole(file, shape, dtype, _fill(file, array), name)
    return array.astype(dtype.newbyteorder("="), copy=False)


@contextlib.contextmanager
def _stream(path: str | Path) -> Iterator[tuple[Stream, int]]:
    """The bytes of a file, decompressed if gzipped, and the most bytes there can be."""
    with reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            yield file, size
            return
        if size > _TAIL:  # Python skips zeros after gzip data one by one
            file.seek(-_TAIL, os.SEEK_END)
            if not any(file.read(_TAIL)):
                raise DataError(f"{path} ends in over {_TAIL:,} zero bytes; fetch the file again.")
            file.seek(0)
        with _unpacking(str(path)):
            yield gzip.GzipFile(fileobj=file), expansion_limit(size)


@contextlib.contextmanager
def _unpacking(name: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: the gzip data is damaged or cut short; fetch the file again.") from error


def _declared(file: Stream, limit: int, name: str) -> tuple[Shape, np.dtype[Any]]:
    """The shape and dtype in the header of the stream."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 1 <= magic[3] <= 4:
        raise DataError(f"{name} is not an IDX file: it begins with {magic.hex(' ') or 'nothing'}.")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{name} is cut short within its header.")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    dtype = np.dtype(_DTYPES[magic[2]])
    if (declared := math.prod(shape) * dtype.itemsize) > limit or not declared:
        raise DataError(f"{name} declares the shape {shape}, which its size cannot hold.")
    return shape, dtype


def _rows(file: Stream, shape: Shape, dtype: np.dtype[Any], name: str) -> Iterator[HostArray]:
    """Yield the array that follows the header, in blocks of some megabytes."""
    size = max(1, _CHUNK // (math.prod(shape[1:]) * dtype.itemsize))
    found = 0
    for start in range(0, shape[0], size):
        rows = np.empty((min(size, shape[0] - start), *shape[1:]), dtype)
        found += (filled := _fill(file, rows))
        if filled < rows.nbytes:
            break
        yield rows.astype(dtype.newbyteorder("="), copy=False)
    _require_whole(file, shape, dtype, found, name)


def _fill(file: Stream, array: HostArray) -> int:
    """Fill the array from the stream, and return the number of bytes read."""
    view, filled = array.reshape(-1).view(np.uint8).data, 0
    while block := file.read(min(BLOCK_BYTES, len(view) - filled)):
        view[filled : filled + len(block)] = block
        filled += len(block)
    return filled


def _require_whole(file: Stream, shape: Shape, dtype: np.dtype[Any], found: int, name: str) -> None:
    """Raise DataError unless the array is complete and the stream ends after it."""
    declared = math.prod(shape) * dtype.itemsize
    if found < declared or file.read(1):
        held = f"only {found}" if found < declared else "more"
        raise DataError(f"{name} declares the shape {shape}, {declared} bytes of data, but holds {held}.")


def _find(folder: str | Path, part: str, kind: str, ndim: int) -> Path:
    names = [f"{start}-{kind}{dot}idx{ndim}-ubyte" for start in _PARTS[part] for dot in "-."]
    for name in names:
        for path in (Path(folder, name), Path(folder, f"{name}.gz")):
            if path.exists():
                return path
    raise DataError(f"{folder} holds no {part} {kind}: neither {' nor '.join(names)}, with or without .gz.")
