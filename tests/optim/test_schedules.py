"""Learning-rate schedules beside torch.optim.lr_scheduler, and at their edges."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from portanet.errors import ConfigError
from portanet.optim import constant, cosine_decay


def rates_of_torch(torch: Any, steps: int, make: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler, rates = make(torch.optim.lr_scheduler, optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("final", [0.0, 0.02])
def test_cosine_as_torch_has_it(final: float, torch: Any) -> None:
    expected = rates_of_torch(torch, 41, lambda kinds, optimizer: kinds.CosineAnnealingLR(optimizer, 40, final))
    schedule = cosine_decay(0.3, 40, final=final)
    np.testing.assert_allclose([schedule(step) for step in range(41)], expected, rtol=1e-10, atol=1e-12)


def test_warm_up_as_torch_has_it(torch: Any) -> None:
    """A line from a fifth of the rate, then the cosine over the steps that are left."""

    def make(kinds: Any, optimizer: Any) -> Any:
        line = kinds.LinearLR(optimizer, start_factor=0.2, total_iters=4)
        cosine = kinds.CosineAnnealingLR(optimizer, 25)
        return kinds.SequentialLR(optimizer, [line, cosine], milestones=[5])

    schedule = cosine_decay(0.3, 30, warmup=5)
    expected = rates_of_torch(torch, 30, make)
    np.testing.assert_allclose([schedule(step) for step in range(30)], expected, rtol=1e-10, atol=1e-12)


def test_edges_of_cosine() -> None:
    schedule = cosine_decay(1.0, 14, warmup=4, final=0.1)
    assert [schedule(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert schedule(9) == pytest.approx(0.55)  # half way
    assert schedule(14) == pytest.approx(0.1)
    assert schedule(10**6) == pytest.approx(0.1)
    assert cosine_decay(0.5, 1)(0) == 0.5
    falling = [schedule(step) for step in range(4, 15)]
    assert falling == sorted(falling, reverse=True)


def test_constant() -> None:
    assert [constant(0.2)(step) for step in (0, 1, 10**9)] == [0.2] * 3


@pytest.mark.parametrize("schedule", [constant(0.2), cosine_decay(0.2, 10, warmup=3)])
def test_rates_are_python_floats(schedule: Any) -> None:
    """A NumPy scalar would widen float32 parameters."""
    assert {type(schedule(step)) for step in range(12)} == {float}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: constant(0.0), "constant needs a finite learning rate above 0, got 0.0; try"),
        (lambda: constant(math.nan), "constant needs a finite learning rate above 0, got nan"),
        (lambda: constant(math.inf), "constant needs a finite learning rate above 0, got inf"),
        (lambda: cosine_decay(-1.0, 10), "cosine_decay needs a finite learning rate above 0, got -1.0"),
        (lambda: cosine_decay(0.1, 0), "cosine_decay needs 0 <= warmup < steps, got 0 and 0"),
        (lambda: cosine_decay(0.1, 10, warmup=10), "cosine_decay needs 0 <= warmup < steps, got 10 and 10"),
        (lambda: cosine_decay(0.1, 10, warmup=-1), "cosine_decay needs 0 <= warmup < steps, got -1 and 10"),
        (lambda: cosine_decay(0.1, 10, final=0.2), "cosine_decay needs 0 <= final <= rate, got final=0.2"),
        (lambda: cosine_decay(0.1, 10, final=math.nan), "cosine_decay needs 0 <= final <= rate, got final=nan"),
    ],
)
def test_settings_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
