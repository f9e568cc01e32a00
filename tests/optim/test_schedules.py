"""Learning-rate schedules beside torch.optim.lr_scheduler, and at their edges."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portanet.errors import ConfigError
from portanet.optim import (
    SCHEDULES,
    constant,
    cosine_decay,
    exponential_decay,
    inverse_scaling,
    linear_warmup,
    one_cycle,
    step_decay,
)


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


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        (step_decay(0.3, 0.5, 7), lambda kinds, optimizer: kinds.StepLR(optimizer, 7, gamma=0.5)),
        (step_decay(0.3, 0.9, 1), lambda kinds, optimizer: kinds.StepLR(optimizer, 1, gamma=0.9)),
        (exponential_decay(0.3, 0.93), lambda kinds, optimizer: kinds.ExponentialLR(optimizer, 0.93)),
        (exponential_decay(0.3, 0.5, every=4), lambda kinds, optimizer: kinds.ExponentialLR(optimizer, 0.5**0.25)),
        (one_cycle(0.3, 40), lambda kinds, optimizer: kinds.OneCycleLR(optimizer, 0.3, total_steps=40)),
        (one_cycle(0.3, 43), lambda kinds, optimizer: kinds.OneCycleLR(optimizer, 0.3, total_steps=43)),
        (
            one_cycle(0.5, 41, pct_start=0.6, div_factor=4.0, final_div_factor=10.0),
            lambda kinds, optimizer: kinds.OneCycleLR(
                optimizer, 0.5, total_steps=41, pct_start=0.6, div_factor=4.0, final_div_factor=10.0
            ),
        ),
        (one_cycle(0.3, 40, pct_start=0.0), lambda k, optimizer: k.OneCycleLR(optimizer, 0.3, 40, pct_start=0.0)),
        (one_cycle(0.3, 3), lambda kinds, optimizer: kinds.OneCycleLR(optimizer, 0.3, total_steps=3)),
    ],
    ids=lambda value: "" if callable(value) and not hasattr(value, "rate") else str(value),
)
def test_torch_has_the_same_rates(schedule: Any, make: Any, torch: Any) -> None:
    steps = getattr(schedule, "steps", 40)  # torch's OneCycleLR refuses to be asked for more
    expected = rates_of_torch(torch, steps, make)
    np.testing.assert_allclose([schedule(step) for step in range(steps)], expected, rtol=1e-10, atol=1e-14)


def test_warm_up_of_any_schedule_as_torch_has_it(torch: Any) -> None:
    def make(kinds: Any, optimizer: Any) -> Any:
        line = kinds.LinearLR(optimizer, start_factor=0.2, total_iters=4)
        return kinds.SequentialLR(optimizer, [line, kinds.StepLR(optimizer, 3, gamma=0.5)], milestones=[5])

    schedule = linear_warmup(step_decay(0.3, 0.5, 3), 5)
    expected = rates_of_torch(torch, 30, make)
    np.testing.assert_allclose([schedule(step) for step in range(30)], expected, rtol=1e-10, atol=1e-12)


def test_warm_up_by_hand() -> None:
    schedule = linear_warmup(step_decay(1.0, 0.5, 2), 4)
    assert [schedule(step) for step in range(9)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    twice = linear_warmup(linear_warmup(constant(1.0), 2), 2)
    assert [twice(step) for step in range(5)] == [0.25, 0.5, 0.5, 1.0, 1.0]


def test_warm_up_is_that_of_the_cosine() -> None:
    within, around = cosine_decay(0.3, 30, warmup=5, final=0.01), linear_warmup(cosine_decay(0.3, 25, final=0.01), 5)
    assert [within(step) for step in range(40)] == [around(step) for step in range(40)]


def test_one_cycle_by_hand() -> None:
    """Ten steps, the peak at step 0.4 * 10 - 1 = 3, half way down at step 6, over at step 9."""
    schedule = one_cycle(1.0, 10, pct_start=0.4, div_factor=4.0, final_div_factor=5.0)
    assert schedule(0) == pytest.approx(0.25)
    assert schedule(3) == pytest.approx(1.0)
    assert schedule(6) == pytest.approx((1.0 + 0.05) / 2)
    assert [schedule(step) for step in (9, 10, 10**6)] == pytest.approx([0.05] * 3)
    assert one_cycle(1.0, 10, pct_start=0.1)(0) == 1.0  # the peak is the first step
    assert one_cycle(1.0, 1)(0) == pytest.approx(1.0 / 25.0 / 1e4)


def test_inverse_scaling_by_hand() -> None:
    """The formula of scikit-learn's MLPClassifier: learning_rate_init / (t + 1)^power_t."""
    assert [inverse_scaling(0.2)(t) for t in (0, 3, 99)] == pytest.approx([0.2, 0.1, 0.02])
    assert [inverse_scaling(0.6, power=1.0)(t) for t in (0, 1, 2)] == pytest.approx([0.6, 0.3, 0.2])
    assert inverse_scaling(0.6, power=0.0)(10**9) == 0.6


