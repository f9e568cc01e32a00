"""Optimizers of your own: two methods are enough, and their state is theirs alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import Callback, nn, optim
from portanet.optim.optimizer import weights
from portanet.training.resume import Checkpoints

X, LABELS = blobs(60)
MODEL = nn.Sequential(nn.Standardize(), nn.Dense(3))


@dataclass(frozen=True)
class Averages:
    """Descent along the average gradient, which it keeps for itself as "average"."""

    learning_rate: float = 0.1

    def init(self, flat: Any, *, decayed: int) -> dict[str, Any]:
        return {"average": flat * 0.0, "nothing": None, "inner": {"count": 0.0}}

    def update(self, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        average = 0.9 * state["average"] + grads
        inner = {"count": state["inner"]["count"] + 1.0}
        return flat - learning_rate * average, {"average": average, "nothing": None, "inner": inner}


class Descent:
    """Nothing but the two methods."""

    def init(self, flat: Any, *, decayed: int) -> Any:
        return ()

    def update(self, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        return flat - learning_rate * grads, state


def fit(optimizer: Any, backend: Any = "numpy", **settings: Any) -> portanet.TrainedModel:
    return portanet.fit(MODEL, X, LABELS, optimizer=optimizer, backend=backend, epochs=4, batch_size=20, **settings)


def host(run: portanet.TrainedModel) -> Any:
    return run.backend.to_numpy(run.params["1"]["weight"])


def test_an_average_that_is_its_own(backend: portanet.Backend) -> None:
    """The weights are the weights, whatever the state calls its entries."""
    run, momentum = fit(Averages(), backend), fit(optim.SGD(0.1, momentum=0.9), backend)
    np.testing.assert_allclose(host(run), host(momentum), rtol=1e-4, atol=1e-6)
    flat = np.ones(3)
    assert weights(Averages(), flat, Averages().init(flat, decayed=0)) is flat


def test_two_methods_are_enough(backend: portanet.Backend) -> None:
    """Without a learning rate of its own, the schedule's factor is the rate."""
    run, descent = fit(Descent(), backend, schedule=lambda step, steps: 0.2), fit(optim.SGD(0.2), backend)
    np.testing.assert_allclose(host(run), host(descent), rtol=1e-4, atol=1e-6)
    assert run.history[-1]["learning_rate"] == 0.2


def test_wrapped(backend: portanet.Backend) -> None:
    for optimizer in (optim.EMA(Averages(), 0.5), optim.ClipByGlobalNorm(Averages(), 0.1), optim.EMA(Descent())):
        assert np.isfinite(fit(optimizer, backend).history[-1]["loss"])


class Dies(Callback):
    def __init__(self, steps: int) -> None:
        self.steps = steps

    def advance(self, step: int) -> None:
        if step >= self.steps:
            raise RuntimeError("killed")


def always(folder: Path) -> Checkpoints:
    checkpoints = Checkpoints(folder, every=0.0)
    checkpoints.due = lambda: True  # type: ignore[method-assign]
    return checkpoints


@pytest.mark.parametrize(
    "optimizer",
    [
        Averages(),
        optim.EMA(optim.ClipByGlobalNorm(Averages(), 0.5)),
        optim.EMA(optim.EMA(optim.NAdam(), 0.9)),
        Descent(),
    ],
    ids=["dict", "in a wrapper", "nested", "empty"],
)
def test_an_interrupted_run_goes_the_same_way(backend: portanet.Backend, tmp_path: Path, optimizer: Any) -> None:
    settings: dict[str, Any] = {"schedule": optim.cosine_decay(warmup=0.1)}
    with pytest.raises(RuntimeError, match="killed"):
        fit(optimizer, backend, checkpoints=always(tmp_path), callbacks=[Dies(7)], **settings)
    resumed, whole = (
        fit(optimizer, backend, checkpoints=always(tmp_path), **settings),
        fit(optimizer, backend, **settings),
    )
    assert np.array_equal(host(resumed), host(whole))


class Listed(Descent):
    """Its state is a list; and each number is treated by itself."""

    elementwise = True

    def init(self, flat: Any, *, decayed: int) -> Any:
        return [flat * 0.0, {"inner": [flat * 0.0, 0.0]}]

    def update(self, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        velocity, (other, steps) = 0.9 * state[0] + grads, state[1]["inner"]
        return flat - learning_rate * velocity, [velocity, {"inner": [other + grads, steps + 1.0]}]


def test_a_state_may_be_a_list(backend: portanet.Backend, tmp_path: Any) -> None:
    """Saved, interrupted and resumed too."""
    momentum = fit(optim.SGD(0.1, momentum=0.9), backend)
    settings: dict[str, Any] = {"schedule": lambda step, steps: 0.1}
    np.testing.assert_allclose(host(fit(Listed(), backend, **settings)), host(momentum), rtol=1e-4, atol=1e-6)
    with pytest.raises(RuntimeError):
        fit(Listed(), backend, checkpoints=portanet.Checkpoints(tmp_path, every=0), callbacks=[Dies(7)], **settings)
    resumed = fit(Listed(), backend, checkpoints=portanet.Checkpoints(tmp_path, every=0), **settings)
    np.testing.assert_allclose(host(resumed), host(momentum), rtol=1e-4, atol=1e-6)
