"""NumPy's .npz files: rows and labels under one of the usual pairs of names, or the four arrays of Keras."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from portanet._text import listed, plain
from portanet._typing import HostArray, Shape
from portanet.data.cells import as_float32, as_floats, as_uint8
from portanet.data.dataset import Dataset
from portanet.data.files import expansion_limit, reading
from portanet.data.labels import encode_array
from portanet.data.memmap.npy import read_header
from portanet.errors import DataError

_ROWS = {"train": ("x", "images", "x_train", "data", "features", "arr_0"), "test": ("x_test",)}
_LABELS = {"x_train": ("y_train",), "x_test": ("y_test",), "arr_0": ("arr_1",)}
_USUAL = ("labels", "y", "target", "targets", "label")  # label names for the other names of rows
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)


def read_npz(
    path: str | Path,
    part: str = "train",
    *,
    name: str | None = None,
    image: Shape | None = None,
    regress: bool | None = False,
    classes: Sequence[str] | None = None,
    labelled: bool = True,
) -> Dataset:
    """One part, "train" or "test": images from arrays of 3 or 4 dimensions, a table without column names from 2."""
    name = name or str(path)
    with reading(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                x, labels = _arrays(archive, part, name)
        except _DAMAGE as error:
            raise DataError(f"{path} is not an .npz file, or it is damaged ({plain(error, 200)}).") from error
    rows = _rows(name, x, image)
    if labels is None or not labelled:
        return Dataset(name, rows)
    labels = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (len(rows),):
        raise DataError(f"{name}: labels need the shape ({len(rows)},), not {labels.shape}.")
    return Dataset(name, rows, *encode_array(name, labels, regress=regress, classes=classes))


def _arrays(archive: zipfile.ZipFile, part: str, name: str) -> tuple[HostArray, HostArray | None]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename[-4:] == ".npy"}
    rows, wanted = _one_of(members, _ROWS[part], name), ", ".join(_ROWS[part][:-1]) or _ROWS[part][0]
    if rows is None:
        found = listed(sorted(members)) or "none"
        more = f" or {_ROWS[part][-1]}" if len(_ROWS[part]) > 1 else ""
        raise DataError(f"{name} has no array {wanted}{more}; its arrays: {found}.")
    labels = _one_of(members, _LABELS.get(rows.lower(), _USUAL), name)
    x = _load(archive, members[rows], "iuf", f"{name}: array {rows!r}")
    return x, None if labels is None else _load(archive, members[labels], "iufbUS", f"{name}: array {labels!r}")


def _one_of(members: Mapping[str, Any], names: Sequence[str], file: str) -> str | None:
    """The member with one of the names, ignoring case, or None; raises DataError if two match."""
    found = [member for member in members if member.lower() in names]
    if len(found) > 1:
        raise DataError(f"{file} has the arrays {found[0]} and {found[1]}, and either could be meant; rename one.")
    return found[0] if found else None


def _load(archive: zipfile.ZipFile, member: zipfile.ZipInfo, kinds: str, what: str) -> HostArray:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{what} is compressed by another method than numpy.savez uses; save it again.")
    if member.file_size > expansion_limit(member.compress_size):
        raise DataError(f"{what} expands to {member.file_size} bytes, more than is credible; save it with numpy.savez.")
    with archive.open(member) as file:
        shape, _, dtype = read_header(file)
        if dtype.kind not in kinds:
            raise DataError(f"{what} has the dtype {plain(dtype)}; save it as numbers.")
        if file.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
            raise DataError(f"{what} declares the shape {plain(shape)}, which is not what it holds.")
    with archive.open(member) as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))


def _rows(name: str, x: HostArray, image: Shape | None) -> HostArray:
    if x.ndim not in (2, 3, 4) or not x.size:
        raise DataError(f"{name}: x needs the shape (N, D), (N, H, W) or (N, C, H, W), not {x.shape}.")
    if x.ndim == 4 and x.shape[3] in (1, 3, 4) and x.shape[1] not in (1, 3, 4):
        raise DataError(f"{name}: x is {x.shape}; put channels first, with numpy.moveaxis(x, 3, 1).")
    rows = x[:, None] if x.ndim == 3 else x
    if x.ndim == 2 and image is not None and math.prod(image) == x.shape[1]:
        rows = x.reshape(len(x), *image)
    result = _images(rows) if rows.ndim == 4 else as_floats(rows)
    if result is None:
        raise DataError(f"{name}: a value of x is NaN, infinite or too large.")
    return np.ascontiguousarray(result)


def _images(rows: HostArray) -> HostArray | None:
    # A float image with values from 0 to 1 may contain only zeros and ones; as uint8 it would be scaled as pixels.
    whole = None if rows.dtype.kind == "f" else as_uint8(rows)
    return as_float32(rows) if whole is None else whole
