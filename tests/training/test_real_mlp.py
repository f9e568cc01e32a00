"""The preset table beside RealMLP-TD-S as its authors describe it, written here in PyTorch with parameter groups.

PyTorch has a rate for each group where portanet has a factor on a stored array: the losses must be the same, step for
step. Holzmueller et al. 2024, arXiv:2407.04491, appendix A.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from portanet.nn import Sequential
from portanet.storage.model_card import ModelCard
from portanet.training.fit import fit_spec
from portanet.training.inputs.tasks import Classify, Regress, Task
from portanet.training.presets import preset

RNG = np.random.default_rng(12)
X = RNG.normal(0.0, 1.0, (120, 5)) * [1.0, 10.0, 0.1, 3.0, 1.0] + [0.0, 50.0, 0.0, 1.0, 2.0]
NUMBERS = X[:, 0] + np.sin(X[:, 3]) + RNG.normal(0.0, 0.2, 120)
CLASSES = np.digitize(NUMBERS, [0.2, 1.5])
EPOCHS = 12


def losses_in_torch(torch: Any, task: Task, start: Any) -> list[float]:
    """The loss before each full-batch step, from the effective weights that portanet starts with."""
    quartiles = np.percentile(X, [25, 50, 75], axis=0)
    s = torch.tensor((X - quartiles[1]) / (quartiles[2] - quartiles[0]))
    x = s / torch.sqrt(1 + (s / 3) ** 2)
    names = sorted(start, key=int)
    scale = torch.ones(5, dtype=torch.float64, requires_grad=True)
    weights = [torch.tensor(start[name]["weight"], requires_grad=True) for name in names]
    biases = [torch.tensor(0.1 * start[name]["bias"], requires_grad=True) for name in names]
    groups = [{"params": [scale]}, {"params": weights}, {"params": biases}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.95), eps=1e-30)
    targets = torch.tensor(CLASSES if task.is_classification else (NUMBERS - NUMBERS.mean()) / NUMBERS.std())
    activation = torch.nn.SELU() if task.is_classification else torch.nn.Mish()
    losses = []
    for step in range(EPOCHS):
        y = x * scale
        for weight, bias in zip(weights, biases, strict=True):
            y = y @ weight / math.sqrt(len(weight)) + bias
            y = y if weight is weights[-1] else activation(y)
        if task.is_classification:
            loss = torch.nn.functional.cross_entropy(y, targets, label_smoothing=0.1)
        else:
            loss = ((y[:, 0] - targets) ** 2).mean()
        losses.append(loss.item())
        rate = 0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * step / EPOCHS))
        for group, factor in zip(optimizer.param_groups, (6.0, 1.0, 0.1), strict=True):
            group["lr"] = (0.04 if task.is_classification else 0.07) * rate * factor
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return losses


@pytest.mark.parametrize("task", [Classify(), Regress()], ids=lambda task: task.name)
def test_the_losses_of_each_step(task: Task, torch: Any) -> None:
    settings = {"epochs": EPOCHS, "dtype": "float64", "callbacks": [], "batch_size": "full"}
    optimizer = preset("table", task).to_dict()["optimizer"] | {"eps": 1e-30}  # a factor moves eps too
    spec = preset("table", task).with_settings(settings | {"optimizer": optimizer})
    spec = spec.for_data(ModelCard((5,), classes=tuple("abc") if task.is_classification else ()))
    model = Sequential(*spec.layers)
    labels = CLASSES if task.is_classification else NUMBERS
    none = fit_spec(spec.with_settings({"epochs": 1}), model, X, labels, backend="numpy")  # its one step has the rate 0
    start = {name: arrays for name, arrays in none.params.items() if "weight" in arrays}
    run = fit_spec(spec, model, X, labels, backend="numpy")
    np.testing.assert_allclose([row["loss"] for row in run.history], losses_in_torch(torch, task, start), rtol=1e-9)
    assert run.history[-1]["loss"] < 0.9 * run.history[0]["loss"]
