"""Arrays as one text: each in the smallest exact form, compressed by zlib and encoded in base64."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.export.rounding import codes_of, scales_of

_EXACT = 2.0**-22  # relative: two roundings of float32


def pack(arrays: Mapping[str, HostArray]) -> tuple[list[dict[str, Any]], str]:
    """Return an entry for each array, and the text that encodes them all.

    An entry has the array's name, dtype and shape; its form: "int8" (with the axis of its units, and the position of
    their float32 scales), "float16", or the dtype of its bytes, little-endian; and where its bytes start and stop.
    Text arrays have their values in the entry.
    """
    entries, blob = [], bytearray()
    for name, array in arrays.items():
        if array.dtype.kind in "iu" and array.dtype.itemsize > 1:
            array = array.astype(np.int64)
        entry: dict[str, Any] = {"name": name, "dtype": array.dtype.name, "shape": list(array.shape)}
        if array.dtype.kind == "U":
            entries.append(entry | {"values": array.ravel().tolist()})
            continue
        form, content, scales = _smallest(np.ascontiguousarray(array).reshape(array.shape))
        entry |= form | {"start": len(blob), "stop": len(blob) + len(content)}
        blob += content
        if scales:
            entry["scales"] = len(blob)
            blob += scales
        entries.append(entry)
    return entries, base64.b64encode(zlib.compress(bytes(blob), 9)).decode()


def _smallest(array: HostArray) -> tuple[dict[str, Any], bytes, bytes]:
    """The smallest form of an array, its bytes, and the bytes of its scales."""
    if array.dtype == np.float32 and array.size and np.isfinite(array).all():
        for axis in {array.ndim - 1, 0} if array.ndim > 1 else ():
            scales = scales_of(array, axis)
            codes = codes_of(array, scales)
            if np.allclose(codes * scales, array, rtol=_EXACT, atol=0):
                return {"form": "int8", "axis": axis}, codes.tobytes(), scales.astype("<f4").tobytes()
        with np.errstate(over="ignore"):
            half = array.astype("<f2")
        if np.array_equal(half.astype(np.float32), array):
            return {"form": "float16"}, half.tobytes(), b""
    return {"form": array.dtype.name}, array.astype(array.dtype.newbyteorder("<")).tobytes(), b""