RATE = st.floats(1e-6, 10.0)
FACTOR = st.floats(0.5, 1.0)
FALLING = st.one_of(
    st.builds(constant, RATE),
    st.builds(step_decay, RATE, FACTOR, st.integers(1, 10)),
    st.builds(exponential_decay, RATE, FACTOR, st.integers(1, 10)),
    st.builds(inverse_scaling, RATE, st.floats(0.0, 3.0)),
    st.builds(cosine_decay, RATE, st.integers(1, 300), final=st.just(1e-7)),
    st.builds(one_cycle, RATE, st.integers(1, 300), pct_start=st.just(0.0)),
)
RISING = st.builds(one_cycle, RATE, st.integers(1, 300), st.floats(0.0, 0.9), st.floats(2.0, 50.0), st.floats(1.0, 1e4))


@given(FALLING)
def test_what_decays_never_rises(schedule: Any) -> None:
    rates = [schedule(step) for step in range(320)]
    assert all(a >= b * (1 - 1e-12) for a, b in pairwise(rates))
    assert rates[0] <= schedule.rate * (1 + 1e-12)


@given(FALLING | RISING, st.integers(1, 50))
def test_rates_are_positive_floats_and_no_larger_than_asked(schedule: Any, warmup: int) -> None:
    for kind in (schedule, linear_warmup(schedule, warmup)):
        rates = [kind(step) for step in range(320)]
        assert {type(rate) for rate in rates} == {float}
        assert all(0.0 < rate <= schedule.rate * (1 + 1e-12) for rate in rates)


@given(RISING)
def test_one_cycle_rises_to_its_peak_and_falls(schedule: Any) -> None:
    rates = [schedule(step) for step in range(schedule.steps)]
    top = max(range(schedule.steps), key=rates.__getitem__)
    slack = schedule.rate * 1e-12
    assert all(a <= b + slack for a, b in pairwise(rates[: top + 1]))
    assert all(a + slack >= b for a, b in pairwise(rates[top:]))
    assert abs(top - (schedule.pct_start * schedule.steps - 1)) <= 1


def test_the_length_of_the_run_is_a_field_called_steps() -> None:
    assert {name for name, made in SCHEDULES.items() if "steps" in made.__annotations__} == {
        "cosine_decay",
        "one_cycle",
    }


def test_constant() -> None:
    assert [constant(0.2)(step) for step in (0, 1, 10**9)] == [0.2] * 3


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
        (lambda: step_decay(0.0, 0.5, 3), "step_decay needs a finite learning rate above 0, got 0.0"),
        (lambda: step_decay(0.1, 0.0, 3), "step_decay needs 0 < factor <= 1, got 0.0"),
        (lambda: step_decay(0.1, 1.5, 3), "step_decay needs 0 < factor <= 1, got 1.5"),
        (lambda: step_decay(0.1, math.nan, 3), "step_decay needs 0 < factor <= 1, got nan"),
        (lambda: step_decay(0.1, 0.5, 0), r"step_decay needs every >= 1 \(steps\), got 0"),
        (lambda: exponential_decay(-0.1, 0.5), "exponential_decay needs a finite learning rate above 0, got -0.1"),
        (lambda: exponential_decay(0.1, -0.5), "exponential_decay needs 0 < factor <= 1, got -0.5"),
        (lambda: exponential_decay(0.1, 0.5, -1), r"exponential_decay needs every >= 1 \(steps\), got -1"),
        (lambda: inverse_scaling(math.nan), "inverse_scaling needs a finite learning rate above 0, got nan"),
        (lambda: inverse_scaling(0.1, -0.5), "inverse_scaling needs a finite power of at least 0, got -0.5"),
        (lambda: inverse_scaling(0.1, math.inf), "inverse_scaling needs a finite power of at least 0, got inf"),
        (lambda: one_cycle(0.0, 10), "one_cycle needs a finite learning rate above 0, got 0.0"),
        (lambda: one_cycle(0.1, 0), "one_cycle needs steps >= 1, got 0"),
        (lambda: one_cycle(0.1, 10, pct_start=1.0), "one_cycle needs 0 <= pct_start < 1, got 1.0"),
        (lambda: one_cycle(0.1, 10, div_factor=0.5), "one_cycle needs a finite div_factor of at least 1, got 0.5"),
        (lambda: one_cycle(0.1, 10, final_div_factor=0.0), "one_cycle needs a finite final_div_factor of at least 1"),
        (lambda: linear_warmup(constant(0.1), 0), "linear_warmup needs warmup >= 1, got 0"),
        (lambda: linear_warmup(0.1, 5), r"linear_warmup needs a schedule such as constant\(0.1\), got 0.1"),
    ],
)
def test_settings_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
