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
    constant,
    cos_log,
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
    schedule = cosine_decay(final=final / 0.3)
    np.testing.assert_allclose([0.3 * schedule(step, 40) for step in range(41)], expected, rtol=1e-10, atol=1e-12)


def test_warm_up_as_torch_has_it(torch: Any) -> None:
    """A line from a fifth of the rate, then the cosine over the steps that are left."""

    def make(kinds: Any, optimizer: Any) -> Any:
        line = kinds.LinearLR(optimizer, start_factor=0.2, total_iters=4)
        cosine = kinds.CosineAnnealingLR(optimizer, 25)
        return kinds.SequentialLR(optimizer, [line, cosine], milestones=[5])

    schedule = cosine_decay(warmup=5)
    expected = rates_of_torch(torch, 30, make)
    np.testing.assert_allclose([0.3 * schedule(step, 30) for step in range(30)], expected, rtol=1e-10, atol=1e-12)


def test_edges_of_cosine() -> None:
    schedule = cosine_decay(warmup=4, final=0.1)
    assert [schedule(step, 14) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert schedule(9, 14) == pytest.approx(0.55)  # half way
    assert schedule(14, 14) == pytest.approx(0.1)
    assert schedule(10**6, 14) == pytest.approx(0.1)
    assert cosine_decay()(0, 1) == 1.0
    falling = [schedule(step, 14) for step in range(4, 15)]
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize(
    ("schedule", "steps", "make"),
    [
        (step_decay(0.5, 7), 40, lambda kinds, optimizer: kinds.StepLR(optimizer, 7, gamma=0.5)),
        (step_decay(0.9, 1), 40, lambda kinds, optimizer: kinds.StepLR(optimizer, 1, gamma=0.9)),
        (exponential_decay(0.93), 40, lambda kinds, optimizer: kinds.ExponentialLR(optimizer, 0.93)),
        (exponential_decay(0.5, every=4), 40, lambda kinds, optimizer: kinds.ExponentialLR(optimizer, 0.5**0.25)),
        (one_cycle(), 40, lambda kinds, optimizer: kinds.OneCycleLR(optimizer, 0.3, total_steps=40)),
        (one_cycle(), 43, lambda kinds, optimizer: kinds.OneCycleLR(optimizer, 0.3, total_steps=43)),
        (
            one_cycle(pct_start=0.6, div_factor=4.0, final_div_factor=10.0),
            41,
            lambda kinds, optimizer: kinds.OneCycleLR(
                optimizer, 0.3, total_steps=41, pct_start=0.6, div_factor=4.0, final_div_factor=10.0
            ),
        ),
        (one_cycle(pct_start=0.0), 40, lambda k, optimizer: k.OneCycleLR(optimizer, 0.3, 40, pct_start=0.0)),
        (one_cycle(), 3, lambda kinds, optimizer: kinds.OneCycleLR(optimizer, 0.3, total_steps=3)),
    ],
    ids=lambda value: str(value) if hasattr(value, "__dataclass_fields__") or isinstance(value, int) else "",
)
def test_torch_has_the_same_rates(schedule: Any, steps: int, make: Any, torch: Any) -> None:
    expected = rates_of_torch(torch, steps, make)
    np.testing.assert_allclose([0.3 * schedule(step, steps) for step in range(steps)], expected, rtol=1e-10, atol=1e-14)


def test_warm_up_of_any_schedule_as_torch_has_it(torch: Any) -> None:
    def make(kinds: Any, optimizer: Any) -> Any:
        line = kinds.LinearLR(optimizer, start_factor=0.2, total_iters=4)
        return kinds.SequentialLR(optimizer, [line, kinds.StepLR(optimizer, 3, gamma=0.5)], milestones=[5])

    schedule = linear_warmup(step_decay(0.5, 3), 5)
    expected = rates_of_torch(torch, 30, make)
    np.testing.assert_allclose([0.3 * schedule(step, 30) for step in range(30)], expected, rtol=1e-10, atol=1e-12)


def test_warm_up_by_hand() -> None:
    schedule = linear_warmup(step_decay(0.5, 2), 4)
    assert [schedule(step, 9) for step in range(9)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25]
    twice = linear_warmup(linear_warmup(constant(), 2), 2)
    assert [twice(step, 5) for step in range(5)] == [0.25, 0.5, 0.5, 1.0, 1.0]


def test_warm_up_is_that_of_the_cosine() -> None:
    for warmup in (5, 0.2):
        within, around = cosine_decay(warmup=warmup, final=0.01), linear_warmup(cosine_decay(final=0.01), warmup)
        assert [within(step, 30) for step in range(40)] == [around(step, 30) for step in range(40)]


@given(st.integers(1, 10**6))
def test_a_share_of_the_run(steps: int) -> None:
    """A share is rounded down to whole steps, and means the same number of steps as that number."""
    share, number = cosine_decay(warmup=0.05), cosine_decay(warmup=steps // 20)
    for step in {0, steps // 20 - 1, steps // 20, steps // 20 + 1, steps // 2, steps - 1}:
        assert share(max(step, 0), steps) == number(max(step, 0), steps)


def test_one_cycle_by_hand() -> None:
    """Ten steps, the peak at step 0.4 * 10 - 1 = 3, half way down at step 6, over at step 9."""
    schedule = one_cycle(pct_start=0.4, div_factor=4.0, final_div_factor=5.0)
    assert schedule(0, 10) == pytest.approx(0.25)
    assert schedule(3, 10) == pytest.approx(1.0)
    assert schedule(6, 10) == pytest.approx((1.0 + 0.05) / 2)
    assert [schedule(step, 10) for step in (9, 10, 10**6)] == pytest.approx([0.05] * 3)
    assert one_cycle(pct_start=0.1)(0, 10) == 1.0  # the peak is the first step
    assert one_cycle()(0, 1) == pytest.approx(1.0 / 25.0 / 1e4)


def test_inverse_scaling_by_hand() -> None:
    """The formula of scikit-learn's MLPClassifier: learning_rate_init / (t + 1)^power_t."""
    assert [0.2 * inverse_scaling()(t, 100) for t in (0, 3, 99)] == pytest.approx([0.2, 0.1, 0.02])
    assert [0.6 * inverse_scaling(power=1.0)(t, 100) for t in (0, 1, 2)] == pytest.approx([0.6, 0.3, 0.2])
    assert inverse_scaling(power=0.0)(10**9, 100) == 1.0


STEPS = st.integers(1, 300)
FACTOR = st.floats(0.5, 1.0)
FALLING = st.one_of(
    st.just(constant()),
    st.builds(step_decay, FACTOR, st.integers(1, 10)),
    st.builds(exponential_decay, FACTOR, st.integers(1, 10)),
    st.builds(inverse_scaling, st.floats(0.0, 3.0)),
    st.builds(cosine_decay, final=st.just(1e-7)),
    st.builds(one_cycle, pct_start=st.just(0.0)),
)
RISING = st.builds(
    one_cycle,
    pct_start=st.floats(0.0, 0.9),
    div_factor=st.floats(2.0, 50.0),
    final_div_factor=st.floats(1.0, 1e4),
)


@given(FALLING, STEPS)
def test_what_decays_never_rises(schedule: Any, steps: int) -> None:
    factors = [schedule(step, steps) for step in range(320)]
    assert all(a >= b * (1 - 1e-12) for a, b in pairwise(factors))
    assert factors[0] <= 1 + 1e-12


@given(FALLING | RISING, STEPS, st.integers(1, 50) | st.floats(0.01, 0.99))
def test_factors_are_positive_floats_and_no_larger_than_one(schedule: Any, steps: int, warmup: float) -> None:
    for kind in (schedule, linear_warmup(schedule, warmup)):
        factors = [kind(step, steps) for step in range(320)]
        assert {type(factor) for factor in factors} == {float}
        assert all(0.0 < factor <= 1 + 1e-12 for factor in factors)


@given(RISING, STEPS)
def test_one_cycle_rises_to_its_peak_and_falls(schedule: Any, steps: int) -> None:
    factors = [schedule(step, steps) for step in range(steps)]
    top = max(range(steps), key=factors.__getitem__)
    assert all(a <= b + 1e-12 for a, b in pairwise(factors[: top + 1]))
    assert all(a + 1e-12 >= b for a, b in pairwise(factors[top:]))
    assert abs(top - (schedule.pct_start * steps - 1)) <= 1


@pytest.mark.parametrize("cycles", [1, 2, 4, 7])
def test_cycles_double_in_length(cycles: int) -> None:
    """Each cycle is one whole cosine over the logarithm of the time, from 2^k - 1 to 2^(k + 1) - 1 units of it."""
    steps = 128 * (2**cycles - 1)
    factors = np.asarray([cos_log(cycles)(step, steps) for step in range(steps + 10)])
    borders = [128 * (2**k - 1) for k in range(cycles + 1)]
    np.testing.assert_allclose(factors[borders], 0.0, atol=1e-12)
    for start, stop in pairwise(borders):
        top = start + int(np.argmax(factors[start:stop]))
        assert top - start == pytest.approx((stop - start) * (2**0.5 - 1), abs=1)
        assert factors[top] == pytest.approx(1.0, abs=1e-3)
        assert (np.diff(factors[start : top + 1]) >= 0).all()
        assert (np.diff(factors[top : stop + 1]) <= 0).all()
    assert factors[steps:].tolist() == [pytest.approx(0.0, abs=1e-12)] * 10


def test_constant() -> None:
    assert [constant()(step, 100) for step in (0, 1, 10**9)] == [1.0] * 3


def test_a_warm_up_longer_than_the_run() -> None:
    for warmup, steps in ((10, 10), (11, 10), (999, 40)):
        with pytest.raises(ConfigError, match=f"warmup < steps of the run, got {warmup} and {steps}"):
            cosine_decay(warmup=warmup)(0, steps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cosine_decay(warmup=-1), "cosine_decay needs warmup as a fraction from 0 and below 1, .* got -1"),
        (lambda: cosine_decay(warmup=1.5), "cosine_decay needs warmup .* an integer number of steps from 1, got 1.5"),
        (lambda: cosine_decay(warmup=math.inf), "cosine_decay needs warmup .*, got inf"),
        (lambda: cosine_decay(warmup=math.nan), "cosine_decay needs warmup .*, got nan"),
        (lambda: cosine_decay(final=1.2), "cosine_decay needs 0 <= final <= 1, .*, got 1.2"),
        (lambda: cosine_decay(final=-0.1), "cosine_decay needs 0 <= final <= 1, .*, got -0.1"),
        (lambda: cosine_decay(final=math.nan), "cosine_decay needs 0 <= final <= 1, .*, got nan"),
        (lambda: step_decay(0.0, 3), "step_decay needs 0 < factor <= 1, got 0.0"),
        (lambda: step_decay(1.5, 3), "step_decay needs 0 < factor <= 1, got 1.5"),
        (lambda: step_decay(math.nan, 3), "step_decay needs 0 < factor <= 1, got nan"),
        (lambda: step_decay(0.5, 0), r"step_decay needs every >= 1 \(steps\), got 0"),
        (lambda: exponential_decay(-0.5), "exponential_decay needs 0 < factor <= 1, got -0.5"),
        (lambda: exponential_decay(0.5, -1), r"exponential_decay needs every >= 1 \(steps\), got -1"),
        (lambda: inverse_scaling(-0.5), "inverse_scaling needs a finite power of at least 0, got -0.5"),
        (lambda: inverse_scaling(math.inf), "inverse_scaling needs a finite power of at least 0, got inf"),
        (lambda: one_cycle(pct_start=1.0), "one_cycle needs 0 <= pct_start < 1, got 1.0"),
        (lambda: one_cycle(div_factor=0.5), "one_cycle needs a finite div_factor of at least 1, got 0.5"),
        (lambda: one_cycle(final_div_factor=0.0), "one_cycle needs a finite final_div_factor of at least 1"),
        (lambda: cos_log(0), "cos_log needs an integer number of cycles from 1 to 100, got 0"),
        (lambda: cos_log(1.5), "cos_log needs an integer number of cycles from 1 to 100, got 1.5"),
        (lambda: linear_warmup(constant(), 0), "linear_warmup needs warmup as a fraction above 0 .*, got 0"),
        (lambda: linear_warmup(0.1, 5), r"linear_warmup needs a schedule such as constant\(\), got 0.1"),
    ],
)
def test_settings_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
