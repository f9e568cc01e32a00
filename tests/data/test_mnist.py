"""The embedded digits are the ones that LeCun, Cortes and Burges published."""

from __future__ import annotations

import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from portanet.data import mnist as module
from portanet.data.dataset import Dataset
from portanet.errors import DataError

# The digests of the published files, uncompressed.
MD5 = {
    "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
}
# How many of each digit the two sets hold, as many papers print it.
TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.fixture(scope="module")
def train() -> Dataset:
    return module.mnist()


@pytest.fixture(scope="module")
def test() -> Dataset:
    return module.mnist_test()


@pytest.mark.parametrize("name", MD5)
def test_files_are_the_published_ones(name: str) -> None:
    data = gzip.decompress((Path(module.__file__).with_name("mnist_files") / name).read_bytes())
    assert hashlib.md5(data, usedforsecurity=False).hexdigest() == MD5[name]


def test_counts(train: Dataset, test: Dataset) -> None:
    assert np.bincount(train.require_labels()).tolist() == TRAIN
    assert np.bincount(test.require_labels()).tolist() == TEST


def test_arrays(train: Dataset, test: Dataset) -> None:
    for data, rows in ((train, 60_000), (test, 10_000)):
        assert data.x.shape == (rows, 1, 28, 28)
        assert data.x.dtype == np.uint8
        assert data.x.flags.writeable
        assert data.require_labels().dtype == np.int32
        assert data.classes == tuple("0123456789")
        assert data.columns is None
    assert train.require_labels()[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.require_labels()[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # The mean and deviation that every tutorial normalises by.
    assert train.x.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert train.x.std() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_images_are_upright(train: Dataset) -> None:
    """A one is taller than wide, so more of its columns than of its rows are empty."""
    ones = train.x[train.require_labels() == 1, 0] > 0
    assert ones.any(axis=1).sum() < ones.any(axis=2).sum()


def test_article_takes_seven_of_ten(train: Dataset) -> None:
    data = module.mnist_article()
    assert len(data) == 42_000
    assert data.name == "mnist:article"
    expected = [i for i in range(60_000) if str(i)[-1] in "0123456"]
    assert np.array_equal(data.x, train.x[expected])
    assert np.array_equal(data.require_labels(), train.require_labels()[expected])


def test_damage_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    monkeypatch.setenv("PORTANET_CACHE", str(tmp_path / "cache"))
    for name in MD5:
        shutil.copy(Path(module.__file__).with_name("mnist_files") / name, tmp_path)
    damaged = tmp_path / "t10k-images-idx3-ubyte.gz"
    data = bytearray(damaged.read_bytes())
    data[800_000] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is damaged; reinstall portanet"):
        module.mnist_test()
    damaged.unlink()
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz does not exist"):
        module.mnist_test()
