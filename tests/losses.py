"""Every loss with labels to try it on: one row for each, and the laws in nn/test_losses.py hold for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import Host

from portanet import nn


class Row(NamedTuple):
    """A loss on labels that `draw` makes from a generator and (rows, k).

    torch           the mean value of rows as torch.nn.functional has it
    largest, least  the size of outputs above and below zero whose loss float32 can hold
    """

    loss: nn.Loss
    draw: Callable[[np.random.Generator, int, int], Host]
    torch: Callable[[Any, Any, Any], Any]
    largest: float = 1e30
    least: float = 1e30

    def outputs(self, k: int) -> int:
        """How many outputs there are for k labels of a row."""
        return k * self.loss.outputs_per_target


class Case(NamedTuple):
    """Outputs, labels and weights in float64; the weights do not sum to 1, as in a part of a batch."""

    outputs: Host
    labels: Host
    weights: Host


def classes(rng: np.random.Generator, rows: int, k: int) -> Host:
    return rng.integers(0, k, rows).astype(np.int32)


def shares(rng: np.random.Generator, rows: int, k: int) -> Host:
    drawn = rng.uniform(0.0, 1.0, (rows, k)) ** 3
    return drawn / drawn.sum(axis=1, keepdims=True)


def entries(rng: np.random.Generator, rows: int, k: int) -> Host:
    """Mostly yes or no, and sometimes in between."""
    return np.clip(rng.uniform(-1.0, 2.0, (rows, k)), 0.0, 1.0)


def numbers(rng: np.random.Generator, rows: int, k: int) -> Host:
    return rng.normal(0.0, 2.0, (rows, k))


def counts(rng: np.random.Generator, rows: int, k: int) -> Host:
    return rng.poisson(3.0, (rows, k)).astype(np.float64)


def pinball(levels: tuple[float, ...]) -> Callable[[Any, Any, Any], Any]:
    def of_torch(f: Any, z: Any, y: Any) -> Any:
        tau = z.new_tensor(levels)[None, :, None]
        short = y[:, None, :] - z.reshape(len(z), len(levels), -1)
        return f.relu(short).mul(tau).mean() + f.relu(-short).mul(1 - tau).mean()

    return of_torch


CLASS_WEIGHT = (0.5, 2.0, 1.0, 4.0)


def weighed(f: Any, z: Any, y: Any, **settings: Any) -> Any:
    return f.cross_entropy(z, y, weight=z.new_tensor(CLASS_WEIGHT), **settings)


ROWS = [
    Row(nn.CrossEntropy(), classes, lambda f, z, y: f.cross_entropy(z, y)),
    Row(nn.CrossEntropy(), shares, lambda f, z, y: f.cross_entropy(z, y)),
    Row(nn.CrossEntropy(label_smoothing=0.1), classes, lambda f, z, y: f.cross_entropy(z, y, label_smoothing=0.1)),
    Row(nn.CrossEntropy(label_smoothing=1.0), classes, lambda f, z, y: f.cross_entropy(z, y, label_smoothing=1.0)),
    Row(nn.CrossEntropy(label_smoothing=0.3), shares, lambda f, z, y: f.cross_entropy(z, y, label_smoothing=0.3)),
    Row(nn.CrossEntropy(class_weight=CLASS_WEIGHT), classes, weighed),
    Row(nn.CrossEntropy(class_weight=CLASS_WEIGHT), shares, weighed),
    Row(
        nn.CrossEntropy(label_smoothing=0.2, class_weight=CLASS_WEIGHT),
        classes,
        lambda f, z, y: weighed(f, z, y, label_smoothing=0.2),
    ),
    Row(
        nn.CrossEntropy(label_smoothing=0.2, class_weight=CLASS_WEIGHT),
        shares,
        lambda f, z, y: weighed(f, z, y, label_smoothing=0.2),
    ),
    Row(nn.BinaryCrossEntropy(), entries, lambda f, z, y: f.binary_cross_entropy_with_logits(z, y)),
    Row(nn.Hinge(), classes, lambda f, z, y: f.multi_margin_loss(z, y)),
    Row(nn.Hinge(margin=0.3), classes, lambda f, z, y: f.multi_margin_loss(z, y, margin=0.3)),
    Row(nn.MeanSquaredError(), numbers, lambda f, z, y: f.mse_loss(z, y), 1e15, 1e15),
    Row(nn.MeanAbsoluteError(), numbers, lambda f, z, y: f.l1_loss(z, y)),
    Row(nn.Huber(), numbers, lambda f, z, y: f.huber_loss(z, y)),
    Row(nn.Huber(delta=0.4), numbers, lambda f, z, y: f.huber_loss(z, y, delta=0.4)),
    Row(nn.Quantile(), numbers, pinball((0.05, 0.5, 0.95))),
    Row(nn.Quantile((0.8,)), numbers, pinball((0.8,))),
    Row(nn.Poisson(), counts, lambda f, z, y: f.poisson_nll_loss(z, y, log_input=True, full=False), 80.0),
]

every_loss = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.loss}-{row.draw.__name__}".replace(" ", ""))


def case(row: Row, rows: int = 6, k: int = 4, seed: int = 3, scale: float = 2.0) -> Case:
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0.0, scale, (rows, row.outputs(k)))
    return Case(outputs, row.draw(rng, rows, k), rng.uniform(0.1, 1.0, rows) / rows)


def in_torch(torch: Any, row: Row, given: Case) -> tuple[float, Host]:
    """The sum over rows of weight times value, and its gradient, as PyTorch has them: each row is a batch of one."""
    with torch.inference_mode(False), torch.enable_grad():  # the torch leg runs without gradients
        z = torch.tensor(given.outputs, requires_grad=True)
        labels = torch.tensor(given.labels, dtype=torch.int64 if given.labels.ndim == 1 else torch.float64)
        parts = (slice(i, i + 1) for i in range(len(given.labels)))
        values = [row.torch(torch.nn.functional, z[part], labels[part]) for part in parts]
        total = (torch.stack(values) * torch.tensor(given.weights)).sum()
        total.backward()
        return total.item(), z.grad.numpy()
