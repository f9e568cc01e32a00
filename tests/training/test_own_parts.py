"""Losses, layers and optimizers of one's own, which may read what has changed, and keep buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import Backend
from portanet.errors import ConfigError, ModelError
from portanet.nn import Dense, Layer, Residual, Sequential, cross_entropy
from portanet.optim import SGD

X, LABELS = blobs(96)
FACTOR = {0: 1.0}


def scaled_loss(outputs: Any, labels: Any, weights: Any) -> Any:
    loss, dlogits = cross_entropy(outputs, labels, weights)
    return loss * FACTOR[0], dlogits * FACTOR[0]


@dataclass(frozen=True)
class ScaledLoss:
    """Equal to every other, although it reads what is no field."""

    def __call__(self, outputs: Any, labels: Any, weights: Any) -> Any:
        return scaled_loss(outputs, labels, weights)


@dataclass(frozen=True, repr=False)
class Scaled(Layer):
    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        return x * FACTOR[0], None

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return dy * FACTOR[0], {}


@dataclass(frozen=True)
class ScaledSGD(SGD):
    def update(self, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        grads *= FACTOR[0]
        return super().update(flat, grads, state, learning_rate=learning_rate)


@pytest.mark.parametrize(
    "parts",
    [
        {"loss": scaled_loss},
        {"loss": ScaledLoss()},
        {"model": Sequential(Residual(Scaled()), Dense(3))},
        {"optimizer": ScaledSGD(0.1)},
    ],
    ids=["function", "loss", "layer", "optimizer"],
)
def test_a_second_training_reads_what_has_changed(
    parts: Any, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that was compiled or traced for the first training holds what the parts read then."""

    def train() -> list[float]:
        usual: dict[str, Any] = {"model": Sequential(Dense(3)), "optimizer": SGD(0.1)}
        run = portanet.fit(
            x=X, labels=LABELS, epochs=2, batch_size="full", backend=backend, dtype="float64", **usual | parts
        )
        return [row["loss"] for row in run.history]

    plain = portanet.choose("numpy", trace=False)
    for factor in (1.0, 10.0, 0.5):
        monkeypatch.setitem(FACTOR, 0, factor)
        found, backend_then = train(), backend
        backend = plain
        expected = train()
        backend = backend_then
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@dataclass(frozen=True, repr=False)
class Counter(Layer):
    """Counts its training steps in a buffer."""

    def init(self, rng: Any, input_shape: Any) -> Any:
        return {"steps": np.zeros(())}

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        return x, None

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return dy, {}

    def next_buffers(self, params: Any, cache: Any) -> Any:
        return {"steps": params["steps"] + 1.0}


class Chain(Sequential):
    """With buffers of its own beside those of its children."""

    def init(self, rng: Any, input_shape: Any) -> Any:
        return super().init(rng, input_shape) | {"steps": np.zeros(())}

    def next_buffers(self, params: Any, cache: Any) -> Any:
        return super().next_buffers(params, cache) | {"steps": params["steps"] + 1.0}


COUNTING = [Sequential(Counter(), Dense(3)), Chain(Dense(3)), Sequential(Residual(Counter()), Dense(3))]


def steps_of(run: portanet.TrainedModel) -> float:
    tree: Any = run.params
    while "steps" not in tree:
        tree = tree["0"]
    return float(run.backend.to_numpy(tree["steps"]))


@pytest.mark.parametrize("model", COUNTING, ids=lambda model: type(model).__name__)
def test_buffers_are_kept_whatever_the_batch(model: Layer, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where rowwise models are cut into shards."""
    monkeypatch.setattr("portanet.training.steps.gradient._SHARD_MACS", 1)
    monkeypatch.setattr("portanet.training.steps.gradient._SHARD_ROWS", 8)
    run = portanet.fit(model, X, LABELS, epochs=2, batch_size=48, backend=backend)
    assert steps_of(run) == 4.0
    with pytest.raises(ConfigError, match=r"(Counter|Chain) .*in parts"):
        portanet.fit(model, X, LABELS, epochs=2, batch_size=48, accumulate=2, backend=backend)


def test_a_layer_that_says_it_is_rowwise_loses_no_buffers_in_silence(backend: Backend) -> None:
    class Claims(Counter):
        rowwise = True  # type: ignore[assignment]

    with pytest.raises(ModelError, match="buffers of layer 0"):
        portanet.fit(Sequential(Claims(), Dense(3)), X, LABELS, epochs=2, accumulate=2, backend=backend)


@pytest.mark.parametrize("loss", [scaled_loss, ScaledLoss()], ids=["function", "loss"])
def test_what_changes_during_a_training_is_seen_where_steps_are_traced(
    loss: Any, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend.name == "jax":
        pytest.skip("its compiler asks once")
    monkeypatch.setitem(FACTOR, 0, 1.0)

    class Change(portanet.Callback):
        def log(self, row: dict[str, Any]) -> None:
            FACTOR[0] = 1.0 if row["step"] < 50 else 10.0

    settings: dict[str, Any] = {"batch_size": "full", "optimizer": SGD(1e-30), "callbacks": [Change()]}
    run = portanet.fit(Sequential(Dense(3)), X, LABELS, loss=loss, epochs=120, backend=backend, **settings)
    first, last = run.history[0]["loss"], run.history[-1]["loss"]
    assert last == pytest.approx(10 * first, rel=1e-5)
