"""What a training step costs on a GPU, counted: the table of portanet/backends/__init__.py.

The counts come from the emulated device that CuPy runs on without a GPU (its module `counts`); they are those of
CuPy itself, so they hold on a card too. A number here goes up only with a reason in the commit.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import portanet
from portanet import nn, optim
from portanet.backends.steps import Steps
from portanet.nn.images import batch_first
from portanet.nn.noise import Key

pytestmark = pytest.mark.libraries

START = nn.uniform(-0.5, 0.5)
CLASSIC = nn.Sequential(
    nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(16, initializer=START), nn.ReLU(), nn.Dense(10, initializer=START)
)
MLP = nn.Sequential(
    nn.Standardize("all"), nn.Flatten(), nn.Dense(32), nn.ReLU(), nn.Dense(16), nn.ReLU(), nn.Dense(10)
)  # fmt: skip

CNN = nn.Sequential(
    nn.Standardize("all"), nn.Conv2D(4, 3), nn.ReLU(), nn.MaxPool2D(), nn.Conv2D(8, 3, padding="same"), nn.ReLU(),
    nn.Flatten(), nn.Dense(10),
)  # fmt: skip

LAUNCHES: list[tuple[str, nn.Layer, optim.Optimizer, Any, int]] = [
    ("classic, SGD", CLASSIC, optim.SGD(), "full", 18),
    ("classic, momentum", CLASSIC, optim.SGD(momentum=0.9), "full", 18),
    ("classic, Adam", CLASSIC, optim.Adam(), "full", 18),
    ("mlp, AdamW", MLP, optim.AdamW(), 32, 22),
    ("small convolutional net, Adam", CNN, optim.Adam(), 32, 48),
]


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> Any:
    return pytest.importorskip("counts", reason="launches are counted by CuPy's emulated device only").counts


@pytest.mark.parametrize(("name", "model", "optimizer", "batch_size", "launches"), LAUNCHES, ids=lambda v: str(v)[:20])
def test_a_step_on_resident_data(
    counts: Any, name: str, model: nn.Layer, optimizer: optim.Optimizer, batch_size: Any, launches: int
) -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (128, 1, 8, 8)).astype(np.uint8), rng.integers(0, 10, 128)
    backend = portanet.choose("cupy")
    compile_step, steps = backend.compile, []

    def counting(step: Any, per_array: Any = None) -> Steps:
        def counted(*arguments: Any) -> Any:
            before = counts()
            result = step(*arguments)
            after = counts()
            steps.append({key: after[key] - before[key] for key in after if after[key] != before[key]})
            return result

        return compile_step(counted)

    backend.compile = counting  # type: ignore[method-assign]
    epochs = 32 if batch_size == "full" else 8
    portanet.fit(
        model, x, labels, optimizer=optimizer, batch_size=batch_size, backend=backend, epochs=epochs, log_every=100
    )
    assert len(steps) == 32  # after 20 of them a step is traced
    assert steps[-1].keys() <= {"launches", "memsets"}  # no synchronisation, no copy, no allocation
    assert sum(steps[-1].values()) == launches
    assert all(step.keys() <= {"launches", "memsets", "mallocs"} for step in steps)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_on_streamed_data(counts: Any, monkeypatch: pytest.MonkeyPatch, weighted: bool) -> None:
    """One copy for the rows of each step, one for the numbers of a run of steps, and nothing is waited for."""
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (128, 1, 8, 8)).astype(np.uint8), rng.integers(0, 10, 128)
    backend = portanet.choose("cupy")
    monkeypatch.setattr(backend, "free_memory", lambda: 0)
    readings = []

    class Count(portanet.Callback):
        def advance(self, step: int) -> None:
            readings.append((step, counts()))

    weights = np.arange(128) if weighted else None
    portanet.fit(
        MLP, x, labels, batch_size=24, sample_weight=weights, backend=backend, epochs=5, log_every=100,
        callbacks=[Count()],
    )  # fmt: skip
    steps = [step for step, _ in readings]
    assert steps == list(range(1, 31))  # so short an epoch has a run for each step
    for (_, before), (_, after) in pairwise(readings[12:]):
        spent = {key: after[key] - before[key] for key in after if after[key] != before[key]}
        assert spent.pop("launches") > 0
        assert spent.pop("h2d") == 2, spent
        assert not spent, spent


def test_an_epoch_sends_its_order_once_and_reads_nothing(counts: Any) -> None:
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (128, 1, 8, 8)).astype(np.uint8), rng.integers(0, 10, 128)
    backend = portanet.choose("cupy")
    readings = []

    class Count(portanet.Callback):
        def advance(self, step: int) -> None:
            readings.append((step, counts()))

    portanet.fit(MLP, x, labels, batch_size=32, backend=backend, epochs=5, log_every=100, callbacks=[Count()])
    (_, before), (_, after) = readings[7], readings[15]  # the ends of the second and of the fourth epoch
    spent = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert spent.pop("launches") > 0
    assert spent.pop("h2d", 0) == 2, spent
    assert not spent, spent


def spent(counts: Any, function: Callable[..., Any], *arguments: Any) -> dict[str, int]:
    """What a call asks of the device when the function is traced, as it is in training."""
    replayed = portanet.choose("cupy").tracer()(lambda *given: (function(*given),), reused=0, warmup=0)
    for _ in range(3):  # the first times may allocate
        before = counts()
        replayed(*arguments)
        after = counts()
    assert replayed.programs()
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def passes(layer: nn.Layer) -> Callable[..., Any]:
    """Forward, backward and the running values after it, of a batch and the gradient that comes from above."""

    def function(params: Any, x: Any, dy: Any, value: Any, position: Any) -> Any:
        y, cache = layer.forward(params, x, train=True, key=Key(value, position))
        return y, layer.backward(params, cache, dy), layer.next_buffers(params, cache)

    return function


def test_dropout(counts: Any) -> None:
    x = portanet.choose("cupy").put(np.ones((32, 16)), "float32")
    assert spent(counts, passes(nn.Dropout(0.3)), {}, x, x, 3, 5) == {"launches": 2}


def test_random_affine(counts: Any) -> None:
    x, layer = portanet.choose("cupy").put(np.ones((8, 1, 9, 9), np.uint8)), nn.RandomAffine()

    def forward(x: Any, value: Any, position: Any) -> Any:
        return layer.forward({}, x, train=True, key=Key(value, position))[0]

    assert spent(counts, forward, x, 3, 5) == {"launches": 15}


@pytest.mark.parametrize(
    ("layer", "shape", "launches"),
    [(nn.BatchNorm(), (16,), 6), (nn.BatchNorm(), (3, 4, 4), 9), (nn.LayerNorm(), (16,), 8)],
    ids=str,
)
def test_normalisation(counts: Any, layer: nn.Layer, shape: tuple[int, ...], launches: int) -> None:
    backend = portanet.choose("cupy")
    x = backend.put(np.random.default_rng(0).normal(size=(32, *shape)), "float32")
    host = layer.init(np.random.default_rng(0), shape)
    params = {name: backend.put(array, "float32") for name, array in host.items()}
    assert spent(counts, passes(layer), params, x, x, 3, 5) == {"launches": launches}


@pytest.mark.parametrize(
    ("layer", "launches"),
    [
        (nn.Conv2D(4, 3), 14),
        (nn.Conv2D(4, 3, stride=2, padding="same"), 24),
        (nn.MaxPool2D(), 8),
        (nn.AveragePool2D(), 2),
        (nn.GlobalAveragePool2D(), 2),
    ],
    ids=str,
)
def test_layers_of_images(counts: Any, layer: nn.Layer, launches: int) -> None:
    """With images in memory as the layer before has left them."""
    backend, rng = portanet.choose("cupy"), np.random.default_rng(0)
    params = {name: backend.put(array, "float32") for name, array in layer.init(rng, (3, 8, 8)).items()}
    x = batch_first(backend.put(rng.normal(size=(3, 8, 8, 32)), "float32"))
    dy, _ = layer.forward(params, x, train=True)
    assert spent(counts, passes(layer), params, x, dy, 3, 5) == {"launches": launches}
