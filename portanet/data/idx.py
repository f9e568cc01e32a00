"""IDX files, the format of MNIST, gzipped or not: http://yann.lecun.com/exdb/mnist (1998)."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from portanet.data.cells import as_float32, as_uint8
from portanet.data.dataset import Dataset, HostArray
from portanet.data.files import expansion_limit, reading
from portanet.data.labels import encode_array
from portanet.errors import DataError

_DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_PARTS = {"train": ("train",), "test": ("t10k", "test")}
_BLOCK = 2**20


def read_folder(
    folder: str | Path,
    part: str = "train",
    *,
    name: str | None = None,
    task: str = "classify",
    classes: Sequence[str] | None = None,
) -> Dataset:
    """The images and labels of a folder's part "train" or "test", in files named as MNIST's are."""
    images = read_images(_find(folder, part, "images", 3))
    labels = read_labels(_find(folder, part, "labels", 1))
    name = name or str(folder)
    if len(images) != len(labels):
        raise DataError(f"{name}: {len(images)} {part} images but {len(labels)} labels.")
    return Dataset(name, images, *encode_array(name, labels, task=task, classes=classes))


def read_images(path: str | Path) -> HostArray:
    """Images (N, 1, H, W), or (N, C, H, W) from a file of four dimensions: uint8, or else float32."""
    array = read_idx(path)
    if array.ndim not in (3, 4):
        raise DataError(f"{path}: images need 3 or 4 dimensions, the file has {array.ndim}.")
    if array.ndim == 3:
        array = array[:, None]
    images = as_uint8(array) if array.dtype.kind in "iu" else None
    images = as_float32(array) if images is None else images
    if images is None:
        raise DataError(f"{path}: a value is NaN, infinite or too large.")
    return images


def read_labels(path: str | Path) -> HostArray:
    """Labels (N,) as the file has them."""
    array = read_idx(path)
    if array.ndim != 1:
        raise DataError(f"{path}: labels need 1 dimension, the file has {array.ndim}.")
    return array


def read_idx(path: str | Path) -> HostArray:
    """The array in an IDX file; DataError where the file is not exactly one."""
    with reading(path) as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(2) == b"\x1f\x8b":
            file.seek(0)
            return unpack(file, size, str(path))
        file.seek(0)
        return decode(file, size, str(path))


def unpack(file: BinaryIO, size: int, name: str) -> HostArray:
    """The array in a gzipped IDX stream of `size` bytes."""
    try:
        return decode(gzip.GzipFile(fileobj=file), expansion_limit(size), name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: the gzip data is damaged or cut short; fetch the file again.") from error


def decode(file: BinaryIO | gzip.GzipFile, limit: int, name: str) -> HostArray:
    """The array in an IDX stream that can hold `limit` bytes at most; never reads more than it declares."""
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
    array = np.empty(shape, dtype)
    found = _fill(file, array.reshape(-1).view(np.uint8).data)
    if found < declared or file.read(1):
        held = f"only {found}" if found < declared else "more"
        raise DataError(f"{name} declares the shape {shape}, {declared} bytes of data, but holds {held}.")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _fill(file: BinaryIO | gzip.GzipFile, view: memoryview) -> int:
    filled = 0
    while block := file.read(min(_BLOCK, len(view) - filled)):
        view[filled : filled + len(block)] = block
        filled += len(block)
    return filled


def _find(folder: str | Path, part: str, kind: str, ndim: int) -> Path:
    names = [f"{start}-{kind}{dot}idx{ndim}-ubyte" for start in _PARTS[part] for dot in "-."]
    for name in names:
        for path in (Path(folder, name), Path(folder, f"{name}.gz")):
            if path.exists():
                return path
    raise DataError(f"{folder} holds no {part} {kind}: neither {' nor '.join(names)}, with or without .gz.")
