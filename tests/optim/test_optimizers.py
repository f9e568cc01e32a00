"""Optimizers step for step beside torch.optim, and on every array library beside NumPy."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
from helpers import Host
from legs import Leg

import portanet
from portanet._tree import flatten
from portanet.errors import ConfigError
from portanet.optim import (
    EMA,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    ClipByGlobalNorm,
    Lion,
    NAdam,
    Optimizer,
    RMSProp,
)
from portanet.optim.optimizer import with_learning_rate

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
    (AdaGrad(), "Adagrad", {}),
    (AdaGrad(eps=1e-2, weight_decay=0.1), "Adagrad", {"eps": 1e-2, "weight_decay": 0.1}),
    (RMSProp(), "RMSprop", {}),
    (RMSProp(alpha=0.8, eps=1e-3, weight_decay=0.1), "RMSprop", {"alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    (RMSProp(momentum=0.9), "RMSprop", {"momentum": 0.9}),
    (RMSProp(alpha=0.0, momentum=0.5), "RMSprop", {"alpha": 0.0, "momentum": 0.5}),
    (Adam(), "Adam", {}),
    (Adam(beta1=0.5, beta2=0.9, eps=1e-3), "Adam", {"betas": (0.5, 0.9), "eps": 1e-3}),
    (Adam(beta1=0.0), "Adam", {"betas": (0.0, 0.999)}),
    (Adam(beta2=0.0), "Adam", {"betas": (0.9, 0.0)}),
    (AdamW(), "AdamW", {"weight_decay": 0.01}),
    (AdamW(beta1=0.8, weight_decay=0.3), "AdamW", {"betas": (0.8, 0.999), "weight_decay": 0.3}),
    (AdamW(weight_decay=0.0), "AdamW", {"weight_decay": 0.0}),
    (NAdam(), "NAdam", {}),
    (
        NAdam(beta1=0.8, beta2=0.9, eps=1e-3, momentum_decay=0.3),
        "NAdam",
        {"betas": (0.8, 0.9), "eps": 1e-3, "momentum_decay": 0.3},
    ),
    (NAdam(beta1=0.0), "NAdam", {"betas": (0.0, 0.999)}),
    (ClipByGlobalNorm(SGD(), 7.0), "SGD", {}),
    (ClipByGlobalNorm(SGD(momentum=0.9, weight_decay=0.1), 7.0), "SGD", {"momentum": 0.9, "weight_decay": 0.1}),
    (ClipByGlobalNorm(AdamW(), 0.1), "AdamW", {"weight_decay": 0.01}),
    (EMA(Adam()), "Adam", {}),
]
LIONS = [Lion(), Lion(beta1=0.5, beta2=0.8, weight_decay=0.3), Lion(beta1=0.0)]
EVERY: list[Optimizer] = [*(made for made, *_ in OPTIMIZERS), *LIONS, EMA(ClipByGlobalNorm(Lion(), 7.0), 0.5)]
PORTABLE = [  # each way through the code once
    SGD(), SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True, weight_decay=0.1), AdaGrad(weight_decay=0.1), RMSProp(),
    RMSProp(momentum=0.9), Adam(), AdamW(), NAdam(), Lion(weight_decay=0.3), ClipByGlobalNorm(AdamW(), 0.1),
    EMA(ClipByGlobalNorm(Lion(), 7.0), 0.5),
]  # fmt: skip
every_optimizer = pytest.mark.parametrize("optimizer", EVERY, ids=str)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", PORTABLE, ids=str)
def test_sums_of_gradients_that_end_become_0(optimizer: Optimizer, dtype: str) -> None:
    """And not numbers below the smallest normal one, which keep a processor busy for the rest of the training."""
    smallest = float(np.finfo(dtype).smallest_normal)
    flat, grads = np.zeros(7, dtype), np.linspace(-1.0, 1.0, 7).astype(dtype) * smallest**0.48
    state = optimizer.init(flat, decayed=0)
    for _ in range(8000):
        flat, state = optimizer.update(flat, grads, state, learning_rate=0.001)
        grads = np.zeros(7, dtype)
    sums = [leaf for leaf in flatten(state, []) if isinstance(leaf, np.ndarray)]
    assert all(((leaf == 0) | (np.abs(leaf) >= smallest)).all() for leaf in sums)


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
        flat, state = optimizer.update(flat, grad.copy(), state, learning_rate=rate)
        places.append(flat.copy())
    return np.stack(places)


def path_of_torch(torch: Any, name: str, settings: dict[str, Any], dtype: str, max_norm: float | None) -> Host:
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
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(parts, max_norm)
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
    max_norm = getattr(optimizer, "max_norm", None)
    torch.set_default_dtype(getattr(torch, dtype))  # NAdam keeps its product of momenta in it
    try:
        theirs = path_of_torch(torch, name, settings, dtype, max_norm)
    finally:
        torch.set_default_dtype(torch.float32)
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


def test_some_gradients_of_the_course_are_clipped_and_some_are_not() -> None:
    norms = np.linalg.norm(course()[1], axis=1)
    assert 10 < np.sum(norms > 7.0) < 40


@pytest.mark.parametrize("lion", LIONS, ids=str)
def test_lion_by_the_paper(lion: Lion) -> None:
    """Algorithm 2 as it is printed, for each weight on its own in Python's numbers."""
    flat, grads, rates = course()
    expected = np.empty((STEPS, SIZE))
    for i in range(SIZE):
        theta, m, decay = float(flat[i]), 0.0, lion.weight_decay if i < DECAYED else 0.0
        for t in range(STEPS):
            g = float(grads[t, i])
            c = lion.beta1 * m + (1 - lion.beta1) * g
            update = math.copysign(1.0, c) if c else 0.0
            theta = theta - rates[t] * (update + decay * theta)
            m = lion.beta2 * m + (1 - lion.beta2) * g
            expected[t, i] = theta
    np.testing.assert_allclose(path(lion, "float64"), expected, rtol=1e-11, atol=1e-11)


