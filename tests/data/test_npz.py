"""NumPy's .npz: rows with labels, Keras' four arrays, and files that must not be trusted."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portanet.data import files
from portanet.data.npz import read_npz
from portanet.errors import DataError

X = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
Y = np.array([7, 3, 7])


def save(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path / "rows.npz", **arrays)
    return path / "rows.npz"


@pytest.mark.parametrize(("x", "y"), [("x", "labels"), ("x", "y"), ("images", "labels")])
def test_images(tmp_path: Path, x: str, y: str) -> None:
    data = read_npz(save(tmp_path, **{x: X, y: Y}))
    assert data.x.dtype == np.uint8
    assert np.array_equal(data.x, X[:, None])
    assert data.require_targets().dtype == np.int32
    assert data.require_targets().tolist() == [1, 0, 1]
    assert data.classes == ("3", "7")
    assert data.columns is None


def test_keras_parts(tmp_path: Path) -> None:
    path = save(tmp_path, x_train=X, y_train=Y, x_test=X[:1], y_test=Y[:1])
    assert len(read_npz(path)) == 3
    assert len(read_npz(path, "test")) == 1


def test_tables(tmp_path: Path) -> None:
    path = save(tmp_path, x=X.reshape(3, 4))
    assert read_npz(path).x.shape == (3, 4)
    assert read_npz(path).targets is None
    assert read_npz(path, image=(1, 2, 2)).x.shape == (3, 1, 2, 2)


def test_channels(tmp_path: Path) -> None:
    assert read_npz(save(tmp_path, x=np.zeros((2, 3, 8, 8)))).x.shape == (2, 3, 8, 8)
    with pytest.raises(DataError, match=r"channels first, with numpy\.moveaxis\(x, 3, 1\)"):
        read_npz(save(tmp_path, x=np.zeros((2, 8, 8, 3))))


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (X.astype(np.int64), np.uint8),
        (X.astype(np.int64) + 250, np.float32),
        (X.astype(np.int64) - 1, np.float32),
        ((X > 3).astype(np.float64), np.float32),
        (X.reshape(3, 4), np.float32),
        (X.reshape(3, 4).astype(np.int64) + 20_230_101, np.float64),
        (X.reshape(3, 4) / 2, np.float32),
        (X.reshape(3, 4) / 2**20 + 1e6, np.float64),
        (X.astype(">i4"), np.uint8),
        (np.asfortranarray(X), np.uint8),
    ],
)
def test_dtypes(tmp_path: Path, x: np.ndarray, dtype: type) -> None:
    data = read_npz(save(tmp_path, x=x))
    assert data.x.dtype == dtype
    assert data.x.flags.c_contiguous
    assert np.array_equal(data.x.reshape(x.shape), x)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        ([7.0, 3.0, 7.0], ("3", "7")),
        ([True, False, True], ("False", "True")),
    ],
)
def test_labels(tmp_path: Path, labels: list[object], classes: tuple[str, ...]) -> None:
    data = read_npz(save(tmp_path, x=X, y=np.array(labels)))
    assert data.classes == classes
    assert data.require_targets().tolist() == [1, 0, 1]


def test_classes_of_a_trained_model(tmp_path: Path) -> None:
    path = save(tmp_path, x=X, y=Y)
    assert read_npz(path, classes=("7", "3")).require_targets().tolist() == [0, 1, 0]
    with pytest.raises(DataError, match="row 2: the label '3'"):
        read_npz(path, classes=("7", "8"))


def test_regression(tmp_path: Path) -> None:
    data = read_npz(save(tmp_path, x=X, y=Y / 2), regress=True)
    assert data.targets is not None
    assert data.targets.dtype == np.float32
    assert data.targets.tolist() == [3.5, 1.5, 3.5]
    assert data.classes == ()
    with pytest.raises(DataError, match="regression needs numbers"):
        read_npz(save(tmp_path, x=X, y=np.array(["a", "b", "c"])), regress=True)


class Trap:
    """Unpickled, it would create a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("sprung", "w")


