"""Contact sheets of a network's input."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray

MOST = 400  # images on a sheet
_SIDE = 112  # pixels of a picture, at least
_LINE = 16  # pixels of the text below it


def sheet(images: HostArray, labels: Sequence[str]) -> bytes:
    """A PNG file of images (N, C, H, W) uint8, in rows, each enlarged by an integer factor, with its label below.

    Opacity, the last of 2 or 4 channels, is left out.
    """
    from PIL import Image, ImageDraw

    coloured = images[:, :3] if images.shape[1] > 2 else np.repeat(images[:, :1], 3, axis=1)
    times = max(1, _SIDE // max(images.shape[2:]))
    height, width = (times * size for size in images.shape[2:])
    columns = min(len(images), max(1, math.isqrt(len(images) - 1) + 1))
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * (width + 4), rows * (height + _LINE)), "white")
    draw = ImageDraw.Draw(page)
    for i, (image, label) in enumerate(zip(coloured, labels, strict=True)):
        x, y = i % columns * (width + 4), i // columns * (height + _LINE)
        pixels = np.repeat(np.repeat(np.moveaxis(image, 0, 2), times, axis=0), times, axis=1)
        page.paste(Image.fromarray(pixels), (x, y))
        draw.text((x + 2, y + height + 2), plain(label, 16), fill="black")
    page.save(file := io.BytesIO(), "PNG")
    return file.getvalue()
