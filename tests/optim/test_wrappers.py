"""Optimizers around another: clipped gradients, averaged weights."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from portanet._settings import from_dict, to_dict
from portanet.errors import ConfigError
from portanet.optim import (
    EMA,
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    AdamW,
    ClipByGlobalNorm,
    constant,
    cosine_decay,
    linear_warmup,
)
from portanet.optim.optimizer import weights


@pytest.mark.parametrize(("max_norm", "expected"), [(1.0, [-0.6, -0.8]), (2.5, [-1.5, -2.0]), (10.0, [-3.0, -4.0])])
def test_clipping_by_hand(max_norm: float, expected: list[float]) -> None:
    """A gradient of length 5."""
    clipped, flat = ClipByGlobalNorm(SGD(), max_norm), np.zeros(2)
    flat, _ = clipped.update(flat, np.asarray([3.0, 4.0]), clipped.init(flat, decayed=2), learning_rate=1.0)
    np.testing.assert_allclose(flat, expected, rtol=1e-6)


def test_no_gradient_and_no_clipping_leave_every_bit() -> None:
    clipped, flat = ClipByGlobalNorm(SGD(), 1.0), np.asarray([0.5, 0.25])
    for grads in (np.zeros(2), np.asarray([0.3, 0.4])):
        found, _ = clipped.update(flat.copy(), grads.copy(), clipped.init(flat, decayed=2), learning_rate=0.1)
        assert np.array_equal(found, flat - 0.1 * grads)


def averages(optimizer: EMA, start: float, places: list[float], state: dict[str, Any] | None = None) -> list[Any]:
    """The average after each step, where the optimizer inside is plain descent and goes from place to place."""
    flat, found = np.asarray([start]), []
    state = optimizer.init(flat, decayed=1)._replace(**state or {})
    for place in places:
        flat, state = optimizer.update(flat, flat - place, state, learning_rate=1.0)
        assert flat == pytest.approx(place)
        found.append(float(state.average[0]))
    return found


def test_averaging_by_hand() -> None:
    """d: 0.1, 2/11, 3/12; a: 0.9 * 10 = 9, then 2/11 * 9 + 9/11 * 20 = 18, then 18 / 4 + 3/4 * 30 = 27."""
    assert averages(EMA(SGD()), 0.0, [10.0, 20.0, 30.0]) == pytest.approx([9.0, 18.0, 27.0])


def test_the_decay_grows_no_further_than_it_is_told() -> None:
    """d: 0.1, then 0.125 in place of 2/11."""
    assert averages(EMA(SGD(), 0.125), 0.0, [10.0, 20.0]) == pytest.approx([9.0, 18.625])
    assert averages(EMA(SGD(), 0.0), 0.0, [10.0, 20.0]) == [10.0, 20.0]


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_torch_averages_the_same_way_once_the_decay_is_grown(decay: float, torch: Any) -> None:
    places = np.random.default_rng(4).normal(size=30).tolist()
    model = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    swa = torch.optim.swa_utils
    averaged, expected = swa.AveragedModel(model, multi_avg_fn=swa.get_ema_multi_avg_fn(decay)), []
    for place in [0.25, *places]:
        model.weight.data.fill_(place)
        averaged.update_parameters(model)
        expected.append(averaged.module.weight.item())
    found = averages(EMA(SGD(), decay), 0.25, places, {"steps": 1e9})
    np.testing.assert_allclose([0.25, *found], expected, rtol=1e-10)


def test_the_average_takes_no_part_in_the_training() -> None:
    rng = np.random.default_rng(1)
    start, grads = rng.normal(size=5), rng.normal(size=(20, 5))
    ends = []
    for optimizer in (AdamW(), EMA(AdamW())):
        flat = start.copy()
        state = optimizer.init(flat, decayed=3)
        for grad in grads.copy():
            flat, state = optimizer.update(flat, grad, state, learning_rate=0.1)
        ends.append(flat)
    assert np.array_equal(*ends)


def test_what_is_evaluated() -> None:
    """The outermost average, wherever it is; the weights themselves where there is none."""
    flat = np.asarray([1.0, 2.0])
    plain: Any
    for plain in (SGD(), Adam(), ClipByGlobalNorm(AdamW(), 1.0)):
        assert weights(plain, flat, plain.init(flat, decayed=2)) is flat
    inside, around = ClipByGlobalNorm(EMA(Adam()), 1.0), EMA(ClipByGlobalNorm(Adam(), 1.0))
    optimizer: Any
    for optimizer in (EMA(Adam()), inside, around, EMA(EMA(Adam()), 0.5)):
        state = optimizer.init(flat, decayed=2)
        assert weights(optimizer, flat, state) is state.average
        assert state.average is not flat
        assert np.array_equal(state.average, flat)


@pytest.mark.parametrize(
    "value",
    [
        *(made() for name, made in OPTIMIZERS.items() if name not in ("ClipByGlobalNorm", "EMA")),
        ClipByGlobalNorm(SGD(momentum=0.9), 2.0),
        EMA(ClipByGlobalNorm(AdamW(weight_decay=0.3), 1.0), decay=0.99),
        ClipByGlobalNorm(EMA(Adam()), 1.0),
        linear_warmup(cosine_decay(final=0.1), 10),
        linear_warmup(linear_warmup(constant(), 3), 0.1),
    ],
    ids=str,
)
def test_what_is_nested_round_trips(value: Any) -> None:
    assert from_dict(json.loads(json.dumps(to_dict(value))), OPTIMIZERS | SCHEDULES) == value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ClipByGlobalNorm(Adam(), 0.0), "ClipByGlobalNorm needs a finite max_norm above 0, got 0.0"),
        (lambda: ClipByGlobalNorm(Adam(), math.inf), "ClipByGlobalNorm needs a finite max_norm above 0, got inf"),
        (lambda: ClipByGlobalNorm("adam", 1.0), r"ClipByGlobalNorm needs an optimizer such as Adam\(\).*, got 'adam'"),
        (lambda: EMA(None), r"EMA needs an optimizer such as Adam\(\) to wrap, got None"),
        (lambda: EMA(Adam(), 1.0), "EMA needs 0 <= decay < 1, got 1.0"),
        (lambda: from_dict({"type": "EMA", "optimizer": {"type": "Adam", "rate": 1}}, OPTIMIZERS), "no setting"),
    ],
)
def test_settings_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
