"""Noise made by counting: the published hash, the same on every library, uniform, and independent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Host
from legs import Leg

from portanet.nn import Dropout
from portanet.nn.noise import Key, bits, keep, uniform


def lowbias32(x: int) -> int:
    """Wellons' hash as published, on unsigned numbers: https://nullprogram.com/blog/2018/07/31/."""
    x ^= x >> 16
    x = x * 0x7FEB352D % 2**32
    x ^= x >> 15
    x = x * 0x846CA68B % 2**32
    return x ^ x >> 16


@pytest.mark.parametrize("key", [Key(0), Key(-(2**31), 70_000, -5), Key(2**31 - 1, 2**31 - 3, 2**30)])
def test_bits_are_those_of_the_hash(key: Key) -> None:
    found = bits(key, np.zeros((2, 2, 3)))
    own = key.value % 2**32 ^ lowbias32((key.layer + 1) % 2**32)
    rows = [lowbias32((key.position + i + 1) % 2**32 ^ own) | 1 for i in range(2)]
    elements = [lowbias32(j * 0x9E3779B9 % 2**32 ^ own) | 1 for j in range(6)]
    products = np.asarray([[row * element % 2**32 for element in elements] for row in rows])
    assert found.dtype == np.int32
    assert np.array_equal(found.reshape(2, 6).view(np.uint32), [[lowbias32(int(p)) for p in row] for row in products])
    kept = keep(key, np.zeros((2, 2, 3)), 0.3).reshape(2, 6)
    assert np.array_equal(kept, products.astype(np.uint32).view(np.int32) >= round(0.3 * 2**32) - 2**31)


def test_every_library_has_the_same_bits(xp: Leg) -> None:
    x = np.zeros((5, 3, 2), np.float32)
    value, position = xp.put(np.asarray([-77, 1000], np.int32))[0, ...], 2**31 - 3

    def draw(x: Any, value: Any) -> Any:
        key = Key(value, position).child(3)
        return bits(key, x), keep(key, x, 0.3), uniform(key, x)

    found = xp.run(draw, xp.put(x), value)
    assert [xp.dtype(array) for array in found] == ["int32", "bool", "float32"]
    if xp.values:
        for array, expected in zip(found, draw(x, -77), strict=True):
            assert np.array_equal(xp.host(array), expected)


def test_a_part_of_the_batch_has_its_own_rows() -> None:
    whole = bits(Key(9, 100), np.zeros((12, 7)))
    assert np.array_equal(bits(Key(9, 100).shifted(5), np.zeros((7, 7))), whole[5:])


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_share_that_is_dropped(rate: float) -> None:
    kept = keep(Key(4), np.zeros((500, 400)), rate)
    expected, deviation = 200_000 * (1 - rate), np.sqrt(200_000 * rate * (1 - rate))
    assert abs(kept.sum() - expected) < 5 * deviation
    # by rows and by columns too: their sums have the binomial variance
    assert kept.sum(axis=1).var() == pytest.approx(400 * rate * (1 - rate), rel=0.35)
    assert kept.sum(axis=0).var() == pytest.approx(500 * rate * (1 - rate), rel=0.35)


def test_uniform() -> None:
    draws = uniform(Key(1), np.zeros((400, 500)))
    counts, _ = np.histogram(draws, bins=100, range=(0.0, 1.0))
    chi2 = ((counts - 2000.0) ** 2 / 2000.0).sum()
    assert 0.0 <= draws.min() < draws.max() < 1.0
    assert 99 - 5 * np.sqrt(2 * 99) < chi2 < 99 + 5 * np.sqrt(2 * 99)
    assert draws.mean() == pytest.approx(0.5, abs=5 / np.sqrt(12 * 200_000))


@pytest.mark.parametrize(
    "other",
    [
        Key(0).shifted(1),
        Key(1),
        Key(0).child(0),
        Key(0).child(1),
        Key(0).child(0).child(0),
        Key(0, 4000),
        Key(-(2**31)),
    ],
)
def test_other_keys_give_other_noise(other: Key) -> None:
    """No correlation beyond chance between rows, epochs, layers and batches."""
    first, second = (uniform(key, np.zeros((200, 200))).ravel() - 0.5 for key in (Key(0), other))
    assert abs(np.mean(first * second) * 12) < 5 / np.sqrt(first.size)
    kept, again = (keep(key, np.zeros((200, 200)), 0.5) for key in (Key(0), other))
    assert abs(np.mean(kept == again) - 0.5) < 5 * 0.5 / np.sqrt(kept.size)


def test_neighbours_are_independent() -> None:
    draws = uniform(Key(8), np.zeros((300, 300))) - 0.5
    for first, second in ((draws[1:], draws[:-1]), (draws[:, 1:], draws[:, :-1])):
        assert abs(np.mean(first * second) * 12) < 5 / np.sqrt(first.size)