def test_lion_leaves_alone_what_has_no_gradient() -> None:
    lion, flat = Lion(), np.asarray([1.0, 2.0, 3.0])
    state = lion.init(flat, decayed=3)
    for _ in range(3):
        flat, state = lion.update(flat, np.asarray([0.0, 5.0, -1e-9]), state, learning_rate=0.25)
    assert flat.tolist() == [1.0, 1.25, 3.75]


def test_adagrad_by_hand() -> None:
    """s: 9, then 9 + 16 = 25; w: 0 - 0.5 * 3 / 3 = -0.5, then -0.5 - 0.5 * 4 / 5 = -0.9."""
    adagrad, flat = AdaGrad(), np.zeros(1)
    state = adagrad.init(flat, decayed=1)
    flat, state = adagrad.update(flat, np.asarray([3.0]), state, learning_rate=0.5)
    assert flat == pytest.approx(-0.5)
    flat, state = adagrad.update(flat, np.asarray([4.0]), state, learning_rate=0.5)
    assert flat == pytest.approx(-0.9)


@pytest.mark.parametrize("optimizer", PORTABLE, ids=str)
def test_every_library_equals_numpy(optimizer: Optimizer, xp: Leg) -> None:
    start, grads, rates = course("float32")
    flat = xp.own(start)
    state = optimizer.init(flat, decayed=DECAYED)

    def update(flat: Any, grad: Any, state: Any, rate: float) -> Any:
        return optimizer.update(flat, grad, state, learning_rate=rate)

    for step in range(5):
        flat, state = xp.run(update, flat, xp.own(grads[step]), state, rates[step])
    like = xp.own(grads)
    assert xp.dtype(flat) == "float32"
    assert xp.device(flat) == xp.device(like)
    for array in (entry for entry in flatten((state,), []) if getattr(entry, "ndim", 0)):
        assert xp.dtype(array) == "float32"
        assert xp.device(array) == xp.device(like)
    if xp.values:
        np.testing.assert_allclose(xp.host(flat), path(optimizer, "float64")[4], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("optimizer", [AdamW(), NAdam(), EMA(ClipByGlobalNorm(Lion(), 1.0))], ids=str)
def test_a_run_of_steps_as_the_backend_compiles_it(optimizer: Optimizer, xp: Leg) -> None:
    """JAX takes the whole state as the carry of a loop, and the memory of what went in for what comes out."""
    start, goal = course("float32")[0], np.linspace(-1.0, 1.0, SIZE)

    def step(state: Any, goal: Any, rows: Any, key: Any, rate: Any) -> Any:
        return optimizer.update(state[0], state[0] - goal, state[1], learning_rate=rate), {}

    def after(flat: Any, goal: Any, steps: Any) -> Any:
        state = (flat, optimizer.init(flat, decayed=DECAYED))
        for _ in range(2):
            state, _ = steps(state, goal, None, [(0, 0)] * 3, [0.1, 0.05, 0.01])
        return state[0]

    found = after(xp.own(start), xp.put(goal), xp.backend.compile(step))
    if xp.values:
        expected = after(start.astype("float64"), goal, portanet.choose("numpy").compile(step))
        np.testing.assert_allclose(xp.host(found), expected, rtol=2e-5, atol=2e-5)


@every_optimizer
def test_nothing_is_kept_of_the_gradient(optimizer: Optimizer) -> None:
    """The memory of the gradient is filled again, and the state does not notice."""
    flat, grads, rates = course()
    state, grad = optimizer.init(flat, decayed=DECAYED), np.empty(SIZE)
    for step in range(3):
        grad[:] = grads[step]
        flat, state = optimizer.update(flat, grad, state, learning_rate=rates[step])
        grad[:] = np.nan
    assert np.array_equal(flat, path(optimizer, "float64")[2])


@every_optimizer
def test_the_state_is_plain_data_and_goes_on(optimizer: Optimizer) -> None:
    """A copy of parameters and state goes on to the same bits, so nothing hides in the optimizer."""
    flat, grads, _ = course()
    state = optimizer.init(flat, decayed=DECAYED)
    for grad in grads[:3]:
        flat, state = optimizer.update(flat, grad, state, learning_rate=0.1)
    saved = flat.copy(), copy.deepcopy(state)
    flat, state = optimizer.update(flat, grads[3].copy(), state, learning_rate=0.1)
    again, _ = optimizer.update(saved[0], grads[3], saved[1], learning_rate=0.1)
    assert np.array_equal(flat, again)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(weight_decay=0.5), AdamW(weight_decay=0.5), Lion(weight_decay=0.5),
        ClipByGlobalNorm(SGD(weight_decay=0.5), 1.0), EMA(AdamW(weight_decay=0.5)),
    ],
    ids=str,
)  # fmt: skip
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


