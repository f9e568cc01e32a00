"""Parts of one's own: saved by name, loaded with `custom`, and told what they lack; files that could not be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import Callback, TrainedModel
from portanet.errors import CheckpointError, ConfigError, ModelError, PortanetError
from portanet.nn import CrossEntropy, Dense, Identity, Layer, ReLU, Residual, Sequential, cross_entropy, zeros
from portanet.nn.losses import Loss
from portanet.optim import SGD
from portanet.storage.model_card import ModelCard
from portanet.training.spec import TrainingSpec

X, Y = blobs(60)


@dataclass(frozen=True, repr=False)
class Twice(Loss):
    """A loss with a setting."""

    factor: float = 2.0

    def __call__(self, outputs: Any, labels: Any, weights: Any, /) -> Any:
        loss, slope = cross_entropy(outputs, labels, weights)
        return loss * self.factor, slope * self.factor


def thrice(outputs: Any, labels: Any, weights: Any) -> Any:
    loss, slope = cross_entropy(outputs, labels, weights)
    return loss * 3.0, slope * 3.0


@dataclass(frozen=True)
class Slow(SGD):
    """An optimizer with a setting of its own."""

    brake: float = 0.5

    def update(self, flat: Any, grads: Any, state: Any, *, learning_rate: float) -> Any:
        return super().update(flat, grads, state, learning_rate=learning_rate * self.brake)


def halved(step: int, steps: int) -> float:
    return 0.5


@dataclass
class Quiet(Callback):
    level: int = 3


def small(rng: Any, shape: Any, fan_in: int, fan_out: int) -> Any:
    return rng.normal(0.0, 0.01, shape)


class Bare:
    """No dataclass: what it was made with is not in the file."""

    def __init__(self, rate: float = 0.1) -> None:
        self.rate = rate

    def __call__(self, outputs: Any, labels: Any, weights: Any) -> Any:
        return cross_entropy(outputs, labels, weights)


OWN = [Twice, thrice, Slow, halved, Quiet, small]


@pytest.mark.parametrize("loss", [Twice(3.0), thrice], ids=["class", "function"])
def test_own_parts_are_saved_and_loaded(loss: Any, tmp_path: Path) -> None:
    model = Sequential(Dense(8, initializer=small), ReLU(), Dense(3))
    settings: dict[str, Any] = {"optimizer": Slow(0.1, brake=0.25), "schedule": halved, "callbacks": [Quiet(7)]}
    run = portanet.fit(model, X, Y, loss=loss, epochs=2, **settings)
    path = run.save(tmp_path / "m.safetensors")
    again = portanet.load(path, custom=OWN)
    assert again.spec == run.spec
    assert again.model == model
    assert again.evaluate(X, Y) == pytest.approx(run.evaluate(X, Y))
    name = loss.__name__ if loss is thrice else "Twice"
    rest = [own for own in OWN if own.__name__ != name]
    with pytest.raises(CheckpointError, match=rf"'{name}' is not known here; .*custom=\[{name}\]"):
        portanet.load(path, custom=rest)


def test_what_was_made_with_settings_that_are_not_in_the_file_is_not_made_without(tmp_path: Path) -> None:
    path = portanet.fit(Dense(3), X, Y, loss=Bare(0.5), epochs=1).save(tmp_path / "m")
    with pytest.raises(CheckpointError, match="Bare is not a dataclass"):
        portanet.load(path, custom=[Bare])


def test_a_run_is_resumed_without_custom(tmp_path: Path) -> None:
    def train(epochs: int, **settings: Any) -> Any:
        optimizer = Slow(0.1, brake=0.25)
        return portanet.fit(Dense(3), X, Y, loss=Twice(), optimizer=optimizer, epochs=epochs, **settings)

    train(2, checkpoints=tmp_path)
    assert np.array_equal(train(4, checkpoints=tmp_path).outputs(X), train(4).outputs(X))


@dataclass(frozen=True, repr=False)
class Shift(Layer):
    """y = x + shift, with faults to choose from."""

    fault: str = ""
    trainable_names: ClassVar[tuple[str, ...]] = ("shift",)

    def init(self, rng: Any, input_shape: Any) -> Any:
        return {} if self.fault == "no array" else {"shift": zeros(rng, input_shape, 1, 1)}

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        return x + params["shift"], None

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        slope = {"no gradient": {}, "None": {"shift": None}, "shape": {"shift": dy}}
        return dy, slope.get(self.fault, {"shift": dy.sum(axis=0)})


@pytest.mark.parametrize(
    ("fault", "facts"),
    [
        ("no array", ["Shift", "'shift'", "trainable_names", "init"]),
        ("no gradient", ["1.shift", "backward", "(8,)", "none"]),
        ("None", ["1.shift", "backward", "(8,)", "none"]),
        ("shape", ["1.shift", "backward", "(8,)", "(60, 8)"]),
    ],
)
@pytest.mark.parametrize("trace", [True, False])
def test_an_own_layer_is_told_what_it_forgot(fault: str, facts: list[str], trace: bool) -> None:
    backend = portanet.choose("numpy", trace=trace)
    portanet.fit(Sequential(Dense(8), Shift(), Dense(3)), X, Y, epochs=1, backend=backend)
    with pytest.raises(ModelError) as caught:
        portanet.fit(Sequential(Dense(8), Shift(fault), Dense(3)), X, Y, epochs=1, backend=backend)
    assert [fact for fact in facts if fact not in str(caught.value)] == []


def test_inside_a_container_too() -> None:
    with pytest.raises(ModelError, match=r"1\.0\.shift: backward must return a gradient"):
        portanet.fit(Sequential(Dense(8), Residual(Shift("no gradient")), Dense(3)), X, Y, epochs=1)


@pytest.mark.parametrize("name", ["model.tflite", "a.pt", "a.PTH", "a.h5", "a.keras", "a.pkl", "a.joblib", "a.json"])
def test_a_name_that_says_another_format(name: str, tmp_path: Path) -> None:
    run = portanet.fit(Dense(3), X, Y, epochs=1)
    with pytest.raises(ConfigError) as caught:
        run.save(tmp_path / name)
    stem = name.partition(".")[0]
    assert [fact for fact in (name, f"{stem}.safetensors") if fact not in str(caught.value)] == []
    assert not list(tmp_path.iterdir())


def test_names_that_say_nothing_else(tmp_path: Path) -> None:
    run = portanet.fit(Dense(3), X, Y, epochs=1)
    for name in ("m.safetensors", "m", "digits-0.5", "m.SAFETENSORS"):
        assert np.array_equal(portanet.load(run.save(str(tmp_path / name))).outputs(X), run.outputs(X))
    for wrong in (None, 3, "", [tmp_path]):
        for door in (run.save, portanet.load):
            with pytest.raises(ConfigError, match="path must be the path of a file or a folder, got "):
                door(wrong)  # type: ignore[operator]


MODEL = Sequential(Dense(2), ReLU(), Dense(3))


def by_hand(**changes: Any) -> TrainedModel:
    params = {
        "0": {"weight": np.ones((4, 2), np.float32), "bias": np.zeros(2, np.float32)},
        "2": {"weight": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.float32)},
    }
    given = {"model": MODEL, "params": params, "card": ModelCard((4,)), "spec": TrainingSpec()} | changes
    return TrainedModel(backend=portanet.choose("numpy"), **given)


def test_a_model_made_by_hand_is_saved_if_it_can_be_loaded(tmp_path: Path) -> None:
    run = by_hand()
    assert np.array_equal(portanet.load(run.save(tmp_path / "m")).outputs(X), run.outputs(X))


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"card": ModelCard((5,))}, ["0.weight", "(5, 2)", "(4, 2)"]),
        ({"card": ModelCard((4,), "float64")}, ["0.weight", "float64", "float32"]),
        ({"card": ModelCard((4,), classes=("a", "b"))}, ["2 classes", "3 outputs"]),
        ({"params": {}}, ["0.weight", "(4, 2)"]),
        ({"model": Sequential(Dense(2), ReLU())}, ["2.weight", "no layer"]),
        ({"model": Sequential(Dense(2), ReLU(), Dense(4))}, ["2.weight", "(2, 4)", "(2, 3)"]),
        ({"params": {"0": {"weight": np.full((4, 2), np.nan, np.float32)}}}, ["NaN", "0.weight"]),
    ],
    ids=str,
)
def test_a_file_that_could_not_be_loaded_is_not_written(changes: Any, facts: list[str], tmp_path: Path) -> None:
    with pytest.raises(PortanetError) as caught:
        by_hand(**changes).save(tmp_path / "m")
    assert [fact for fact in facts if fact not in str(caught.value)] == []
    assert not list(tmp_path.iterdir())


def test_near_misses_are_guessed() -> None:
    for name, guess in (("relu", "ReLU"), ("dense", "Dense"), ("LayerNrm", "LayerNorm")):
        with pytest.raises(ConfigError, match=f"{name!r} .*did you mean {guess!r}"):
            TrainingSpec().with_settings({"layers": [{"type": name}]})
    assert CrossEntropy() == cross_entropy


class WithoutNeedDx(Identity):
    """Takes fewer arguments than a layer is called with."""

    def backward(self, params: Any, cache: Any, dy: Any) -> Any:  # type: ignore[override]
        return dy, {}


def test_a_backward_that_takes_too_little_is_told_its_signature() -> None:
    model = Sequential(Dense(3), WithoutNeedDx(), Dense(2))
    with pytest.raises(ModelError, match=r"WithoutNeedDx\.backward.*need_dx"):
        portanet.fit(model, np.zeros((6, 4)), np.arange(6) % 2, epochs=1)


def test_params_of_lists_are_told_to_become_arrays() -> None:
    lists = {"0": {"weight": [[1.0] * 2] * 3, "bias": [0.0] * 2}}
    with pytest.raises(ModelError, match=r"weight.*numpy.asarray"):
        TrainedModel.from_params(Sequential(Dense(2)), lists, (3,))
    with pytest.raises(ModelError, match=r"weight.*numpy.asarray"):
        portanet.fit(Sequential(Dense(2)), np.zeros((6, 3)), np.arange(6) % 2, params=lists)
