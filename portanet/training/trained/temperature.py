"""Temperature scaling: calibrates the probabilities of a classifier on rows that it was not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np

from portanet._tree import tree_items, tree_set
from portanet._typing import HostArray, Params
from portanet.nn import Dense, NTKDense
from portanet.nn.layer import Layer

_STEPS = 40  # halvings of the interval for log(1 / T): to 1e-11
_WIDEST = 5.0  # |log(1 / T)|, at most


def inverse_temperature(logits: HostArray, labels: HostArray, weights: HostArray | None = None) -> float:
    """Return the 1 / T > 0 with which softmax(logits / T) has the lowest mean log loss.

        d/db mean_i (log sum_k exp(b z_ik) - b sum_k y_ik z_ik) = mean_i sum_k (p_ik - y_ik) z_ik = 0        b = 1 / T

    logits z (N, K), labels (N,) class numbers, weights (N,). The log loss is convex in b, so bisection finds it.
    Without errors b would be unbounded, so the labels are smoothed: y_ik = (N [k = label_i] + 1 / K) / (N + 1), after
    Platt 1999.
    Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599.
    """
    z: Any = np.asarray(logits, np.float64)
    z = z - z.max(axis=1, keepdims=True)
    count = len(z)
    each = np.full(count, 1.0 / count) if weights is None else weights / weights.sum()
    of_label = z[np.arange(count), labels]
    wanted = (each * (count * of_label + z.mean(axis=1))).sum() / (count + 1)
    low, high = -_WIDEST, _WIDEST
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        p = np.exp(z * np.exp(middle))
        slope = (each * ((p * z).sum(axis=1) / p.sum(axis=1))).sum() - wanted
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp((low + high) / 2.0))


def last_dense(model: Layer) -> tuple[str, ...] | None:
    """Return the path of the arrays of the Dense that gives a model's outputs; None where another layer does."""
    if type(model) in (Dense, NTKDense):
        return ()
    changing = [(name, layer) for name, layer in model.children.items() if not layer.keeps_values]
    if not model.is_chain or not changing:
        return None
    name, layer = changing[-1]
    path = last_dense(layer)
    return None if path is None else (name, *path)


def scaled(params: Params, path: tuple[str, ...], factor: float) -> Params:
    """Return the parameters with the outputs of the Dense at `path` times a factor, which changes no order."""
    made: Params = {}
    for place, array in tree_items(params):
        tree_set(made, place, array * factor if place[:-1] == path else array)
    return made
