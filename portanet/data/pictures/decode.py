"""Decoding image files into arrays, with Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from portanet._text import plain
from portanet._typing import HostArray, Shape
from portanet.data.pictures.digit import are_digits, as_digit
from portanet.errors import DataError
from portanet.storage.small_file import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_MOST = 2**26  # pixels; more indicate a decompression bomb
_ORIENTATION = 0x0112  # Exif tag
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class UnreadableError(Exception):
    """A file cannot be read as a picture; the message does not name it."""


class Look(NamedTuple):
    """The header of a picture: height and width after rotation, and whether it has colours."""

    height: int
    width: int
    is_coloured: bool


class Decoded(NamedTuple):
    """A picture (C, H, W) uint8, and whether it was resized or prepared as a digit."""

    pixels: HostArray
    is_changed: bool


def require_pillow(name: str) -> None:
    """Raise DataError if Pillow is missing."""
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise DataError(f"{name} needs Pillow: pip install 'portanet[images]'.") from None


def look(path: Path) -> Look:
    """The header of a picture; raises UnreadableError for other files."""
    return _explained(path, _look)


def decode(path: Path, shape: Shape, *, digit: bool = False) -> Decoded:
    """A picture resized to (C, H, W); raises UnreadableError for a damaged or truncated file.

    It is rotated by its Exif data; only the first frame is read, and 16 bits become 8. With C = 2 or 4 the last channel
    is opacity; otherwise transparent pixels become white.

    digit  whether to prepare it as a digit of MNIST, unless it is one already: see `as_digit`
    """
    return _explained(path, lambda image: _decode(image, shape, digit=digit))


def _explained(path: Path, read: Any) -> Any:
    from PIL import UnidentifiedImageError
    from PIL.Image import DecompressionBombError
    from PIL.Image import open as open_image

    try:
        with open_regular(path) as file, open_image(file, formats=_FORMATS) as image:
            if image.width * image.height > _MOST:
                raise UnreadableError(f"{image.width} x {image.height} pixels, and {_MOST:,} are the most")
            return read(image)
    except UnreadableError:
        raise
    except DataError:
        raise UnreadableError("no regular file") from None
    except DecompressionBombError:
        raise UnreadableError(f"more than {_MOST:,} pixels") from None
    except UnidentifiedImageError:
        raise UnreadableError("no PNG, JPEG, WebP, BMP or GIF") from None
    except OSError as error:
        raise UnreadableError(plain(error.strerror or error)) from error
    except Exception as error:  # a decoder may raise anything for a damaged file
        raise UnreadableError(plain(error) or type(error).__name__) from error


def _look(image: Image) -> Look:
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in (5, 6, 7, 8):
        width, height = height, width
    return Look(height, width, _is_coloured(image))


def _is_coloured(image: Image) -> bool:
    if image.mode in ("P", "PA"):
        red, green, blue = (image.getpalette()[i::3] for i in range(3))  # type: ignore[index]
        return not red == green == blue
    return image.mode not in ("1", "L", "LA", "La") and not image.mode.startswith("I")


def _decode(image: Image, shape: Shape, *, digit: bool) -> Decoded:
    from PIL.Image import Resampling
    from PIL.ImageOps import exif_transpose

    channels, height, width = shape
    seen = _converted(_eight_bits(exif_transpose(image)), channels)
    if digit:
        return _digit(np.asarray(seen))
    fits = seen.size == (width, height)
    pixels = np.asarray(seen if fits else seen.resize((width, height), Resampling.BILINEAR))
    return Decoded(np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), 2, 0)), not fits)


def _digit(grey: HostArray) -> Decoded:
    if are_digits(grey[None, None]):
        return Decoded(grey[None].copy(), False)
    return Decoded(as_digit(grey)[None], True)


def _eight_bits(image: Image) -> Image:
    from PIL.Image import fromarray

    if not image.mode.startswith("I"):
        return image
    values = np.clip(np.asarray(image).astype(np.float64), 0, 2**16 - 1)
    return fromarray(np.round(values / 257).astype(np.uint8))


def _converted(image: Image, channels: int) -> Image:
    from PIL.Image import alpha_composite, new

    if channels in (1, 3) and image.has_transparency_data:
        image = alpha_composite(new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    elif channels == 2:
        image = image.convert("RGBA")
    return image.convert(_MODES[channels])
