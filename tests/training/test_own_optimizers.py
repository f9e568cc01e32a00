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
from portanet.errors import ConfigError
from portanet.optim.optimizer import weights
from portanet.training.checkpoints import Checkpoints

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


@dataclass(frozen=True)
class Holding(Descent):
    """Holds something in its state, and gives back what `after` makes of that."""

    held: Any
    after: Any = None
    elementwise: bool = False

    def init(self, flat: Any, *, decayed: int) -> Any:
        return [flat * 0.0, self.held(flat) if callable(self.held) else self.held]

    def update(self, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        return flat - learning_rate * grads, [state[0], self.after(state[1]) if self.after else state[1]]


@pytest.mark.parametrize("held", ["text", 1j, {1, 2}, object(), [np.float32]], ids=lambda held: type(held).__name__)
def test_a_state_that_cannot_be_saved_is_refused(backend: portanet.Backend, held: Any) -> None:
    with pytest.raises(ConfigError, match=r"the state of Holding holds .* it takes arrays made from flat, numbers"):
        fit(Holding(held), backend)


def test_arrays_of_another_library_are_refused(backend: portanet.Backend) -> None:
    if backend.name != "numpy":
        with pytest.raises(ConfigError, match=r"the state of Holding holds array\(.* of type ndarray"):
            fit(Holding(np.zeros(3)), backend)


@pytest.mark.parametrize(
    "after",
    [lambda held: [*held, 1.0], lambda held: None, lambda held: held[:-1], lambda held: [held[0], None]],
    ids=["longer", "none", "shorter", "entry"],
)
@pytest.mark.parametrize("elementwise", [True, False])
def test_a_state_keeps_its_form(backend: portanet.Backend, after: Any, elementwise: bool) -> None:
    for optimizer in (Holding([1.0, 2.0], after, elementwise), optim.EMA(Holding([1.0, 2.0], after, elementwise))):
        with pytest.raises(ConfigError, match=r"update of .* must return a state of the form that it was given"):
            fit(optimizer, backend)


def test_an_array_that_is_not_one_of_the_vector_stays_one(backend: portanet.Backend) -> None:
    """It is in each part of the state, and would grow with each run of steps if the parts were put together."""
    held = Holding(lambda flat: flat[:2] * 0.0, lambda array: array + 1.0, elementwise=True)
    run = fit(held, backend)
    np.testing.assert_allclose(host(run), host(fit(Descent(), backend)), rtol=1e-5, atol=1e-6)


def test_wrappers_of_an_own_optimizer_have_settings_to_save(tmp_path: Path) -> None:
    """Named by its class where it is no dataclass: in checkpoints, in model files, and for a resumed run."""
    for number, wrapper in enumerate((optim.EMA(Descent()), optim.ClipByGlobalNorm(Descent(), 1.0))):
        folder = tmp_path / str(number)
        run = fit(wrapper, portanet.choose("numpy"), checkpoints=Checkpoints(folder))
        again = fit(wrapper, portanet.choose("numpy"), checkpoints=Checkpoints(folder))
        assert np.array_equal(host(run), host(again))
        assert run.spec.to_dict()["optimizer"]["optimizer"] == {"type": "Descent"}
        portanet.load(run.save(folder / "model.safetensors"))
