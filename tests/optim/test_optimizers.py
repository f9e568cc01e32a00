"""Optimizers step for step beside torch.optim, and on every array library beside NumPy."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from helpers import Host
from legs import Leg

from portanet.errors import ConfigError
from portanet.optim import SGD, Adam, AdamW, Optimizer

SIZE, DECAYED, STEPS = 13, 8, 50

OPTIMIZERS: list[tuple[Optimizer, str, dict[str, Any]]] = [
    (SGD(), "SGD", {}),
    (SGD(momentum=0.9), "SGD", {"momentum": 0.9}),
    (SGD(momentum=0.8, nesterov=True), "SGD", {"momentum": 0.8, "nesterov": True}),
    (SGD(weight_decay=0.1), "SGD", {"weight_decay": 0.1}),
    (
        SGD(momentum=0.9, nesterov=True, weight_decay=0.1),
        "SGD",
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    ),
    (Adam(), "Adam", {}),
    (Adam(beta1=0.5, beta2=0.9, eps=1e-3), "Adam", {"betas": (0.5, 0.9), "eps": 1e-3}),
    (Adam(beta1=0.0), "Adam", {"betas": (0.0, 0.999)}),
    (Adam(beta2=0.0), "Adam", {"betas": (0.9, 0.0)}),
    (AdamW(), "AdamW", {"weight_decay": 0.01}),
    (AdamW(beta1=0.8, weight_decay=0.3), "AdamW", {"betas": (0.8, 0.999), "weight_decay": 0.3}),
    (AdamW(weight_decay=0.0), "AdamW", {"weight_decay": 0.0}),
]
every_optimizer = pytest.mark.parametrize("optimizer", [made for made, *_ in OPTIMIZERS], ids=str)


def course(dtype: str = "float64") -> tuple[Host, Host, list[float]]:
    """Where it starts, the gradient of each step, and its rate. The gradients differ in size by 10^4."""
    rng = np.random.default_rng(6)
    sizes = 10.0 ** np.linspace(-3, 1, SIZE)
    grads = rng.normal(0.2, 1.0, (STEPS, SIZE)) * rng.permutation(sizes)
    rates = [0.01 / (1 + step) + 0.001 for step in range(STEPS)]
    return rng.normal(0.0, 1.0, SIZE).astype(dtype), grads.astype(dtype), rates


def path(optimizer: Optimizer, dtype: str, decayed: int = DECAYED) -> Host:
    """Where the parameters are after each step, on NumPy."""
    flat, grads, rates = course(dtype)
    state, places = optimizer.init(flat, decayed=decayed), []
    for grad, rate in zip(grads, rates, strict=True):
        flat, state = optimizer.update(flat, grad, state, learning_rate=rate)
        places.append(flat.copy())
    return np.stack(places)


def path_of_torch(torch: Any, name: str, settings: dict[str, Any], dtype: str) -> Host:
    flat, grads, rates = course(dtype)
    parts = [torch.nn.Parameter(torch.tensor(part)) for part in (flat[:DECAYED], flat[DECAYED:])]
    bare = {"weight_decay": 0.0} if "weight_decay" in settings or name == "AdamW" else {}
    groups = [{"params": parts[:1]} | settings, {"params": parts[1:]} | settings | bare]
    optimizer, places = getattr(torch.optim, name)(groups, lr=1.0), []
    for grad, rate in zip(grads, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        for part, own in zip(parts, (grad[:DECAYED], grad[DECAYED:]), strict=True):
            part.grad = torch.tensor(own)
        optimizer.step()
        places.append(np.concatenate([part.detach().numpy() for part in parts]))
    return np.stack(places)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-5)])
@pytest.mark.parametrize(("optimizer", "name", "settings"), OPTIMIZERS, ids=lambda value: str(value))
def test_torch_goes_the_same_way(
    optimizer: Optimizer, name: str, settings: dict[str, Any], dtype: str, tolerance: float, torch: Any
) -> None:
    ours = path(optimizer, dtype)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, path_of_torch(torch, name, settings, dtype), rtol=tolerance, atol=tolerance)


@every_optimizer
def test_every_library_equals_numpy(optimizer: Optimizer, xp: Leg) -> None:
    start, grads, rates = course("float32")
    flat = xp.own(start)
    state = optimizer.init(flat, decayed=DECAYED)
    given = xp.put(grads)

    def update(flat: Any, grad: Any, state: Any, rate: float) -> Any:
        return optimizer.update(flat, grad, state, learning_rate=rate)

    for step in range(5):
        flat, state = xp.run(update, flat, given[step, ...], state, rates[step])
    assert xp.dtype(flat) == "float32"
    assert xp.device(flat) == xp.device(given)
    for array in (entry for entry in state.values() if type(entry) is not float and entry.ndim):
        assert xp.dtype(array) == "float32"
        assert xp.device(array) == xp.device(given)
    if xp.values:
        np.testing.assert_allclose(xp.host(flat), path(optimizer, "float64")[4], rtol=2e-5, atol=2e-5)
        assert np.array_equal(xp.host(given), grads)


@every_optimizer
def test_gradients_are_only_read(optimizer: Optimizer) -> None:
    flat, grads, _ = course()
    given = grads.copy()
    state = optimizer.init(flat, decayed=DECAYED)
    for grad in grads[:3]:
        flat, state = optimizer.update(flat, grad, state, learning_rate=0.1)
    assert np.array_equal(grads, given)


@every_optimizer
def test_the_state_is_plain_data_and_goes_on(optimizer: Optimizer) -> None:
    """A copy of parameters and state goes on to the same bits, so nothing hides in the optimizer."""
    flat, grads, _ = course()
    state = optimizer.init(flat, decayed=DECAYED)
    for grad in grads[:3]:
        flat, state = optimizer.update(flat, grad, state, learning_rate=0.1)
    saved = flat.copy(), copy.deepcopy(state)
    flat, state = optimizer.update(flat, grads[3], state, learning_rate=0.1)
    again, _ = optimizer.update(saved[0], grads[3], saved[1], learning_rate=0.1)
    assert np.array_equal(flat, again)


@pytest.mark.parametrize("optimizer", [SGD(weight_decay=0.5), AdamW(weight_decay=0.5)], ids=str)
@pytest.mark.parametrize("decayed", [0, 5, SIZE])
def test_only_the_first_entries_decay(optimizer: Optimizer, decayed: int) -> None:
    """Without a gradient, what decays shrinks to (1 - rate * decay) of itself, and the rest stays."""
    flat = np.arange(1.0, SIZE + 1)
    state = optimizer.init(flat, decayed=decayed)
    after, _ = optimizer.update(flat.copy(), np.zeros(SIZE), state, learning_rate=0.2)
    np.testing.assert_allclose(after[:decayed], flat[:decayed] * 0.9, rtol=1e-12)
    assert np.array_equal(after[decayed:], flat[decayed:])


def test_first_step_of_adam() -> None:
    """Bias correction makes it the rate in the direction of the sign, whatever the gradient's size."""
    grads = np.asarray([1e-3, -2.0, 5e4])
    flat = np.zeros(3)
    flat, _ = Adam().update(flat, grads, Adam().init(flat, decayed=3), learning_rate=0.1)
    np.testing.assert_allclose(flat, [-0.1, 0.1, -0.1], rtol=1e-4)


