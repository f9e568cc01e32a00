"""NumPy's .npy files: a checked header, and the array as a memory map."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.lib import format as npy

from portanet._typing import Shape
from portanet.storage.small_file import open_regular


def read_header(file: IO[bytes]) -> tuple[Shape, bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype; raises ValueError for an invalid header."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"array format {version}")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except Exception as error:
        # NumPy lets any error of Python's tokenizer and parser through.
        raise ValueError(f"array header: {error}") from error
    if any(type(size) is not int for size in shape):
        raise ValueError(f"array header: the shape {shape}")  # NumPy accepts True as a size and fails later
    return shape, fortran, dtype


def write_header(file: IO[bytes], shape: Shape, dtype: np.dtype[Any]) -> None:
    """Write a header whose length does not depend on the number of rows, so that it can be overwritten."""
    npy.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": npy.dtype_to_descr(dtype)})


def map_file(path: Path, dtypes: Sequence[Any], *, mode: Literal["r", "c"] = "r") -> np.memmap[Any, Any]:
    """The array in a file as a memory map.

    With mode "c" the array can be changed, but never the file. Raises ValueError unless it has one of the dtypes and
    fills the file, DataError for anything but a regular file.
    """
    with open_regular(path) as file:
        shape, fortran, dtype = read_header(file)
        offset, size = file.tell(), os.fstat(file.fileno()).st_size
        if fortran or dtype not in dtypes or min(shape, default=0) < 1:
            raise ValueError(f"{path} holds {dtype} of the shape {shape}")
        if size != offset + math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{path} declares the shape {shape}, which is not what it holds")
        return np.memmap(file, dtype, mode, offset, shape)
