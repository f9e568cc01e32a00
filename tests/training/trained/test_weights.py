"""Weights from PyTorch and for PyTorch: the same outputs both ways, for every layer that torch has."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import Backend, TrainedModel, nn
from portanet.errors import ModelError, PortanetError
from portanet.nn import Dense, Frozen, ReLU, Rescale, Sequential

RNG = np.random.default_rng(6)
X, Y = blobs(60)


def cases(torch: Any) -> dict[str, tuple[nn.Layer, Any, tuple[int, ...]]]:
    """Layers, the same in torch.nn, and the shape of a row; for each a layer with weights stands before it."""
    t = torch.nn
    flat = {
        "ReLU": (nn.ReLU(), t.ReLU()), "LeakyReLU": (nn.LeakyReLU(0.1), t.LeakyReLU(0.1)), "ELU": (nn.ELU(), t.ELU()),
        "SELU": (nn.SELU(), t.SELU()), "GELU": (nn.GELU(), t.GELU(approximate="tanh")), "SiLU": (nn.SiLU(), t.SiLU()),
        "Sigmoid": (nn.Sigmoid(), t.Sigmoid()), "Tanh": (nn.Tanh(), t.Tanh()),
        "Softplus": (nn.Softplus(), t.Softplus()), "Mish": (nn.Mish(), t.Mish()),
        "Identity": (nn.Identity(), t.Identity()),
        "Dropout": (nn.Dropout(0.5), t.Dropout(0.5)), "LayerNorm": (nn.LayerNorm(), t.LayerNorm(5)),
        "BatchNorm": (nn.BatchNorm(), t.BatchNorm1d(5)), "Dense": (Dense(5), t.Linear(5, 5)),
        "Frozen": (Frozen(Dense(5)), t.Linear(5, 5)),
        "Sequential": (Sequential(Dense(5), ReLU()), t.Sequential(t.Linear(5, 5), t.ReLU())),
    }  # fmt: skip
    image = {
        "Conv2D": (nn.Conv2D(3, 3, stride=2, padding=1), t.Conv2d(3, 3, 3, stride=2, padding=1)),
        "same": (nn.Conv2D(3, 3, padding="same"), t.Conv2d(3, 3, 3, padding="same")),
        "BatchNorm2d": (nn.BatchNorm(), t.BatchNorm2d(3)), "MaxPool2D": (nn.MaxPool2D(), t.MaxPool2d(2)),
        "AveragePool2D": (nn.AveragePool2D(), t.AvgPool2d(2)), "LayerNorm2d": (nn.LayerNorm(), t.LayerNorm((3, 6, 6))),
    }  # fmt: skip
    found: dict[str, tuple[nn.Layer, Any, tuple[int, ...]]] = {}
    for name, (ours, theirs) in flat.items():
        model = Sequential(Dense(5), ours, Dense(3))
        found[name] = (model, t.Sequential(t.Linear(4, 5), theirs, t.Linear(5, 3)), (4,))
    for name, (ours, theirs) in image.items():
        body = t.Sequential(t.Conv2d(2, 3, 3), theirs, t.Flatten())
        features = body(torch.zeros(1, 2, 8, 8)).shape[1]
        model = Sequential(nn.Conv2D(3, 3), ours, nn.Flatten(), Dense(3))
        found[name] = (model, t.Sequential(*body, t.Linear(features, 3)), (2, 8, 8))
    pooled = t.Sequential(t.Conv2d(2, 3, 3), t.AdaptiveAvgPool2d(1), t.Flatten(), t.Linear(3, 2))
    # torch needs a Flatten of its own behind it
    ours = Sequential(nn.Conv2D(3, 3), nn.GlobalAveragePool2D(), nn.Identity(), Dense(2))
    found["GlobalAveragePool2D"] = (ours, pooled, (2, 8, 8))
    words = t.Sequential(t.Embedding(7, 3), t.Flatten(), t.Linear(12, 2))
    found["Embedding"] = (Sequential(nn.Embedding(7, 3), nn.Flatten(), Dense(2)), words, (4,))
    return found


NAMES = [
    "ReLU", "LeakyReLU", "ELU", "SELU", "GELU", "Mish", "SiLU", "Sigmoid", "Tanh", "Softplus", "Identity", "Dropout",
    "LayerNorm", "BatchNorm", "Dense", "Frozen", "Sequential", "Conv2D", "same", "BatchNorm2d", "MaxPool2D",
    "AveragePool2D", "LayerNorm2d", "GlobalAveragePool2D", "Embedding",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_both_ways_give_the_outputs_of_torch(name: str, torch: Any) -> None:
    torch.manual_seed(3)
    model, theirs, shape = cases(torch)[name]
    for array in theirs.state_dict().values():  # BatchNorm's and LayerNorm's are 0 and 1 at first
        if array.is_floating_point():
            array.copy_(torch.rand(array.shape) + 0.1)
    theirs.eval()
    words = name == "Embedding"
    x = RNG.integers(0, 7, (9, *shape)).astype(np.float32) if words else RNG.normal(size=(9, *shape)).astype(np.float32)
    expected = theirs(torch.from_numpy(x).long() if words else torch.from_numpy(x)).detach().numpy()

    run = TrainedModel.from_state_dict(model, theirs.state_dict(), shape)
    np.testing.assert_allclose(run.outputs(x), expected, rtol=1e-5, atol=1e-5)

    state = run.to_state_dict()
    wanted = {key: value for key, value in theirs.state_dict().items() if "num_batches" not in key}
    assert {key: array.shape for key, array in state.items()} == {key: tuple(v.shape) for key, v in wanted.items()}
    again = cases(torch)[name][1]
    again.load_state_dict({key: torch.from_numpy(array) for key, array in state.items()})
    again.eval()
    found = again(torch.from_numpy(x).long() if words else torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_every_layer_that_torch_has_is_compared(torch: Any) -> None:
    theirs = {name.lower() for name in dir(torch.nn)}
    ours = {name for name, made in nn.LAYERS.items() if isinstance(made, type) and issubclass(made, nn.Layer)}
    assert {name for name in ours if name.lower() in theirs} <= {*NAMES, "Flatten"}


def test_by_hand() -> None:
    """2 inputs, one unit: 1 * 10 + 2 * 20 + 0.5."""
    state = {"0.weight": np.asarray([[10.0, 20.0]]), "0.bias": np.asarray([0.5])}
    run = TrainedModel.from_state_dict(Sequential(Dense(1)), state, (2,), loss="mse")
    assert run.predict([[1.0, 2.0]]) == pytest.approx([50.5])
    assert run.to_state_dict()["0.weight"].tolist() == [[10.0, 20.0]]
    single = TrainedModel.from_state_dict(Dense(1), {"weight": [[10.0, 20.0]], "bias": [0.5]}, 2, loss="mse")
    assert single.predict([[1.0, 2.0]]) == pytest.approx([50.5])


def test_on_every_backend_and_with_what_torch_lacks(backend: Backend, tmp_path: Path) -> None:
    model = Sequential(Rescale(0.5), nn.Standardize(), Dense(8), nn.BatchNorm(), ReLU(), Dense(3))
    trained = portanet.fit(model, X, Y, epochs=2, backend=backend)
    state = trained.to_state_dict()
    run = TrainedModel.from_state_dict(model, state, (4,), backend=backend, classes=["a", "b", "c"])
    np.testing.assert_allclose(run.outputs(X), trained.outputs(X), rtol=1e-5, atol=1e-6)
    assert set(run.predict(X)) <= {"a", "b", "c"}
    less = {name: array for name, array in state.items() if not name.startswith("0.")}  # settings, not weights
    assert np.array_equal(TrainedModel.from_state_dict(model, less, (4,), backend=backend).outputs(X), run.outputs(X))
    loaded = portanet.load(run.save(tmp_path / "m.safetensors"))
    np.testing.assert_allclose(loaded.outputs(X), trained.outputs(X), rtol=1e-5, atol=1e-6)
    further = portanet.fit(run.model, X, Y, params=run.params, epochs=1, backend=backend)
    assert further.history[0]["loss"] < portanet.fit(model, X, Y, epochs=1, backend=backend).history[0]["loss"]


PARAMS: dict[str, Any] = {"0": {"weight": np.ones((4, 3)), "bias": np.zeros(3)}}
STATE: dict[str, Any] = {"0.weight": np.ones((3, 4)), "0.bias": np.zeros(3)}
ONE = Sequential(Dense(3))


def test_params_of_ones_own() -> None:
    run = TrainedModel.from_params(ONE, PARAMS, (4,))
    np.testing.assert_allclose(run.outputs(X), np.repeat(X.sum(axis=1, keepdims=True), 3, axis=1), rtol=1e-5)
    assert run.params["0"]["weight"].dtype == np.float32
    assert TrainedModel.from_params(ONE, PARAMS, [4], dtype="float64").outputs(X).dtype == np.float64  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "facts"),
    [
        (lambda: TrainedModel.from_params(ONE, {}, (4,)), ["0.weight", "(4, 3)"]),
        (lambda: TrainedModel.from_params(ONE, PARAMS, (5,)), ["0.weight", "(5, 3)", "(4, 3)"]),
        (lambda: TrainedModel.from_params(ONE, PARAMS | {"7": {"a": np.ones(1)}}, (4,)), ["7.a", "no layer"]),
        (lambda: TrainedModel.from_params(ONE, STATE, (4,)), ["0.weight", "from_state_dict"]),
        (lambda: TrainedModel.from_params(ONE, None, (4,)), ["params", "None"]),
        (lambda: TrainedModel.from_params(None, PARAMS, (4,)), ["model", "None"]),
        (lambda: TrainedModel.from_params(ONE, PARAMS, "4"), ["input_shape", "'4'", "(784,)"]),
        (lambda: TrainedModel.from_params(ONE, PARAMS), ["input_shape"]),
        (lambda: TrainedModel.from_params(ONE, PARAMS, (4,), classes=["a"]), ["1 classes", "3 outputs"]),
        (lambda: TrainedModel.from_state_dict(ONE, {"0.weight": np.ones((3, 4))}, (4,)), ["0.bias", "Dense(units=3)"]),
        (lambda: TrainedModel.from_state_dict(ONE, {"net.0.weight": 1}, (4,)), ["0.weight", "net.0.weight"]),
        (lambda: TrainedModel.from_state_dict(ONE, STATE | {"2.bias": np.ones(2)}, (4,)), ["2.bias", "no layer"]),
        (lambda: TrainedModel.from_state_dict(ONE, STATE | {"0.weight": np.ones((4, 3))}, 4), ["0.weight", "(4, 3)"]),
        (lambda: TrainedModel.from_state_dict(ONE, [1], (4,)), ["state", "[1]"]),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit(make: Any, facts: list[str]) -> None:
    with pytest.raises(PortanetError) as caught:
        make()
    assert [fact for fact in facts if fact not in str(caught.value)] == []
    assert isinstance(caught.value, ModelError) or "input_shape" in facts


@pytest.mark.parametrize(
    ("changes", "fact"),
    [({"classes": ("a", "a")}, "classes"), ({"columns": ("a", "b")}, "2 columns for rows of 3")],
    ids=str,
)
def test_a_model_that_could_not_be_loaded_is_not_saved(changes: Any, fact: str, tmp_path: Path) -> None:
    arrays = {"0": {"weight": np.ones((3, 2), np.float32), "bias": np.zeros(2, np.float32)}}
    run = portanet.TrainedModel.from_params(nn.Sequential(nn.Dense(2)), arrays, (3,))
    run.card = dataclasses.replace(run.card, **changes)
    with pytest.raises(ModelError, match=fact):
        run.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())