def test_sgd_by_hand() -> None:
    """v: 1, then 0.5 * 1 + 2 = 2.5; w: 0 - 0.1 * 1 = -0.1, then -0.1 - 0.1 * 2.5 = -0.35."""
    sgd, flat = SGD(momentum=0.5), np.zeros(1)
    state = sgd.init(flat, decayed=1)
    flat, state = sgd.update(flat, np.asarray([1.0]), state, learning_rate=0.1)
    assert flat == pytest.approx(-0.1)
    flat, state = sgd.update(flat, np.asarray([2.0]), state, learning_rate=0.1)
    assert flat == pytest.approx(-0.35)


@pytest.mark.parametrize("optimizer", [SGD(momentum=0.9), Adam(), AdamW()], ids=str)
def test_a_minimum_is_found(optimizer: Optimizer) -> None:
    goal, flat = np.asarray([3.0, -1.0, 0.5]), np.zeros(3)
    state = optimizer.init(flat, decayed=0)
    for step in range(1500):
        rate = 0.05 * (1 - step / 1500)
        flat, state = optimizer.update(flat, flat - goal, state, learning_rate=rate)
    np.testing.assert_allclose(flat, goal, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(momentum=1.0), "SGD needs 0 <= momentum < 1, got 1.0"),
        (lambda: SGD(momentum=-0.1), "SGD needs 0 <= momentum < 1, got -0.1"),
        (lambda: SGD(momentum=math.nan), "SGD needs 0 <= momentum < 1, got nan"),
        (lambda: SGD(nesterov=True), "SGD with nesterov=True needs a momentum above 0, such as momentum=0.9"),
        (lambda: Adam(beta1=1.0), "Adam needs 0 <= beta1 < 1, got 1.0"),
        (lambda: Adam(beta2=-1.0), "Adam needs 0 <= beta2 < 1, got -1.0"),
        (lambda: Adam(eps=0.0), "Adam needs eps > 0, got 0.0"),
        (lambda: AdamW(beta2=2.0), "AdamW needs 0 <= beta2 < 1, got 2.0"),
        (lambda: SGD(weight_decay=-0.1).init(np.zeros(2), decayed=2), "weight_decay must be .* got -0.1"),
        (lambda: AdamW(weight_decay=math.nan).init(np.zeros(2), decayed=2), "weight_decay must be .* got nan"),
        (lambda: AdamW(weight_decay=math.inf).init(np.zeros(2), decayed=2), "weight_decay must be .* got inf"),
    ],
)
def test_settings_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
