"""Intervals that hold a given fraction of the targets: quantiles of a network, widened on validation rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from portanet._typing import HostArray
from portanet.errors import DataError, ModelError
from portanet.storage.model_card import ModelCard
from portanet.training.inputs.tasks import middle_of
from portanet.training.inputs.units import Unit


def coverage_of(card: ModelCard) -> float:
    """Return the fraction of targets between the first and the last level of a model; 0 without levels."""
    return card.levels[-1] - card.levels[0] if card.levels else 0.0


def margins(outputs: HostArray, targets: HostArray, card: ModelCard) -> tuple[float, ...]:
    """Return by how much the intervals of outputs (N, Q K) are widened for each target, in standardised numbers.

        score_i = max(low_i - y_i, y_i - high_i)        margin = the ceil((N + 1) coverage)-th smallest score

    The interval of a new row then contains its target with probability `coverage`, whatever the distribution, if the
    rows are exchangeable with it and the network was not fitted to them. A negative margin narrows intervals that are
    too wide. Conformalized quantile regression: Romano, Patterson, Candes 2019, arXiv:1905.03222. Raises DataError for
    too few rows.
    """
    low, high = _ends(outputs, len(card.levels))
    scores = np.maximum(low - targets, targets - high)
    return tuple(conformal(scores, coverage_of(card), "hold out more with valid=0.3").tolist())


def conformal(scores: HostArray, coverage: float, remedy: str) -> HostArray:
    """Return the ceil((N + 1) coverage)-th smallest of scores (N, ...): a bound on a new score with this probability.

    remedy  the advice in the DataError for too few rows
    """
    count = len(scores)
    rank = math.ceil((count + 1) * coverage - 1e-9)
    if rank > count:
        least = math.ceil(coverage / (1.0 - coverage) - 1e-9)
        raise DataError(
            f"intervals of {coverage:.3g} need at least {least} rows that are held out, got {count}.", remedy=remedy
        )
    return np.sort(scores, axis=0)[rank - 1]


def bounds(outputs: HostArray, card: ModelCard) -> HostArray:
    """Return the lower and the upper bound of each target, (N, 2, K), in its unit.

    The middle output is always between them. Raises ModelError for a model without intervals.
    """
    if len(card.levels) < 2:
        raise ModelError(
            "this model was not trained for intervals.",
            remedy="train it with loss=nn.Quantile((0.05, 0.5, 0.95)), ending in Dense(3)",
        )
    low, high = _ends(outputs, len(card.levels))
    middle: Any = middle_of(outputs, len(card.levels))  # type: ignore[arg-type]
    margin: Any = np.asarray(card.margins or 0.0)
    unit = Unit.of_card(card)
    ends = np.minimum(low - margin, middle), np.maximum(high + margin, middle)
    return np.stack([unit.targets(end) for end in ends], axis=1)


def _ends(outputs: HostArray, levels: int) -> tuple[HostArray, HostArray]:
    count = outputs.shape[1] // levels
    return outputs[:, :count], outputs[:, -count:]
