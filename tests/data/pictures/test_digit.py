"""Photographs of digits become what MNIST is: they lie as its own pictures do, and are the same digits again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import portanet
from portanet.data.pictures.digit import are_digits, areas, as_digit

MNIST = portanet.read("mnist:test").x[:12, 0]
SHIFTS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]


def photograph(digit: Any, *, times: int = 7, light: bool = True, slope: float = 0, noise: float = 0) -> Any:
    """A digit enlarged, as dark ink on light paper or the other way, with light from one side."""
    ink = np.pad(np.kron(digit / 255.0, np.ones((times, times))), ((10, 50), (90, 20)))
    paper, strength = (210, -170) if light else (30, 190)
    values = paper + strength * ink + slope * np.linspace(-1, 1, ink.shape[1])
    return np.clip(values + np.random.default_rng(0).normal(0, noise, ink.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "settings",
    [{}, {"light": False}, {"slope": 30}, {"noise": 8}, {"times": 40}, {"light": False, "slope": 20, "noise": 5}],
    ids=str,
)
def test_a_photographed_digit_becomes_the_digit(settings: dict[str, Any]) -> None:
    for i, digit in enumerate(MNIST[: 4 if "times" in settings else 12]):
        found = as_digit(photograph(digit, **settings))
        assert (found.shape, found.dtype) == ((28, 28), np.uint8)
        distances = np.min([np.abs(np.roll(found.astype(float), shift, (0, 1)) - MNIST) for shift in SHIFTS], axis=0)
        distances = distances.mean(axis=(1, 2))
        assert distances.argmin() == i
        assert distances[i] < 12  # the others are 20 to 60 away


def test_it_lies_as_digits_of_mnist_do() -> None:
    found = np.stack([as_digit(photograph(digit, slope=20)) for digit in MNIST])
    assert are_digits(found[:, None])
    for image in found:
        spans = [np.flatnonzero(image.max(axis=axis)) for axis in (0, 1)]
        assert max(span[-1] - span[0] + 1 for span in spans) in (19, 20)
        assert image.max() == 255


def test_mnist_is_told_from_other_pictures() -> None:
    images = portanet.read("mnist").x[:2000]
    assert are_digits(images)
    assert not are_digits(255 - images)
    assert not are_digits(np.roll(images, 1, 2))
    assert not are_digits(images.astype(np.float32))
    assert not are_digits(images[:0])
    assert not are_digits(images[:, :, :20, :20])
    noise = np.random.default_rng(0).integers(0, 256, (50, 1, 28, 28), np.uint8)
    assert not are_digits(noise)


@pytest.mark.parametrize(("size", "fitted"), [(60, 20), (7, 20), (20, 20), (33, 9), (1, 3), (5, 1)])
def test_the_areas_that_pixels_cover(size: int, fitted: int) -> None:
    values = np.random.default_rng(0).normal(size=size)
    np.testing.assert_allclose(
        areas(size, fitted) @ values, np.repeat(values, fitted).reshape(fitted, size).mean(axis=1)
    )


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3000, 2), (28, 28), (600, 7)])
@pytest.mark.parametrize("value", [0, 93, 255])
def test_without_ink_all_is_black(shape: tuple[int, int], value: int) -> None:
    assert not as_digit(np.full(shape, value, np.uint8)).any()


@pytest.mark.parametrize("shape", [(1, 2), (3, 1), (2000, 3), (28, 28), (7, 600)])
def test_any_picture_gives_a_digit(shape: tuple[int, int]) -> None:
    for seed in range(5):
        found = as_digit(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))
        assert (found.shape, found.dtype) == ((28, 28), np.uint8)


def test_a_stroke_along_an_edge_is_no_light_from_that_side() -> None:
    picture = np.full((200, 120), 220, np.uint8)
    picture[:, 50:70] = picture[180:, 10:112] = 40
    found = as_digit(picture)
    rows = np.flatnonzero(found.max(axis=1) > 100)
    assert rows[-1] - rows[0] + 1 == 20
    assert found[rows[0]].max() == found[rows[-1]].max() == 255


def test_pale_ink_in_light_from_one_side() -> None:
    picture = np.tile(np.linspace(140, 240, 120), (160, 1))
    picture[30:130, 55:65] -= 40
    found = as_digit(picture)
    assert found.max(axis=1).astype(bool).sum() == 20
    assert found.max(axis=0).astype(bool).sum() <= 3


PHOTOGRAPHS = sorted(Path(__file__).with_name("photographs").iterdir())


def test_photographs_are_nearest_to_digits_of_their_kind() -> None:
    """By the seven nearest of 5,000 digits of MNIST, with no network."""
    image = pytest.importorskip("PIL.Image")
    digits = portanet.read("mnist")
    known, labels = digits.x[:5000].reshape(5000, -1).astype(np.float32), digits.require_targets()[:5000]
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    right = 0
    for path in PHOTOGRAPHS:
        with image.open(path) as photograph:
            found = as_digit(np.asarray(photograph.convert("L")))
        assert are_digits(found[None, None])
        nearest = np.argsort(known @ found.ravel().astype(np.float32))[-7:]
        right += np.bincount(labels[nearest]).argmax() == int(path.name[0])
    assert len(PHOTOGRAPHS) == 20
    assert right >= 19
