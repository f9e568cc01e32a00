"""Preparing a photographed or drawn digit as MNIST was: light on black, fitted into 20 x 20, centred in 28 x 28."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.data.memmap.rows import as_rows

SIDE = 28
_FIT = 20  # pixels of the longer side of the ink
_MIDDLE = 14  # index of the pixel for the centre of mass
_LARGEST = 256  # pixels per side after averaging
_PAPER = 0.6  # share of the pixels that count as paper
_HALF = 0.5
_EDGE = 0.1  # share of the pixels at an edge that count as paper
_INK = 0.3  # threshold, relative to the strongest ink
_OFF = 0.6  # pixels from the middle
_FIRST = 256  # rows examined


def as_digit(grey: HostArray) -> HostArray:
    """The picture (H, W) of a digit, 0 black to 255 white, as uint8 (28, 28); all 0 without ink.

    1. Blocks of k x k pixels become their mean, k = ceil(max(H, W) / 256); rows and columns left over are dropped, and
       a side shorter than k is one block.
    2. Uneven light: the level q of a strip of n pixels is the value at index floor(q (n - 1)) of its sorted values.
       With s = max(1, W // 8), the slope is (level of the last s columns - level of the first s) / max(1, W - s), and
       slope * (x - (W - 1) / 2) is subtracted from column x, counted from 0; then the same for rows.
       If after this, with q = 0.5, the median is above (minimum + maximum) / 2, the paper is light: each value v of
       the picture before this step becomes 255 - v.
    3. Step 2 is applied with q = 0.1. The level 0.6 of all pixels is subtracted, and negative values become 0.
    4. Crop: m is the mean over 3 x 3 pixels, with zeros outside. Rows and columns before the first and after the last
       with m > 0.3 max(m) are cut off. Values are divided by max(m), and those above 1 become 1.
    5. Fit: the crop (h, w) becomes (max(1, floor(20 h / max(h, w) + 1/2)), the same of w), each pixel the mean of the
       area that it covers.
    6. Values are divided by their maximum, multiplied by 255, and rounded by floor(v + 1/2).
    7. Centre: with the centre of mass (cy, cx), in pixels from 0, the first row is placed at floor(14 - cy + 1/2), at
       least 0 and at most 28 - rows; the same for columns.

    The median of an even number of values is the mean of the middle two.
    Steps 5 and 7 follow MNIST: LeCun, Bottou, Bengio, Haffner 1998.
    """
    values = _in_blocks(np.asarray(grey, np.float64))
    level = _level(_level(values, _HALF).T, _HALF)
    if np.median(level) > (level.min() + level.max()) / 2:
        values = 255 - values
    values = _level(_level(values, _EDGE).T, _EDGE).T
    values = np.maximum(values - _quantile(values, _PAPER), 0)
    smooth = _means_of_neighbours(values)
    if not smooth.max() > 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    ink = smooth > _INK * smooth.max()
    crop = np.minimum(values[_span(ink.any(axis=1)), _span(ink.any(axis=0))] / smooth.max(), 1)
    rows, columns = (max(1, int(_FIT * size / max(crop.shape) + 0.5)) for size in crop.shape)
    fitted = areas(crop.shape[0], rows) @ crop @ areas(crop.shape[1], columns).T
    return _centred(np.floor(fitted / fitted.max() * 255 + 0.5).astype(np.uint8))


def are_digits(images: HostArray) -> bool:
    """Whether each image (N, 1, 28, 28) is mostly black, with its mass in the middle, like all of MNIST."""
    if images.dtype != np.uint8 or images.shape[1:] != (1, SIDE, SIDE) or not len(images):
        return False
    is_dark = np.median(images, axis=(1, 2, 3)) == 0
    return bool(is_dark.all() and (np.abs(_centres(images[:, 0]) - _MIDDLE) < _OFF).all())


def are_like_mnist(rows: Any) -> bool:
    """Whether rows on the host look like MNIST, judged by the first of them."""
    is_host = isinstance(rows, np.ndarray) or as_rows(rows) is not None
    return is_host and rows.shape[1:] == (1, SIDE, SIDE) and are_digits(np.asarray(rows[:_FIRST]))


def areas(size: int, fitted: int) -> HostArray:
    """Weights (fitted, size) that resample `size` pixels to `fitted` pixels by area."""
    edges = np.arange(fitted + 1)[:, None] * (size / fitted)
    covered = np.clip(edges - np.arange(size), 0, 1)
    return (covered[1:] - covered[:-1]) * (fitted / size)


def _in_blocks(values: HostArray) -> HostArray:
    k = -(-max(values.shape) // _LARGEST)
    high, wide = (min(k, size) for size in values.shape)
    rows, columns = values.shape[0] // high, values.shape[1] // wide
    return values[: rows * high, : columns * wide].reshape(rows, high, columns, wide).mean(axis=(1, 3))


def _level(values: HostArray, share: float) -> HostArray:
    width = values.shape[1]
    strip = max(1, width // 8)
    slope = (_quantile(values[:, -strip:], share) - _quantile(values[:, :strip], share)) / max(1, width - strip)
    return values - slope * (np.arange(width) - (width - 1) / 2)


def _quantile(values: HostArray, share: float) -> float:
    return float(np.sort(values, axis=None)[int(share * (values.size - 1))])


def _means_of_neighbours(values: HostArray) -> HostArray:
    rows, columns = values.shape
    padded = np.pad(values, 1)
    return sum((padded[y : y + rows, x : x + columns] for y in range(3) for x in range(3)), np.zeros_like(values)) / 9


def _span(has_ink: HostArray) -> slice:
    places = np.flatnonzero(has_ink)
    return slice(places[0], places[-1] + 1)


def _centres(images: HostArray) -> HostArray:
    """The centres of mass (N, 2) of images (N, H, W), in pixels from 0; the middle for an image without mass."""
    mass = np.maximum(images.astype(np.float64), 1e-9)
    y, x = (np.arange(size) for size in mass.shape[1:])
    return np.stack([mass.sum(axis=2) @ y, mass.sum(axis=1) @ x], axis=1) / mass.sum(axis=(1, 2))[:, None]


def _centred(fitted: HostArray) -> HostArray:
    digit = np.zeros((SIDE, SIDE), np.uint8)
    places = np.floor(_MIDDLE - _centres(fitted[None])[0] + 0.5)
    y, x = (int(min(max(place, 0), SIDE - size)) for place, size in zip(places, fitted.shape, strict=True))
    digit[y : y + fitted.shape[0], x : x + fitted.shape[1]] = fitted
    return digit
