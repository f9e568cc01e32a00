"""Rows set aside for validation."""

from __future__ import annotations

import numpy as np

from portanet._typing import HostArray
from portanet.data.dataset import Dataset
from portanet.errors import ConfigError
from portanet.rng import SPLIT, generator

SPLIT_SEED = 2026
"""Of the rows held out: its own, so that runs with other seeds are measured on the same rows."""


def holdout(dataset: Dataset, share: float, seed: int = SPLIT_SEED) -> tuple[Dataset, Dataset]:
    """The rows to train on and the rows held out: a fraction below 1 of them, or a whole number of rows.

    Classes keep their proportions; without classes, or without labels, the choice is plainly random.
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
    """The numbers of the rows to train on and of those held out; None where there would be none of one kind.

    classes  the class number of each row, or None for a choice that is plainly random
    count    of the rows
    """
    size = round(share * count) if 0 < share < 1 else share
    if not (0 < size < count and size == round(size)):
        return None
    groups = np.zeros(count, np.int32) if classes is None else classes
    return stratified(groups, int(size), generator(seed, SPLIT))


def stratified(labels: HostArray, count: int, rng: np.random.Generator) -> tuple[HostArray, HostArray]:
    """Row numbers to keep and exactly `count` row numbers to hold out, each in ascending order.

    A class of n among N rows gives count n / N rows; what rounding down leaves over goes one each to the
    largest fractions (Hamilton 1792), on a tie to the smaller label.
    """
    groups, sizes = np.unique(labels, return_counts=True)
    quotas, fractions = np.divmod(sizes * count, len(labels))
    quotas[np.argsort(-fractions, kind="stable")[: count - int(quotas.sum())]] += 1
    held_out = np.zeros(len(labels), bool)
    for group, quota in zip(groups, quotas, strict=True):
        held_out[rng.permutation(np.flatnonzero(labels == group))[:quota]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
