"""Holding out rows for validation."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray
from portanet.data.dataset import Dataset
from portanet.errors import ConfigError
from portanet.rng import SPLIT, generator

SPLIT_SEED = 2026
"""A separate seed for the rows held out, so that runs with other seeds are measured on the same rows."""


def holdout(dataset: Dataset, share: float, seed: int = SPLIT_SEED) -> tuple[Dataset, Dataset]:
    """The rows to train on and the rows held out: a fraction below 1, or a whole number of rows.

    Classes keep their proportions; without classes or labels, rows are chosen at random.
    """
    parts = split_rows(dataset.require_targets() if dataset.classes else None, len(dataset), share, seed)
    if parts is None:
        raise ConfigError(
            f"cannot hold out {share!r} of the {len(dataset)} rows of {dataset.name}; valid must come to 1 to "
            f"{len(dataset) - 1} rows.",
            remedy="hold out none with valid=0",
        )
    train, held_out = parts
    return dataset.rows(train), dataset.rows(held_out)


def split_rows(
    classes: HostArray | None, count: int, share: float, seed: int = SPLIT_SEED
) -> tuple[HostArray, HostArray] | None:
    """The indices of the rows to train on and of those held out; None if one of them would be empty.

    classes  the class index of each row, or None to choose at random
    count    the number of rows
    """
    size = round(share * count) if 0 < share < 1 else share
    if not (0 < size < count and size == round(size)):
        return None
    groups = np.zeros(count, np.int32) if classes is None else classes
    return stratified(groups, int(size), generator(seed, SPLIT))


def stratified(labels: HostArray, count: int, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
    """Row indices to keep and exactly `count` row indices to hold out, each in ascending order.

    A class with n of N rows gives count n / N rows, rounded down; the remaining rows go one each to the classes with
    the largest fractions (Hamilton 1792), on a tie to the smaller label.
    """
    groups, sizes = np.unique(labels, return_counts=True)
    quotas, fractions = np.divmod(sizes * count, len(labels))
    quotas[np.argsort(-fractions, kind="stable")[: count - int(quotas.sum())]] += 1
    held_out = np.zeros(len(labels), bool)
    for group, quota in zip(groups, quotas, strict=True):
        held_out[rng.permutation(np.flatnonzero(labels == group))[:quota]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
