"""Rows held out: exactly as many as asked, in proportion, each once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portanet.data.dataset import Dataset
from portanet.data.split import holdout, stratified
from portanet.errors import ConfigError


def dataset(rows: int, *, classes: bool = True) -> Dataset:
    labels = np.arange(rows, dtype=np.int32) % 3 if classes else np.linspace(0, 1, rows, dtype=np.float32)
    return Dataset("rows", np.arange(rows, dtype=np.float32)[:, None], labels, ("a", "b", "c") if classes else ())


@given(st.data())
def test_parts_are_exact(data: st.DataObject) -> None:
    labels = np.array(data.draw(st.lists(st.integers(0, 4), min_size=2, max_size=60)))
    count = data.draw(st.integers(1, len(labels) - 1))
    train, held_out = stratified(labels, count, np.random.default_rng(0))
    assert len(held_out) == count
    assert sorted([*train, *held_out]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(held_out) > 0).all()
    for group in set(labels.tolist()):
        share = (labels == group).sum() * count / len(labels)
        assert abs((labels[held_out] == group).sum() - share) < 1


def test_largest_remainders_as_in_the_textbook() -> None:
    """47, 16, 15.8, 12, 6.1 and 3.1 thousand votes, 10 seats: 5, 2, 1, 1, 1, 0 by Hamilton's method."""
    votes = [4700, 1600, 1580, 1200, 610, 310]
    labels = np.repeat(np.arange(6), votes)
    _, seats = stratified(labels, 10, np.random.default_rng(0))
    assert np.bincount(labels[seats], minlength=6).tolist() == [5, 2, 1, 1, 1, 0]


def test_seed_decides_and_rows_vary() -> None:
    first, again, other = (holdout(dataset(300), 0.1, seed)[1].x for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    picked = np.zeros(300)
    for seed in range(200):
        picked[holdout(dataset(300), 30, seed)[1].x[:, 0].astype(int)] += 1
    # Each row is held out in 20 of 200 draws; the standard deviation is 4.2.
    assert picked.min() > 2
    assert picked.max() < 42


@pytest.mark.parametrize("classes", [True, False])
def test_holdout(classes: bool) -> None:
    data = dataset(90, classes=classes)
    train, valid = holdout(data, 1 / 3, 0)
    assert (len(train), len(valid)) == (60, 30)
    assert train.classes == valid.classes == data.classes
    assert sorted([*train.x[:, 0], *valid.x[:, 0]]) == data.x[:, 0].tolist()
    for part in (train, valid):
        assert np.array_equal(part.require_targets(), data.require_targets()[part.x[:, 0].astype(int)])
    if classes:
        assert np.bincount(valid.require_targets()).tolist() == [10, 10, 10]


def test_mnist_proportions_by_count() -> None:
    assert len(holdout(dataset(101), 100, 0)[0]) == 1


@pytest.mark.parametrize("share", [0, -0.1, 1e-9, 100, 101, 2.5, float("nan"), float("inf"), 0.9999])
def test_impossible_shares(share: float) -> None:
    with pytest.raises(ConfigError, match=r"cannot hold out .* of the 100 rows of rows"):
        holdout(dataset(100), share, 0)
