"""Which rows each step takes."""

from __future__ import annotations

import numpy as np
import pytest

from portanet import rng
from portanet.backends import Backend
from portanet.training.loop.batches import Batches


def steps_of(batches: Batches, backend: Backend, epoch: int = 0) -> list[list[int]]:
    """The rows of each step of an epoch."""
    found = []
    for rows, keys in batches.runs(epoch, lambda order: backend.put(order, "int32")):
        assert rows is not None
        assert len(keys) == rows.shape[0]
        host = backend.to_numpy(rows)
        assert host.dtype == np.int32
        found += host.tolist()
    return found


@pytest.mark.parametrize(
    ("rows", "size", "sizes"),
    [
        (12, 4, [4, 4, 4]),
        (10, 4, [4, 4, 2]),
        (3, 8, [3]),
        (8, 8, [8]),
        (5, 1, [1] * 5),
        (1, 1, [1]),
        (71, 2, [2] * 35 + [1]),
        (40, 1, [1] * 40),
    ],
)
def test_every_row_once(rows: int, size: int, sizes: list[int], backend: Backend) -> None:
    batches = Batches(rows, size, seed=4)
    steps = steps_of(batches, backend)
    assert [len(step) for step in steps] == sizes
    assert batches.steps == len(sizes)
    assert sorted(row for step in steps for row in step) == list(range(rows))


def test_the_order_is_the_same_on_every_backend(backend: Backend) -> None:
    batches = Batches(23, 5, seed=1)
    order = batches.order(3).tolist()
    assert [row for step in steps_of(batches, backend, 3) for row in step] == order


def test_full_batches_have_no_order(backend: Backend) -> None:
    batches = Batches(23, None, seed=1)
    assert [run.rows for run in batches.runs(0, backend.put)] == [None]
    assert batches.steps == 1


def test_epochs_and_seeds_differ() -> None:
    orders = [Batches(50, 5, seed).order(epoch).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(orders.count(order) == 1 for order in orders)
    assert Batches(50, 5, 1).order(1).tolist() == orders[-1]


def test_every_purpose_has_its_own_numbers() -> None:
    keys = [(seed, purpose, epoch) for seed in (0, 1) for purpose in (0, 1, 2) for epoch in (0, 1, 2**32 - 1)]
    draws = {rng.generator(*key).random(): key for key in keys}
    assert len(draws) == len(keys)


def test_each_place_gets_each_row() -> None:
    """Over 3,000 epochs of 6 rows each of the 36 pairs comes 500 times, give or take five deviations."""
    counts = np.zeros((6, 6))
    for epoch in range(3000):
        counts[np.arange(6), Batches(6, 2, 0).order(epoch)] += 1
    assert abs(counts - 500).max() < 5 * np.sqrt(500 * 5 / 6)
