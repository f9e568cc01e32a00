"""Cross-validation: fixed folds, of which none is trained on, and mean and spread of their scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet.data import Dataset
from portanet.errors import ConfigError
from portanet.nn import Dense, Sequential
from portanet.training.cross_validation import fold_numbers

X, LABELS = blobs(60)
DATA = Dataset("blobs", X, LABELS, ("a", "b", "c"))


def test_folds_hold_every_row_once_and_classes_in_proportion() -> None:
    groups = np.random.default_rng(0).integers(0, 3, 100)
    numbers = fold_numbers(groups, 7)
    assert set(np.bincount(numbers, minlength=7).tolist()) == {14, 15}
    for group in range(3):
        counts = np.bincount(numbers[groups == group], minlength=7)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(numbers, fold_numbers(groups, 7))
    assert not np.array_equal(numbers, np.sort(numbers))


@pytest.mark.parametrize("folds", [1, 0, 61, 2.0, True])
def test_folds_that_cannot_be(folds: Any) -> None:
    with pytest.raises(ConfigError, match="from 2 to 60, the number of rows"):
        portanet.cross_validate(Sequential(Dense(3)), DATA, folds=folds)


def test_each_model_is_measured_on_the_rows_it_has_not_seen() -> None:
    found = portanet.cross_validate(Sequential(Dense(3)), DATA, folds=3, epochs=2, batch_size=20)
    numbers = fold_numbers(LABELS, 3)
    for number, (run, scores) in enumerate(zip(found.models, found.scores, strict=True)):
        kept = DATA.rows(np.flatnonzero(numbers != number))
        again = portanet.fit(Sequential(Dense(3)), kept, epochs=2, batch_size=20)
        assert np.array_equal(run.outputs(X), again.outputs(X))
        assert scores == again.evaluate(DATA.rows(np.flatnonzero(numbers == number)))
    each = [scores["accuracy"] for scores in found.scores]
    assert found.mean["accuracy"] == pytest.approx(np.mean(each))
    assert found.spread["accuracy"] == pytest.approx(np.std(each, ddof=1))
    assert repr(found).startswith("3 folds: accuracy ")
    assert "samples" not in found.mean
