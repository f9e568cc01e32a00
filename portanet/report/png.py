"""Arrays as PNG pictures, encoded with zlib alone."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from portanet._typing import HostArray

_SIDE = 64  # pixels of a picture's side, at most; pages show it at about this size

# From blue through white to orange, distinguishable with any kind of colour vision.
_BLUE, _WHITE, _ORANGE = np.array([33, 102, 172.0]), np.array([247, 247, 247.0]), np.array([191, 87, 0.0])


def as_uri(pixels: HostArray, palette: HostArray | None = None) -> str:
    """A data: URI of (H, W) grey or (H, W, 3) RGB bytes, or of (H, W) indices into a palette (256, 3)."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels, palette)).decode("ascii")


def encode(pixels: HostArray, palette: HostArray | None = None) -> bytes:
    """The PNG file of (H, W) or (H, W, 3) uint8: ISO/IEC 15948."""
    height, width = pixels.shape[:2]
    lines = np.ascontiguousarray(pixels, np.uint8).reshape(height, -1)
    raw = np.hstack([np.zeros((height, 1), np.uint8), lines]).tobytes()  # each line begins with its filter type: none
    kind = 2 if pixels.ndim == 3 else 0 if palette is None else 3
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    colours = [] if palette is None else [(b"PLTE", palette.astype(np.uint8).tobytes())]
    chunks = [(b"IHDR", header), *colours, (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def picture(image: HostArray, low: float, high: float) -> HostArray:
    """An image (C, H, W) as bytes (H, W) or (H, W, 3), black at `low`, white at `high`, shrunk if it is large."""
    channels = image[:3] if len(image) >= 3 else image[:1]
    values = np.nan_to_num(channels.astype(np.float64), nan=low, posinf=high, neginf=low)
    step = -(-max(values.shape[1:]) // _SIDE)
    if step > 1:  # means of blocks
        height, width = (max(1, size // step) for size in values.shape[1:])
        values = values[:, : height * step, : width * step]
        blocks = values.reshape(len(values), height, values.shape[1] // height, width, values.shape[2] // width)
        values = blocks.mean(axis=(2, 4))
    scaled = np.clip((values - low) / ((high - low) or 1.0), 0.0, 1.0)
    pixels = np.round(255 * scaled).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)


def diverging(values: HostArray) -> HostArray:
    """Weights as indices into `PALETTE`: 0 in the middle, the largest magnitude at an end."""
    largest = float(np.abs(values).max()) or 1.0
    return np.round(127.5 + 127.5 * values / largest).astype(np.uint8)


def _palette() -> HostArray:
    level = np.linspace(-1.0, 1.0, 256)[:, None]
    colours = np.where(level < 0, _WHITE + (_WHITE - _BLUE) * level, _WHITE + (_ORANGE - _WHITE) * level)
    return np.round(colours).astype(np.uint8)


PALETTE = _palette()
