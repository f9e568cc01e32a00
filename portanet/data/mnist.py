"""The MNIST digits that come with the library (LeCun, Cortes, Burges 1998; see mnist_files/NOTICE)."""

from __future__ import annotations

import functools
import hashlib
import io
from pathlib import Path

import numpy as np

from portanet._typing import HostArray
from portanet.data.dataset import Dataset
from portanet.data.files import reading
from portanet.data.idx import unpack
from portanet.data.memmap import cache
from portanet.data.memmap.npy import map_file
from portanet.errors import DataError

_FOLDER = Path(__file__).with_name("mnist_files")
_SHA256 = {
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
}
_PIXELS = {
    "t10k-images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "train-images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
}
_LARGEST = 60_000 * 28 * 28  # bytes of an array in the cache
_CLASSES = tuple("0123456789")


def mnist() -> Dataset:
    """The 60,000 training images, uint8 (60000, 1, 28, 28), white on black."""
    return _part("mnist", "train")


def mnist_article() -> Dataset:
    """42,000 of the training images: those whose index modulo 10 is 0 to 6.

    Kaggle's train.csv has the same number; this rule needs no random numbers.
    """
    digits = mnist()
    chosen = np.flatnonzero(np.arange(len(digits)) % 10 < 7)
    return Dataset("mnist:article", digits.x[chosen], digits.require_targets()[chosen], _CLASSES)


def mnist_test() -> Dataset:
    """The 10,000 test images."""
    return _part("mnist:test", "t10k")


def _part(name: str, start: str) -> Dataset:
    images = _images(f"{start}-images")[:, None]
    return Dataset(name, images, _read(f"{start}-labels-idx1-ubyte.gz").astype(np.int32), _CLASSES)


def _images(name: str) -> HostArray:
    """The images, unpacked once into the cache; the cached copy is checked by its digest."""
    unpacked = functools.cache(lambda: _read(f"{name}-idx3-ubyte.gz"))
    try:
        return cache.kept(f"mnist/{name}.npy", lambda place: _find(place, name), lambda place: _keep(place, unpacked()))
    except cache.CacheError:
        return unpacked()


def _find(place: Path, name: str) -> HostArray | None:
    try:
        found = np.asarray(map_file(place, (np.uint8,), mode="c"))
    except (DataError, OSError, ValueError):
        return None
    if found.nbytes > _LARGEST:
        return None
    return found if hashlib.sha256(found.data).hexdigest() == _PIXELS[name] else None


def _keep(place: Path, images: HostArray) -> None:
    with open(place, "wb") as file:  # given a path, NumPy would append .npy
        np.save(file, images, allow_pickle=False)


def _read(file_name: str) -> HostArray:
    path = _FOLDER / file_name
    with reading(path) as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != _SHA256[file_name]:
        raise DataError(f"{path} is damaged; reinstall portanet.")
    return unpack(io.BytesIO(data), len(data), str(path))