NAN, INF = float("nan"), float("inf")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "objects": ({"x": np.array([Trap(), 1], object)}, "array 'x' has the dtype object"),
    "object labels": ({"x": X, "y": np.array([Trap(), 1, 2], object)}, "array 'y' has the dtype object"),
    "complex": ({"x": X * 1j}, "dtype complex128"),
    "records": ({"x": np.zeros(3, "u1,u1")}, "has the dtype"),
    "dates": ({"x": np.zeros((3, 2), "M8[s]")}, "has the dtype"),
    "text": ({"x": np.array([["a"]])}, "has the dtype"),
    "NaN": ({"x": np.array([[1, NAN]])}, "NaN"),
    "infinite": ({"x": np.array([[1, INF]])}, "infinite"),
    "too large": ({"x": np.array([[1, 1e39]])}, "too large"),
    "NaN label": ({"x": X, "y": np.array([1, NAN, 2])}, "row 2 has no label"),
    "fraction label": ({"x": X, "y": np.array([1, 1.5, 2])}, "label 1.5 is not an integer or a name"),
    "too few labels": ({"x": X, "y": Y[:2]}, r"labels need the shape \(3,\), not \(2,\)"),
    "one-hot labels": ({"x": X, "y": np.eye(3)}, r"labels need the shape \(3,\), not \(3, 3\)"),
    "one dimension": ({"x": Y}, r"not \(3,\)"),
    "five dimensions": ({"x": np.zeros((1, 1, 1, 1, 1))}, r"not \(1, 1, 1, 1, 1\)"),
    "no rows": ({"x": X[:0]}, r"not \(0, 2, 2\)"),
    "other names": ({"a": X, "b": Y}, "no array x, images, x_train, .* or arr_0; its arrays: a, b"),
    "nothing": ({}, "its arrays: none"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    arrays, message = REFUSED[case]
    with pytest.raises(DataError, match=message) as caught:
        read_npz(save(tmp_path, **arrays))
    assert "rows.npz" in str(caught.value)
    assert not Path("sprung").exists()


def test_missing_test_part(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no array x_test; its arrays: labels, x"):
        read_npz(save(tmp_path, x=X, labels=Y), "test")


def npy(shape: str, dtype: str = "|u1", version: bytes = b"\1\0") -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY" + version + len(head).to_bytes(2, "little") + head.encode()


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"not an array",
        npy("(3, 2, 2)") + bytes(11),
        npy("(3, 2, 2)") + bytes(13),
        npy(f"({2**60}, 2, 2)") + bytes(12),
        npy("(-3, -2, 2)") + bytes(12),
        npy("(3, 2, 2)", version=b"\3\0") + bytes(12),
        npy("(3, 2, 2)", version=b"\x09\0") + bytes(12),
        npy("(3, 2", "|u1") + bytes(12),
        npy("__import__('os')") + bytes(12),
        npy("(), [1]: 2") + bytes(12),
        npy("(), 1: 2") + bytes(12),
        npy("(3, 2, 2)", "|O") + bytes(96),
    ],
)
def test_arrays_that_lie(tmp_path: Path, entry: bytes) -> None:
    path = tmp_path / "rows.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", entry)
    with pytest.raises(DataError, match=r"rows\.npz"):
        read_npz(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(tmp_path: Path, method: int) -> None:
    path = tmp_path / "rows.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", npy("(3, 2, 2)") + bytes(12))
    with pytest.raises(DataError, match="compressed by another method"):
        read_npz(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_SMALL", 2**20)
    path = tmp_path / "rows.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as file:
        file.write(npy(f"({2**24}, 1)"))
        for _ in range(2**4):
            file.write(bytes(2**20))
    with pytest.raises(DataError, match=r"expands to 16777\d+ bytes, more than is credible"):
        read_npz(path)


def test_not_a_zip(tmp_path: Path) -> None:
    for content in (b"", b"PK", b"PK\3\4" + bytes(40), b"x,labels\n1,2\n"):
        (tmp_path / "rows.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"rows\.npz .*damaged"):
            read_npz(tmp_path / "rows.npz")


@given(st.data())
def test_any_damage_is_a_data_error_or_nothing(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    save_to = np.savez if data.draw(st.booleans()) else np.savez_compressed
    save_to(buffer, x=X, labels=Y)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    path.write_bytes(content)
    try:
        read_npz(path)
    except DataError as error:
        assert "damaged.npz" in str(error)


@pytest.mark.parametrize("point", [0xD800, 0xDFFF, 0x110000, 2**32 - 1])
@pytest.mark.parametrize("order", "<>")
def test_labels_that_are_not_text(tmp_path: Path, point: int, order: str) -> None:
    labels = np.array(["ab", "cde", "f"], f"{order}U3")
    labels.view(f"{order}u4")[4] = point
    np.savez(tmp_path / "a.npz", x=np.ones((3, 4)), labels=labels)
    with pytest.raises(DataError, match=rf"a\.npz: row 2: the label is not text, as it holds {point:#x}\."):
        read_npz(tmp_path / "a.npz")