def test_settings_by_position() -> None:
    """The rate first, then Keras' order; where Keras and PyTorch disagree, by keyword alone."""
    assert SGD(0.01, 0.9) == SGD(learning_rate=0.01, momentum=0.9)
    assert SGD(0.01, 0.9, True) == SGD(momentum=0.9, nesterov=True)
    assert Adam(0.0002, 0.5) == Adam(learning_rate=0.0002, beta1=0.5)
    assert RMSProp(0.001, 0.9, 0.5, 1e-7) == RMSProp(alpha=0.9, momentum=0.5, eps=1e-7)
    assert NAdam(0.01, 0.8, 0.9, 1e-7) == NAdam(learning_rate=0.01, beta1=0.8, beta2=0.9, eps=1e-7)
    assert Lion(0.001, 0.8, 0.9) == Lion(learning_rate=0.001, beta1=0.8, beta2=0.9)
    made: Any
    for made in (AdaGrad, AdamW):
        with pytest.raises(ConfigError, match=f"{made.__name__} takes learning_rate by position"):
            made(0.01, 0.9)


def test_the_default_rates() -> None:
    expected = {SGD: 0.01, RMSProp: 0.001, AdaGrad: 0.01, Adam: 0.001, AdamW: 0.001, NAdam: 0.001, Lion: 1e-4}
    assert {made: made().learning_rate for made in expected} == expected  # type: ignore[attr-defined]


def test_the_rate_of_what_is_wrapped() -> None:
    wrapped = EMA(ClipByGlobalNorm(AdamW(0.3, weight_decay=0.5), 7.0), 0.5)
    assert wrapped.learning_rate == 0.3
    assert with_learning_rate(wrapped, 0.1) == EMA(ClipByGlobalNorm(AdamW(0.1, weight_decay=0.5), 7.0), 0.5)
    with pytest.raises(ConfigError, match=r"learning_rate above 0, got -1\.0"):
        with_learning_rate(wrapped, -1.0)


