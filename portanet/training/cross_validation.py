"""Cross-validation: each row is predicted once, by a model that was not trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from portanet._calls import explained
from portanet._typing import HostArray
from portanet.data import Dataset
from portanet.data.split import SPLIT_SEED
from portanet.errors import ConfigError
from portanet.nn.layer import Layer
from portanet.rng import SPLIT, generator
from portanet.training.fit import fit
from portanet.training.model import TrainedModel


@dataclass(frozen=True)
class Folds:
    """The models of a cross-validation, and the scores of each on its held-out fold, from `TrainedModel.evaluate`."""

    models: tuple[TrainedModel, ...]
    scores: tuple[dict[str, Any], ...]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each score that all folds have."""
        return {key: float(np.mean(values)) for key, values in self._values().items()}

    @property
    def spread(self) -> dict[str, float]:
        """The sample standard deviation of each score over the folds (n - 1 degrees of freedom)."""
        return {key: float(np.std(values, ddof=1)) for key, values in self._values().items()}

    def __repr__(self) -> str:
        """The mean and the spread of each score."""
        spread = self.spread
        lines = [f"{key} {value:.4g} ± {spread[key]:.2g}" for key, value in self.mean.items()]
        return f"{len(self.models)} folds: {', '.join(lines)}"

    def _values(self) -> dict[str, list[float]]:
        keys = [
            key
            for key in self.scores[0]
            if key not in ("samples", "targets") and all(key in row for row in self.scores)
        ]
        return {key: [row[key] for row in self.scores] for key in keys}


@explained
def cross_validate(network: Layer, data: Dataset, *, folds: int = 5, **settings: Any) -> Folds:
    """Train one model for each fold on all other rows; return the models with their scores on the folds.

    network   the layers, without arrays, so that every fold starts from scratch
    data      rows with their labels, as `read` returns them
    folds     their number; they are stratified by class, and the same for every seed
    settings  of `fit`; `valid` holds out a fraction of the other rows, so a fold has no influence on its model

    Stone 1974; Geisser 1975. Raises ConfigError for fewer than two folds or more than rows, and all errors of `fit`.
    """
    numbers = folds_of(data, folds)
    models, scores = [], []
    for number in range(folds):
        inside = numbers == number
        run = fit(network, data.rows(np.flatnonzero(~inside)), **settings)
        models.append(run)
        scores.append(run.evaluate(data.rows(np.flatnonzero(inside))))
    return Folds(tuple(models), tuple(scores))


def folds_of(data: Dataset, folds: int) -> HostArray:
    """Return the fold (N,) of each labelled row, stratified by class; for a regression, without strata.

    data   rows with their labels
    folds  the number of folds

    Raises ConfigError for fewer than two folds or more than rows, DataError for rows without labels.
    """
    targets = data.require_targets()
    return fold_numbers(targets if data.classes else np.zeros(len(data), np.int32), folds)


def fold_numbers(groups: HostArray, folds: int) -> HostArray:
    """Return the fold (N,) of each row: the sizes of folds, and each group's counts in them, differ by at most one.

    groups  integers (N,), such as classes
    folds   the number of folds
    """
    count = len(groups)
    if not isinstance(folds, int) or isinstance(folds, bool) or not 2 <= folds <= count:
        raise ConfigError(f"folds must be an integer from 2 to {count}, the number of rows, got {folds!r}.")
    shuffled = generator(SPLIT_SEED, SPLIT).permutation(count)
    order = shuffled[np.argsort(groups[shuffled], kind="stable")]  # group by group, then dealt to the folds in turn
    numbers = np.empty(count, np.int32)
    numbers[order] = np.arange(count) % folds
    return numbers
