"""Every format and mode of pictures, and files that are damaged, lie or explode."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet.data.pictures.decode import UnreadableError, decode, look

Image = pytest.importorskip("PIL.Image")

COLOURS = np.zeros((6, 4, 3), np.uint8)
COLOURS[:3] = 255, 0, 0
COLOURS[3:, :2] = 0, 200, 0
GREY = np.zeros((6, 4), np.uint8)
GREY[:3], GREY[3:, :2] = 250, 100


def saved(path: Path, picture: Any, **settings: Any) -> Path:
    (picture if hasattr(picture, "save") else Image.fromarray(picture)).save(path, **settings)
    return path


def seen(path: Path, channels: int = 3, height: int = 6, width: int = 4) -> Any:
    return decode(path, (channels, height, width)).pixels


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "gif"])
@pytest.mark.parametrize("picture", [COLOURS, GREY], ids=["colours", "grey"])
def test_formats(tmp_path: Path, suffix: str, picture: Any) -> None:
    settings = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}.get(suffix, {})
    file = saved(tmp_path / f"picture.{suffix}", picture, **settings)
    channels = 3 if picture.ndim == 3 else 1
    expected = np.moveaxis(np.atleast_3d(picture), 2, 0).astype(int)
    found = seen(file, channels)
    assert (found.dtype, found.shape) == (np.uint8, (channels, 6, 4))
    assert np.abs(found - expected).max() <= (40 if suffix == "jpg" else 0)
    is_grey = channels == 1 and suffix != "webp"  # which has no grey
    assert look(file) == (6, 4, not is_grey)


def test_colours_become_grey_by_luminance(tmp_path: Path) -> None:
    """ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B."""
    file = saved(tmp_path / "a.png", COLOURS)
    expected = COLOURS.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(seen(file, 1)[0] - expected).max() <= 1
    assert (seen(saved(tmp_path / "b.png", GREY), 3) == GREY).all()


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P", "1", "CMYK", "L with a transparent value"])
def test_modes(tmp_path: Path, mode: str) -> None:
    """Half of the picture is opaque black, half of it transparent where the mode has that, else white."""
    grey = np.full((4, 4), 255, np.uint8)
    grey[:2] = 0
    alpha = Image.fromarray(255 - grey)
    picture = Image.fromarray(grey)
    settings = {}
    if mode in ("LA", "RGBA"):
        picture = Image.fromarray(np.zeros((4, 4), np.uint8)).convert(mode)
        picture.putalpha(alpha)
    elif mode.startswith("L with"):
        settings = {"transparency": 255}
    else:
        picture = picture.convert(mode)
    suffix = "jpg" if mode == "CMYK" else "png"
    file = saved(tmp_path / f"a.{suffix}", picture, **settings)
    for channels in (1, 3):
        found = seen(file, channels, 4, 4)
        assert found[:, :2].max() <= 5
        assert found[:, 2:].min() >= 250
    assert look(file).is_coloured == (mode in ("RGBA", "CMYK"))
    if mode in ("LA", "RGBA"):
        for channels in (2, 4):
            found = seen(file, channels, 4, 4)
            np.testing.assert_array_equal(found[-1], 255 - grey)
            assert found[:-1, :2].max() == 0


def test_16_bits_become_8(tmp_path: Path) -> None:
    values = np.array([[0, 128, 257, 25_700], [65_535, 65_535, 40_000, 1]], np.uint16)
    file = saved(tmp_path / "deep.png", values)
    assert seen(file, 1, 2, 4).tolist() == [[[0, 0, 1, 100], [255, 255, 156, 0]]]
    assert seen(file, 3, 2, 4).shape == (3, 2, 4)
    assert look(file) == (2, 4, False)
    assert seen(file, 1, 1, 1)[0, 0, 0] == pytest.approx(np.mean(values) / 257, abs=2)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_turned_as_exif_says(tmp_path: Path, turn: int, suffix: str) -> None:
    """The corner that is white where it is to be seen stands where the specification (CIPA DC-008, 2019) has it."""
    upright = np.zeros((32, 16), np.uint8)
    upright[:8, :8] = 255
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[turn]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    file = saved(tmp_path / f"a.{suffix}", np.ascontiguousarray(stored), exif=exif, quality=95)
    assert look(file)[:2] == (32, 16)
    assert np.abs(seen(file, 1, 32, 16)[0].astype(int) - upright).max() < 60


def test_the_first_of_several_frames(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((4, 4), value, np.uint8)) for value in (255, 0, 90)]
    for suffix in ("gif", "png", "webp"):
        file = saved(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:])
        assert (seen(file, 1, 4, 4) >= 250).all()


def test_resized_by_areas(tmp_path: Path) -> None:
    """Reduced, no pixel is skipped: a fine chessboard becomes grey; and the shape is what is asked for."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    file = saved(tmp_path / "board.png", board)
    found = decode(file, (1, 8, 16))
    assert found.pixels.shape == (1, 8, 16)
    assert np.abs(found.pixels.astype(int) - 127).max() <= 16
    assert found.is_changed
    assert not decode(file, (1, 64, 64)).is_changed


def png(width: int, height: int, content: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # portanet reads them with that off
@pytest.mark.parametrize(("width", "height"), [(9000, 9000), (12_000, 12_000), (100_000, 100_000), (2**31 - 1, 2)])
def test_bombs_are_refused_unread(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png(width, height, bytes(1000)))
    for read in (look, lambda path: seen(path)):
        with pytest.raises(UnreadableError, match="pixels"):
            read(tmp_path / "bomb.png")


def test_damage_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for suffix in ("png", "jpg", "webp", "bmp", "gif"):
        whole = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(whole, {"jpg": "jpeg"}.get(suffix, suffix))
        content = whole.getvalue()
        for length in (0, 5, 30, len(content) // 2, len(content) * 9 // 10):
            (tmp_path / f"cut.{suffix}").write_bytes(content[:length])
            with pytest.raises(UnreadableError):
                seen(tmp_path / f"cut.{suffix}")
    for text in (b"<html>", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0" + bytes(20), b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        (tmp_path / "other.png").write_bytes(text)
        with pytest.raises(UnreadableError):
            look(tmp_path / "other.png")


def test_any_bytes_are_a_picture_or_unreadable(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for suffix in ("png", "jpg", "webp", "bmp", "gif"):
        whole = io.BytesIO()
        Image.fromarray(COLOURS).save(whole, {"jpg": "jpeg"}.get(suffix, suffix))
        for _ in range(30):
            content = bytearray(whole.getvalue())
            for place in rng.integers(0, len(content), 3):
                content[place] = rng.integers(256)
            (tmp_path / f"a.{suffix}").write_bytes(content)
            try:
                assert seen(tmp_path / f"a.{suffix}").shape == (3, 6, 4)
            except UnreadableError as error:
                assert str(error).isprintable()


def test_no_pipe_or_device_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "zero.png", "loop.png", "folder.png", "absent.png"):
        with pytest.raises(UnreadableError):
            look(tmp_path / name)