def signs(place: int, key: Key, size: int = 256) -> Host:
    """+-1 for size x size elements: by one bit (0 is the lowest), or by what Dropout keeps (32)."""
    like = np.zeros((size, size))
    drawn = keep(key, like, 0.5) if place == 32 else (bits(key, like) >> place) & 1
    return drawn * 2.0 - 1.0


KEYS = [Key(0), Key(1), Key(-(2**31), 60_000), Key(77, 128).child(2)]

every_bit = pytest.mark.parametrize("place", [0, 1, 2, 7, 8, 15, 16, 20, 24, 30, 31, 32])


@every_bit
def test_every_pair_of_rows_and_of_columns_is_independent(place: int) -> None:
    """All pairs at once: their correlations are as large as chance makes them, the largest too."""
    for key in KEYS:
        drawn, above = signs(place, key), np.triu_indices(256, 1)
        assert abs(drawn.sum()) < 5 * 256
        for one in (drawn, drawn.T):
            z = (one @ one.T)[above] / np.sqrt(256)  # 32,640 pairs, each of mean 0 and variance 1
            assert np.abs(z).max() < 6.5
            assert np.mean(z**2) == pytest.approx(1.0, abs=5 * np.sqrt(2 / z.size))


@every_bit
def test_rows_and_columns_leave_no_pattern(place: int) -> None:
    """The singular values of n x n independent signs stay below 2 sqrt(n), nearly (Geman 1980).

    Where few bits of the row and few of the column make the sign, one is far larger, whatever the pattern.
    """
    for key in KEYS:
        drawn = signs(place, key, 128)
        power = drawn @ drawn.T / (4 * 128)  # its eigenvalues stay below 1, nearly
        for _ in range(5):
            power = power @ power
        assert np.trace(power) < 1.25**32


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_what_is_dropped_together(rate: float) -> None:
    """Pairs, triples and squares of neighbours are dropped as often as independent ones would be."""
    for key in KEYS:
        dropped = (~keep(key, np.zeros((600, 600)), rate) - rate) / np.sqrt(rate * (1 - rate))
        for one in (dropped, dropped.T):
            groups = (
                one[1:] * one[:-1],
                one[1:, 1:] * one[:-1, :-1],
                one[2:] * one[1:-1] * one[:-2],
                one[1:, 1:] * one[:-1, 1:] * one[1:, :-1] * one[:-1, :-1],
            )
            for group in groups:  # each product has mean 0 and variance 1, and no two are correlated
                assert abs(group.sum()) < 5 * np.sqrt(group.size)


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 2)])
def test_blocks_of_uniform_numbers(shape: tuple[int, int]) -> None:
    """Blocks of neighbours fill the square and the cube of four dimensions evenly, and low bits do too."""
    height, width = shape
    cells = 4 ** (height * width)
    for key in KEYS:
        drawn = bits(key, np.zeros((500, 500))).astype(np.int64)
        for place in (30, 14, 0):
            digits = (drawn >> place) & 3
            block = sum(
                4 ** (i * width + j) * digits[i::height, j::width][: 500 // height, : 500 // width]
                for i in range(height)
                for j in range(width)
            )
            counts, expected = np.bincount(np.ravel(block), minlength=cells), np.size(block) / cells
            chi2 = ((counts - expected) ** 2 / expected).sum()
            assert abs(chi2 - (cells - 1)) < 5 * np.sqrt(2 * (cells - 1))


@pytest.mark.parametrize("place", [31, 32])
def test_runs(place: int) -> None:
    """Along rows and along columns equal neighbours are as frequent as unequal ones (Wald, Wolfowitz 1940)."""
    for key in KEYS:
        drawn = signs(place, key)
        for line in (drawn.ravel(), drawn.T.ravel()):
            changes = np.count_nonzero(line[1:] != line[:-1])
            assert abs(changes - line.size / 2) < 5 * np.sqrt(line.size) / 2


def test_equal_draws_are_as_rare_as_chance() -> None:
    """Among 90,000 draws of 31 bits about 2 pairs are equal; rows and columns with numbers in common would add more."""
    for key in KEYS:
        drawn = bits(key, np.zeros((300, 300)))
        assert drawn.size - np.unique(drawn).size < 15


def test_paths_of_layers_differ() -> None:
    keys = [Key(0).child(i) for i in range(30)] + [Key(0).child(i).child(j) for i in range(30) for j in range(30)]
    assert len({key.layer for key in keys}) == len(keys)
    assert all(-(2**31) <= key.layer < 2**31 for key in keys)


def test_dropout_keeps_the_mean() -> None:
    x = np.full((400, 300), 2.0)
    y, kept = Dropout(0.25).forward({}, x, train=True, key=Key(3))
    assert set(np.unique(y)) == {0.0, 2.0 / 0.75}
    assert y.mean() == pytest.approx(2.0, abs=5 * 2.0 * np.sqrt(0.25 / 0.75 / x.size))
    assert np.array_equal(y != 0, kept)


def test_dropout_rests_at_prediction() -> None:
    x = np.ones((3, 2))
    assert Dropout(0.9).forward({}, x, key=Key(3))[0] is x
