"""IDX files, packed here by struct as the format's description says."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from portanet.data.idx import read_folder, read_idx, read_images, read_labels
from portanet.errors import DataError


def pack(shape: tuple[int, ...], body: bytes, kind: int = 8) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + body


IMAGES = pack((3, 2, 2), bytes(range(12)))
LABELS = pack((3,), bytes([7, 3, 7]))


def folder_of(path: Path, **files: bytes) -> Path:
    for name, content in files.items():
        (path / name.replace("__", ".").replace("_", "-")).write_bytes(content)
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("train_images_idx3_ubyte", "train_labels_idx1_ubyte"),
        ("train_images__idx3_ubyte", "train_labels__idx1_ubyte"),
        ("train_images_idx3_ubyte__gz", "train_labels_idx1_ubyte"),
    ],
)
def test_folder(tmp_path: Path, names: tuple[str, str]) -> None:
    images = gzip.compress(IMAGES) if names[0].endswith("gz") else IMAGES
    data = read_folder(folder_of(tmp_path, **{names[0]: images, names[1]: LABELS}))
    assert data.x.dtype == np.uint8
    assert data.x.tolist() == [[[[0, 1], [2, 3]]], [[[4, 5], [6, 7]]], [[[8, 9], [10, 11]]]]
    assert data.require_targets().dtype == np.int32
    assert data.require_targets().tolist() == [1, 0, 1]
    assert data.classes == ("3", "7")


@pytest.mark.parametrize("start", ["t10k", "test"])
def test_test_part(tmp_path: Path, start: str) -> None:
    folder_of(tmp_path, **{f"{start}_images_idx3_ubyte": IMAGES, f"{start}_labels_idx1_ubyte": LABELS})
    assert len(read_folder(tmp_path, "test")) == 3
    with pytest.raises(DataError, match=r"holds no train images: neither train-images-idx3-ubyte nor"):
        read_folder(tmp_path)


def test_classes_of_a_trained_model(tmp_path: Path) -> None:
    folder_of(tmp_path, train_images_idx3_ubyte=IMAGES, train_labels_idx1_ubyte=LABELS)
    data = read_folder(tmp_path, classes=("7", "x", "3"))
    assert data.require_targets().tolist() == [0, 2, 0]
    with pytest.raises(DataError, match=r"row 2: .*'3' .*classes: 7"):
        read_folder(tmp_path, classes=("7",))
    assert read_folder(tmp_path, regress=True).require_targets().tolist() == [7.0, 3.0, 7.0]


def test_counts_that_differ(tmp_path: Path) -> None:
    folder_of(tmp_path, train_images_idx3_ubyte=IMAGES, train_labels_idx1_ubyte=pack((2,), b"12"))
    with pytest.raises(DataError, match="3 train images but 2 labels"):
        read_folder(tmp_path)


@pytest.mark.parametrize(("kind", "code"), [(8, "B"), (9, "b"), (11, "h"), (12, "i"), (13, "f"), (14, "d")])
def test_dtypes(tmp_path: Path, kind: int, code: str) -> None:
    path = tmp_path / "idx"
    path.write_bytes(pack((3,), struct.pack(f">3{code}", 1, 2, 100), kind))
    assert read_labels(path).tolist() == [1, 2, 100]
    assert read_labels(path).dtype == np.dtype(code)


def test_other_pixels_are_float32(tmp_path: Path) -> None:
    path = tmp_path / "idx"
    path.write_bytes(pack((1, 1, 2), struct.pack(">2f", 0, 1), 13))
    assert read_images(path).dtype == np.float32
    path.write_bytes(pack((1, 1, 2), struct.pack(">2h", 0, 300), 11))
    assert read_images(path).tolist() == [[[[0, 300]]]]
    path.write_bytes(pack((1, 1, 2), struct.pack(">2h", 0, 255), 11))
    assert read_images(path).dtype == np.uint8


BODY = bytes(12)
HOSTILE = {
    "nothing": (b"", "begins with nothing"),
    "three bytes": (b"\0\0\x08", "begins with 00 00 08"),
    "wrong magic": (b"\1\0\x08\3" + bytes(24), "not an IDX file: it begins with 01 00 08 03"),
    "unknown dtype": (pack((3, 2, 2), BODY, 7), "not an IDX file"),
    "no dimensions": (pack((), BODY), "not an IDX file"),
    "255 dimensions": (b"\0\0\x08\xff" + bytes(2000), "not an IDX file"),
    "header cut": (pack((3, 2, 2), BODY)[:10], "cut short within its header"),
    "data cut": (IMAGES[:-1], "12 bytes of data, but holds only 11"),
    "data too long": (IMAGES + b"x", "12 bytes of data, but holds more"),
    "no rows": (pack((0, 28, 28), b""), "cannot hold"),
    "empty images": (pack((3, 0, 2), b""), "cannot hold"),
    "2**32 - 1 dimensions": (pack((2**32 - 1,) * 3, BODY), "cannot hold"),
    "2**32 - 1 rows": (pack((2**32 - 1, 2, 2), BODY), "cannot hold"),
    "two dimensions": (pack((3, 4), BODY), "images need 3 or 4 dimensions, the file has 2"),
    "NaN": (pack((1, 1, 1), struct.pack(">f", float("nan")), 13), "NaN"),
    "gzip of nothing": (gzip.compress(b""), "begins with nothing"),
    "gzip cut": (gzip.compress(IMAGES)[:-9], "gzip data is damaged or cut short"),
    "gzip header only": (gzip.compress(IMAGES)[:6], "gzip data is damaged or cut short"),
    "gzip checksum": (gzip.compress(IMAGES)[:-8] + bytes(8), "gzip data is damaged"),
    "gzip body": (
        gzip.compress(IMAGES)[:14] + b"\xff\xff\xff" + gzip.compress(IMAGES)[17:],
        "gzip data is damaged",
    ),
    "gzip with more": (gzip.compress(IMAGES + b"x"), "holds more"),
    "gzip with a second member": (gzip.compress(IMAGES) + gzip.compress(b"x"), "holds more"),
    "gzip with a tail": (gzip.compress(IMAGES) + b"tail", "gzip data is damaged"),
    "gzip 2**32 - 1": (gzip.compress(pack((2**32 - 1, 28, 28), BODY)), "cannot hold"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile(tmp_path: Path, case: str) -> None:
    content, message = HOSTILE[case]
    path = tmp_path / "images"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_images(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(IMAGES + bytes(2**26)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="holds more"):
            read_images(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_labels_need_one_dimension(tmp_path: Path) -> None:
    path = tmp_path / "labels"
    path.write_bytes(IMAGES)
    with pytest.raises(DataError, match="labels need 1 dimension, the file has 3"):
        read_labels(path)


@given(
    hnp.arrays(st.sampled_from([np.uint8, np.int8, np.int16, np.int32]), hnp.array_shapes(max_dims=4)),
    st.booleans(),
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, packed: bool) -> None:
    kind = {"u1": 8, "i1": 9, "i2": 11, "i4": 12}[array.dtype.str[1:]]
    content = pack(array.shape, array.astype(array.dtype.newbyteorder(">")).tobytes(), kind)
    path = tmp_path_factory.getbasetemp() / "round"
    path.write_bytes(gzip.compress(content) if packed else content)
    found = read_idx(path)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@given(st.data())
def test_any_damage_is_a_data_error_or_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from([IMAGES, gzip.compress(IMAGES, mtime=0)])))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read_images(path)
    except DataError as error:
        assert "damaged" in str(error)