@pytest.mark.parametrize("decayed", [0, 5, SIZE])
@pytest.mark.parametrize("made", [AdaGrad, RMSProp])
def test_coupled_decay_is_the_gradient_of_a_penalty(made: Any, decayed: int) -> None:
    """Half of w is added to the gradient of the entries that decay, and to that of no other."""
    flat, grads, _ = course()
    penalized = grads[0] + np.where(np.arange(SIZE) < decayed, 0.5, 0.0) * flat
    plain, decaying = made(), made(weight_decay=0.5)
    expected, _ = plain.update(flat.copy(), penalized, plain.init(flat, decayed=decayed), learning_rate=0.1)
    found, _ = decaying.update(flat.copy(), grads[0], decaying.init(flat, decayed=decayed), learning_rate=0.1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("optimizer", "first_rate"),
    [
        (SGD(momentum=0.9), 0.05), (AdaGrad(), 1.0), (RMSProp(), 0.05), (RMSProp(momentum=0.9), 0.005), (Adam(), 0.05),
        (AdamW(), 0.05), (NAdam(), 0.05), (Lion(), 0.05), (ClipByGlobalNorm(SGD(), 0.5), 0.1), (EMA(SGD()), 0.1),
    ],
    ids=str,
)  # fmt: skip
def test_a_minimum_is_found(optimizer: Optimizer, first_rate: float) -> None:
    goal, flat = np.asarray([3.0, -1.0, 0.5]), np.zeros(3)
    state = optimizer.init(flat, decayed=0)
    for step in range(1500):
        rate = first_rate * (1 - step / 1500)
        flat, state = optimizer.update(flat, flat - goal, state, learning_rate=rate)
    np.testing.assert_allclose(flat, goal, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(0.0), "SGD needs a finite learning_rate above 0, got 0.0"),
        (lambda: AdaGrad(-0.1), "AdaGrad needs a finite learning_rate above 0, got -0.1"),
        (lambda: RMSProp(math.nan), "RMSProp needs a finite learning_rate above 0, got nan"),
        (lambda: Adam(math.inf), "Adam needs a finite learning_rate above 0, got inf"),
        (lambda: AdamW(0), "AdamW needs a finite learning_rate above 0, got 0"),
        (lambda: NAdam("fast"), "NAdam needs a finite learning_rate above 0, got 'fast'"),  # type: ignore[arg-type]
        (lambda: Lion(None), "Lion needs a finite learning_rate above 0, got None"),  # type: ignore[arg-type]
        (lambda: SGD(momentum=1.0), "SGD needs 0 <= momentum < 1, got 1.0"),
        (lambda: SGD(momentum=-0.1), "SGD needs 0 <= momentum < 1, got -0.1"),
        (lambda: SGD(momentum=math.nan), "SGD needs 0 <= momentum < 1, got nan"),
        (lambda: SGD(nesterov=True), "SGD with nesterov=True needs a momentum above 0, such as momentum=0.9"),
        (lambda: Adam(beta1=1.0), "Adam needs 0 <= beta1 < 1, got 1.0"),
        (lambda: Adam(beta2=-1.0), "Adam needs 0 <= beta2 < 1, got -1.0"),
        (lambda: Adam(eps=0.0), "Adam needs a finite eps above 0, got 0.0"),
        (lambda: AdamW(beta2=2.0), "AdamW needs 0 <= beta2 < 1, got 2.0"),
        (lambda: SGD(weight_decay=-0.1), "SGD needs a finite weight_decay of at least 0, got -0.1"),
        (lambda: AdamW(weight_decay=math.nan), "AdamW needs a finite weight_decay of at least 0, got nan"),
        (lambda: AdamW(weight_decay=math.inf), "AdamW needs a finite weight_decay of at least 0, got inf"),
        (lambda: AdaGrad(eps=-1.0), "AdaGrad needs a finite eps above 0, got -1.0"),
        (lambda: AdaGrad(weight_decay=-1.0), "AdaGrad needs a finite weight_decay of at least 0, got -1.0"),
        (lambda: RMSProp(alpha=1.0), "RMSProp needs 0 <= alpha < 1, got 1.0"),
        (lambda: RMSProp(momentum=1.0), "RMSProp needs 0 <= momentum < 1, got 1.0"),
        (lambda: RMSProp(eps=math.nan), "RMSProp needs a finite eps above 0, got nan"),
        (lambda: RMSProp(weight_decay=-1.0), "RMSProp needs a finite weight_decay of at least 0, got -1.0"),
        (lambda: NAdam(beta1=1.0), "NAdam needs 0 <= beta1 < 1, got 1.0"),
        (lambda: NAdam(momentum_decay=-1.0), "NAdam needs a finite momentum_decay of at least 0, got -1.0"),
        (lambda: Lion(beta1=1.0), "Lion needs 0 <= beta1 < 1, got 1.0"),
        (lambda: Lion(beta2=-1.0), "Lion needs 0 <= beta2 < 1, got -1.0"),
        (lambda: Lion(weight_decay=-1.0), "Lion needs a finite weight_decay of at least 0, got -1.0"),
    ],
)
def test_settings_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
