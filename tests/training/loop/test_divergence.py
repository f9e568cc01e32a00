"""Numbers that stop being finite: the step and the layer where that began are named, and the last good state stays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import nn, optim
from portanet.backends import Backend
from portanet.errors import DivergenceError
from portanet.nn.noise import uniform
from portanet.storage import snapshot
from portanet.training.checkpoints import Checkpoints
from portanet.training.loop.batches import Batches
from portanet.xp import cast, namespace

X, LABELS = blobs(60)
X = X.astype(np.float32)


@dataclass(frozen=True, repr=False)
class Poison(nn.Layer):
    """Passes everything on but, at a step of its own counting, an infinite output or an infinite gradient."""

    at: int
    forwards: bool

    @property
    def rowwise(self) -> bool:
        return False

    def init(self, rng: Any, input_shape: Any) -> dict[str, Any]:
        return {"count": np.zeros(1, np.float32)}

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        xp, count = namespace(params["count"]), params["count"]
        factor = xp.where(count == float(self.at), xp.full_like(count, math.inf), xp.ones_like(count))
        return (cast(x, count.dtype) * factor if self.forwards and train else x), (factor, train)

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return (dy if self.forwards else dy * cache[0]), {}

    def next_buffers(self, params: Any, cache: Any) -> Any:
        return {"count": params["count"] + 1.0} if cache[1] else {}


@dataclass(frozen=True, repr=False)
class Lightning(nn.Layer):
    """Passes everything on but a few values that its noise chooses, which become infinite."""

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        xp = namespace(x)
        return (xp.where(uniform(key, x) < 0.002, xp.full_like(x, math.inf), x) if train else x), None

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return dy, {}


@dataclass(frozen=True)
class Jump:
    """The usual learning rate of 0.01 but for one step."""

    at: int
    rate: float = 1e38

    def __call__(self, step: int, steps: int, /) -> float:
        return self.rate / 0.01 if step == self.at else 1.0


def diverging(model: nn.Layer, folder: Path | None = None, **settings: Any) -> DivergenceError:
    """What a training of 40 steps in 8 epochs ends with."""
    usual: dict[str, Any] = {
        "epochs": 8, "batch_size": 12, "optimizer": optim.SGD(0.01), "seed": 4,
    }  # fmt: skip
    kept = Checkpoints(folder) if folder else None
    if kept is not None:
        kept.due = lambda: True  # type: ignore[method-assign]
    with pytest.raises(DivergenceError) as caught:
        portanet.fit(model, X, LABELS, checkpoints=kept, **usual | settings)
    assert "\n" not in str(caught.value)
    assert f"training diverged at step {caught.value.step} (learning rate " in str(caught.value)
    assert "; try a smaller learning rate, or scale the inputs." in str(caught.value)
    return caught.value


def around(*layers: nn.Layer) -> nn.Sequential:
    """These layers as number 2 and on, between others."""
    return nn.Sequential(nn.Standardize(), nn.Dense(6), *layers, nn.ReLU(), nn.Dense(3))


@pytest.mark.parametrize(("at", "forwards"), [(0, True), (7, False), (39, True)])
def test_a_layer_of_mini_batches(backend: Backend, at: int, forwards: bool) -> None:
    error = diverging(around(Poison(at, forwards)), backend=backend, log_every=3)
    assert (error.step, error.layer) == (at, "2")
    what = "the output of" if forwards else "the gradient from"
    assert f"{what} layer 2, Poison(at={at}, forwards={forwards}), is infinite or NaN" in str(error)


@pytest.mark.parametrize(("log_every", "forwards"), [(1, False), (4, True), (100, False)])
def test_a_layer_of_full_batches(backend: Backend, log_every: int, forwards: bool) -> None:
    settings: dict[str, Any] = {"batch_size": "full", "epochs": 30, "log_every": log_every, "backend": backend}
    error = diverging(around(Poison(17, forwards)), **settings)
    assert (error.step, error.layer) == (17, "2")


def test_noise_is_the_same_in_the_search(backend: Backend) -> None:
    error = diverging(around(nn.Sequential(nn.ReLU(), Lightning())), backend=backend)
    assert error.layer == "2.1"
    assert "the output of layer 2.1, Lightning(), is infinite or NaN" in str(error)


@pytest.mark.parametrize(("container", "forwards"), [(nn.Sequential, True), (nn.Residual, False)])
def test_a_layer_inside_of_others(backend: Backend, container: Any, forwards: bool) -> None:
    poison = nn.Sequential(nn.Dense(6), Poison(8, forwards), nn.Dense(6))
    error = diverging(around(container(nn.ReLU(), poison, nn.ReLU())), backend=backend)
    assert (error.step, error.layer) == (8, "2.1.1")


@pytest.mark.parametrize("model", [nn.Sequential(nn.Dense(5), nn.ReLU(), nn.Dense(3)), nn.Dense(3)], ids=str)
def test_the_row_that_is_too_large(backend: Backend, model: nn.Layer) -> None:
    """One of 60 rows, which comes at the step that the order of the epoch says."""
    rows = X.copy()
    rows[23] = 3e38
    place = list(Batches(60, 12, 4).order(0)).index(23) // 12
    with pytest.raises(DivergenceError) as caught:
        portanet.fit(model, rows, LABELS, batch_size=12, seed=4, backend=backend)
    assert (caught.value.step, caught.value.layer) == (place, "0")


@pytest.mark.parametrize(("batch_size", "log_every"), [(12, 1), (12, 5), ("full", 5)])
def test_the_update(backend: Backend, batch_size: Any, log_every: int) -> None:
    settings: dict[str, Any] = {"batch_size": batch_size, "log_every": log_every, "epochs": 20, "backend": backend}
    start = nn.uniform(-90.0, 90.0)  # logits far apart, so the gradient is not small
    error = diverging(
        nn.Sequential(nn.Dense(6, initializer=start), nn.ReLU(), nn.Dense(3, initializer=start)),
        schedule=Jump(14),
        **settings,
    )
    assert (error.step, error.layer) == (14, "")
    assert "at step 14 (learning rate 1e+38, loss " in str(error)
    assert "the update made the weights, or what the optimizer keeps, infinite or NaN" in str(error)


def test_a_weight_that_grows(backend: Backend) -> None:
    """The update of step 14 is finite, the products with its weights in step 15 are not."""
    model = nn.Sequential(nn.Standardize(), nn.Dense(6), nn.ReLU(), nn.Dense(3))
    error = diverging(model, schedule=Jump(14, 1e37), backend=backend)
    assert (error.step, error.layer) == (15, "3")
    assert "the output of layer 3, Dense(units=3), is infinite or NaN" in str(error)


def test_the_last_good_state_stays(backend: Backend, tmp_path: Path) -> None:
    """Kept until step 8, where the trouble began, and the same settings end in the same words."""
    settings: dict[str, Any] = {"backend": backend, "batch_size": 3}
    first = diverging(around(Poison(27, False)), tmp_path, **settings)
    tree, note = snapshot.read_snapshot(tmp_path)
    assert (first.step, tree["steps"], note) == (27, 26, None)
    assert np.isfinite(tree["flat"]).all()
    assert all(np.isfinite(dict(row)["loss"]) for row in tree["history"])
    again = diverging(around(Poison(27, False)), tmp_path, **settings)
    assert (again.step, again.layer) == (27, "2")
    assert snapshot.read_snapshot(tmp_path)[0]["flat"].tobytes() == tree["flat"].tobytes()


@pytest.mark.parametrize("optimizer", [optim.SGD(1e-30), optim.Adam(1e-30)], ids=["SGD", "Adam"])
def test_the_loss_alone(backend: Backend, optimizer: optim.Optimizer) -> None:
    """The square of 1e25 is infinite, its derivative is not, nor are the weights."""
    far = {
        "0": {"mean": np.zeros(4), "deviation": np.ones(4)},
        "1": {"weight": np.full((4, 1), 1e25), "bias": np.zeros(1)},
    }
    with pytest.raises(DivergenceError, match="the loss, or its gradient, is infinite or NaN") as caught:
        portanet.fit(
            nn.Sequential(nn.Standardize(), nn.Dense(1)), X, X[:, 0], loss=nn.mean_squared_error, backend=backend,
            params=far, optimizer=optimizer, batch_size=12, epochs=3,
        )  # fmt: skip
    assert (caught.value.step, caught.value.layer) == (0, "")


@pytest.mark.parametrize("forwards", [True, False], ids=["output", "gradient"])
def test_an_optimizer_that_hides_it(backend: Backend, forwards: bool) -> None:
    """Lion takes the sign of an infinite momentum, so the weights stay finite."""
    error = diverging(around(Poison(11, forwards)), optimizer=optim.Lion(0.01), backend=backend)
    assert (error.step, error.layer) == (11, "2")


def test_squares_that_an_optimizer_keeps(backend: Backend) -> None:
    """The square of a gradient of 1e20 is infinite; Adam divides by its root, and the weights would stand still."""
    with pytest.raises(DivergenceError, match="or what the optimizer keeps, infinite or NaN") as caught:
        portanet.fit(
            nn.Dense(1), np.full((60, 4), 1e20), X[:, 0], loss=nn.mean_absolute_error, backend=backend, batch_size=12,
        )  # fmt: skip
    assert (caught.value.step, caught.value.layer) == (0, "")
