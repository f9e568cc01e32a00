"""Containers of the caller's own, not made from Sequential, do all that the library's own do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from helpers import assert_close, blobs, equal, tree

import portanet
from portanet import nn, optim
from portanet._settings import to_dict
from portanet.backends import Backend
from portanet.errors import CheckpointError, DataError, DivergenceError, ModelError
from portanet.nn import BatchNorm, Dense, Dropout, Frozen, Layer, ReLU, Rescale, Sequential, Standardize
from portanet.nn.folding import fold_input_scale
from portanet.storage import safetensors_file
from portanet.storage.model_card import ModelCard
from portanet.training.spec import TrainingSpec
from portanet.training.trained import summary
from portanet.xp import namespace

X, LABELS = blobs(48)
PIXELS = np.random.default_rng(4).integers(0, 256, (24, 1, 4, 4)).astype(np.uint8)


@dataclass(frozen=True, repr=False)
class Beside(Layer):
    """Two branches on one input, their outputs side by side."""

    left: Layer
    right: Layer

    def output_shape(self, input_shape: Any) -> Any:
        return (sum(child.output_shape(input_shape)[0] for child in self.children.values()),)

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        outputs, caches = [], {}
        for i, (name, child) in enumerate(self.children.items()):
            child_key = None if key is None else key.child(i)
            y, caches[name] = child.forward(params.get(name, {}), x, train=train, key=child_key)
            outputs.append(y)
        return namespace(y).concat(outputs, axis=1), caches | {"width": outputs[0].shape[1]}

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        dxs, grads = [], {}
        for name, part in (("left", dy[:, : cache["width"]]), ("right", dy[:, cache["width"] :])):
            child = self.children[name]
            dx, child_grads = child.backward(params.get(name, {}), cache[name], part, need_dx=need_dx)
            dxs.append(dx)
            if child_grads:
                grads[name] = child_grads
        return (dxs[0] + dxs[1] if need_dx else None), grads

    def scaled(self, factor: float, rows: int) -> Any:
        children = {name: child.scaled(factor, rows) for name, child in self.children.items()}
        if any(child is None or child[1] != 1.0 for child in children.values()):
            return None
        return self.with_children({name: child[0] for name, child in children.items() if child}), 1.0


@dataclass(frozen=True, repr=False)
class Gain(Layer):
    """A layer whose output is multiplied by an array of the container's own."""

    layer: Layer
    start: float = 1.0
    trainable_names: ClassVar[tuple[str, ...]] = ("gain",)

    def init(self, rng: Any, input_shape: Any) -> Any:
        return {"gain": np.full(self.output_shape(input_shape), self.start)} | super().init(rng, input_shape)

    def output_shape(self, input_shape: Any) -> Any:
        return self.layer.output_shape(input_shape)

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        child_key = None if key is None else key.child(0)
        y, cache = self.layer.forward(params.get("layer", {}), x, train=train, key=child_key)
        return y * params["gain"], {"layer": cache, "y": y}

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        grads = {"gain": namespace(dy).sum(dy * cache["y"], axis=0)}
        dy = dy * params["gain"]
        dx, child_grads = self.layer.backward(params.get("layer", {}), cache["layer"], dy, need_dx=need_dx)
        return dx, grads | ({"layer": child_grads} if child_grads else {})


@dataclass(frozen=True, repr=False)
class Many(Layer):
    """The mean of several layers, which one field holds."""

    layers: tuple[Layer, ...]

    @property
    def children(self) -> Any:
        return {f"member{i}": layer for i, layer in enumerate(self.layers)}

    def with_children(self, children: Any) -> Any:
        return Many(tuple(children.get(name, child) for name, child in self.children.items()))

    def output_shape(self, input_shape: Any) -> Any:
        return self.layers[0].output_shape(input_shape)

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        passes = {name: child.forward(params[name], x, train=train) for name, child in self.children.items()}
        total = sum(y for y, _ in passes.values())
        return total / len(passes), {name: cache for name, (_, cache) in passes.items()}

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        passes = {
            name: child.backward(params[name], cache[name], dy / len(self.layers), need_dx=need_dx)
            for name, child in self.children.items()
        }
        dx = sum(dx for dx, _ in passes.values()) if need_dx else None
        return dx, {name: grads for name, (_, grads) in passes.items()}


@dataclass(frozen=True, repr=False)
class Inside(Layer):
    """One layer, unchanged: the same as Sequential(layer), but for the name of the child."""

    layer: Layer

    def output_shape(self, input_shape: Any) -> Any:
        return self.layer.output_shape(input_shape)

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        child_key = None if key is None else key.child(0)
        y, cache = self.layer.forward(params.get("layer", {}), x, train=train, key=child_key)
        return y, {"layer": cache}

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        dx, grads = self.layer.backward(params.get("layer", {}), cache["layer"], dy, need_dx=need_dx)
        return dx, {"layer": grads} if grads else {}


def noisy() -> Sequential:
    return Sequential(Standardize(), Dense(6), BatchNorm(), ReLU(), Dropout(0.4))


def branches() -> Sequential:
    return Sequential(Beside(noisy(), Gain(Dense(3))), Many((Dense(4), Dense(4))), ReLU(), Dense(3))


OWN = [Beside, Gain, Many, Inside]


def trained(model: Layer, x: Any = X, labels: Any = LABELS, **settings: Any) -> portanet.TrainedModel:
    return portanet.fit(model, x, labels, **{"epochs": 2, "batch_size": 16, "seed": 3} | settings)


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (Beside(Dense(3), Sequential(ReLU(), Dense(2))), "left.weight left.bias right.1.weight right.1.bias"),
        (Gain(Beside(Dense(2), Dropout(0.3))), "gain layer.left.weight layer.left.bias"),
        (Many((Dense(2), Dense(2))), "member0.weight member0.bias member1.weight member1.bias"),
        (Beside(Frozen(Dense(2)), BatchNorm()), "right.scale right.shift"),
    ],
    ids=str,
)
def test_gradients(backend: Backend, layer: Layer, names: str) -> None:
    check = portanet.gradcheck(layer, np.random.default_rng(0).normal(size=(3, 4)), backend=backend, elements=8)
    assert check.passed, check.worst
    assert {array.array for array in check.arrays} == {"x", *names.split()}


def test_buffers_noise_and_preprocessing_are_those_of_a_sequential(backend: Backend) -> None:
    """Bit for bit: the running values of BatchNorm, what Dropout drops, what Standardize takes from the rows."""
    wrapped = trained(Sequential(Inside(noisy()), Dense(3)), backend=backend)
    plain = trained(Sequential(Sequential(noisy()), Dense(3)), backend=backend)
    arrays, expected = (tree(run.params, backend.to_numpy) for run in (wrapped, plain))
    assert equal(arrays["0"]["layer"], expected["0"]["0"])
    assert equal(arrays["1"], expected["1"])
    assert not np.array_equal(arrays["0"]["layer"]["2"]["mean"], np.zeros(6))
    np.testing.assert_array_equal(wrapped.outputs(X), plain.outputs(X))


def test_branches_have_noise_of_their_own() -> None:
    model = Beside(Dropout(0.5), Dropout(0.5))
    y, _ = model.forward({}, np.ones((8, 16)), train=True, key=nn.noise.Key(5))
    assert not np.array_equal(y[:, :16], y[:, 16:])


def test_what_holds_for_a_child_holds_for_the_container() -> None:
    model = branches()
    assert not model.layers[0].rowwise
    assert model.layers[1].rowwise
    assert model.layers[0].needs_fit
    assert not model.layers[1].needs_fit
    assert model.is_trainable
    assert not Beside(ReLU(), Frozen(Dense(3))).is_trainable
    assert model.macs((4,)) == 4 * 6 + 4 * 3 + 2 * 9 * 4 + 4 * 3
    with pytest.raises(DataError, match="Embedding"):
        Beside(nn.Flatten(), Sequential(nn.Embedding(4, 2), nn.Flatten())).check(np.asarray([[4]]))


def test_saved_and_loaded(tmp_path: Path) -> None:
    run = trained(branches())
    path = run.save(tmp_path / "model.safetensors")
    loaded = portanet.load(path, custom=OWN)
    assert loaded.model == run.model
    assert equal(loaded.params, run.params)
    np.testing.assert_array_equal(loaded.outputs(X), run.outputs(X))
    with pytest.raises(CheckpointError, match="'Beside' is not known here"):
        portanet.load(path)


def test_frozen_and_saved(tmp_path: Path) -> None:
    start = trained(branches())
    run = trained(branches().freeze("0", "1"), params=start.params)
    assert equal(run.params["0"], start.params["0"])
    loaded = portanet.load(run.save(tmp_path / "m"), custom=OWN)
    assert loaded.model == run.model
    assert equal(loaded.params, run.params)


def test_a_small_file_takes_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first array that is missing ends the search, in containers too."""
    made: list[Layer] = []
    init = Standardize.init
    monkeypatch.setattr(Standardize, "init", lambda self, rng, shape: (made.append(self), init(self, rng, shape))[1])
    columns = Beside(Standardize(), Standardize())
    for model in (Gain(columns), Beside(Gain(columns), Gain(columns)), Frozen(Gain(columns)), Many((columns,) * 99)):
        made.clear()
        card = ModelCard((2**20,), "float32").to_dict()
        header = {"model": to_dict(model), "card": card, "spec": TrainingSpec().to_dict(), "about": {}}
        (tmp_path / "m").write_bytes(safetensors_file.encoded(header, {}))
        with pytest.raises(CheckpointError, match=r"mean is missing"):
            portanet.load(tmp_path / "m", custom=OWN)
        assert len(made) == 1


def test_summary() -> None:
    model = branches()
    params = model.init(np.random.default_rng(0), (4,))
    rows = summary.layers(model, params, (4,))
    assert [tuple(row.values()) for row in rows] == [
        ("0", "Beside", [9], 0, 0),
        ("0.left.0", "Standardize()", [4], 0, 0),
        ("0.left.1", "Dense(units=6)", [6], 24, 30),
        ("0.left.2", "BatchNorm()", [6], 0, 12),
        ("0.left.3", "ReLU()", [6], 0, 0),
        ("0.left.4", "Dropout(rate=0.4)", [6], 0, 0),
        ("0.right", "Gain", [3], 0, 3),
        ("0.right.layer", "Dense(units=3)", [3], 12, 15),
        ("1", "Many", [4], 0, 0),
        ("1.member0", "Dense(units=4)", [4], 36, 40),
        ("1.member1", "Dense(units=4)", [4], 36, 40),
        ("2", "ReLU()", [4], 0, 0),
        ("3", "Dense(units=3)", [3], 12, 15),
    ]
    assert [list(row) for row in rows] == [["name", "layer", "output_shape", "macs", "parameters"]] * len(rows)


@dataclass(frozen=True, repr=False)
class Overflow(Layer):
    """Passes everything on in prediction; in training its output, or its gradient, is infinite."""

    forwards: bool

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        return (x * math.inf if self.forwards and train else x), None

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return (dy if self.forwards else dy * math.inf), {}


@pytest.mark.parametrize("forwards", [True, False], ids=["output", "gradient"])
@pytest.mark.parametrize(
    ("around", "name"),
    [
        (lambda layer: Beside(Dense(6), layer), "1.right"),
        (lambda layer: Gain(Sequential(Dense(4), layer)), "1.layer.1"),
        (lambda layer: Many((Dense(4), Sequential(layer, Dense(4)))), "1.member1.0"),
        (lambda layer: nn.Residual(Inside(Beside(layer, Dense(2))), Dense(4)), "1.0.layer.left"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_divergence_names_the_child(backend: Backend, around: Any, name: str, forwards: bool) -> None:
    model = Sequential(Dense(4), around(Overflow(forwards)), Dense(3))
    with pytest.raises(DivergenceError) as caught:
        trained(model, backend=backend)
    assert (caught.value.step, caught.value.layer) == (0, name)
    assert f"layer {name}, Overflow(forwards={forwards})" in str(caught.value)


@pytest.mark.parametrize(
    ("model", "accepts"),
    [
        (Beside(Sequential(nn.Flatten(), Dense(3)), Sequential(nn.Flatten(), Rescale(0.5))), True),
        (Beside(Sequential(nn.Flatten(), Dense(3)), Sequential(nn.Flatten(), ReLU())), False),
        (Sequential(nn.Flatten(), Gain(Dense(4)), Dense(3)), True),
        (Sequential(nn.Flatten(), Inside(nn.Sigmoid()), Dense(3)), False),
        (Sequential(nn.Flatten(), Many((Dense(3), Dense(3)))), True),
    ],
    ids=str,
)
def test_bytes_stay_where_a_child_widens_them(model: Layer, accepts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bool(model.accepts_uint8) is accepts
    model = Sequential(model, Dense(3))
    labels = np.arange(24) % 3
    wide = trained(model, PIXELS.astype(np.float32), labels).outputs(PIXELS.astype(np.float32))
    run = trained(model, PIXELS, labels)
    np.testing.assert_allclose(run.outputs(PIXELS), wide, rtol=1e-3, atol=1e-3)
    seen, forward = [], Sequential.forward

    def spy(self: Any, params: Any, x: Any, **settings: Any) -> Any:
        seen.append(str(x.dtype))
        return forward(self, params, x, **settings)

    monkeypatch.setattr(Sequential, "forward", spy)
    run.outputs(PIXELS)
    assert seen[0] == ("uint8" if accepts else "float32")


def passes(model: Layer, params: Any) -> Any:
    y, cache = model.forward(params, PIXELS, train=True)
    dy = np.random.default_rng(7).normal(size=y.shape)
    return y, *model.backward(params, cache, dy)


def test_the_scale_of_the_input_is_folded_into_both_branches() -> None:
    model = Sequential(Rescale(1 / 255), nn.Flatten(), Beside(Dense(3), Dense(2)), Dense(3))
    folded = fold_input_scale(model, 100)
    assert folded != model
    assert fold_input_scale(model, 4) is model  # the branch with three units would take more work than the input
    params = model.init(np.random.default_rng(2), (1, 4, 4))
    (y, dx, grads), (expected, expected_dx, expected_grads) = passes(folded, params), passes(model, params)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-12)
    assert_close(grads, expected_grads, rtol=1e-9, atol=1e-12)


class Squares(Dense):
    """Another function of its input under Dense's settings."""

    def forward(self, params: Any, x: Any, **settings: Any) -> Any:
        return super().forward(params, x * x, **settings)


@pytest.mark.parametrize(
    "model",
    [
        Sequential(Rescale(1 / 255), nn.Flatten(), Gain(Dense(3))),
        Sequential(Rescale(1 / 255), nn.Flatten(), Beside(Dense(3), ReLU())),
        Sequential(Rescale(1 / 255), nn.Flatten(), Squares(3)),
        Inside(Sequential(Rescale(1 / 255), nn.Flatten(), Dense(3))),
        Sequential(Rescale(1 / 255), nn.Flatten(), Frozen(Dense(3))),
    ],
    ids=str,
)
def test_no_scale_is_folded_into_what_does_not_say_how(model: Layer) -> None:
    assert fold_input_scale(model, 1000) is model


def test_one_branch_is_frozen(backend: Backend) -> None:
    start = trained(branches(), backend=backend)
    model = branches()
    model = model.with_children({"0": model.layers[0].freeze("left")})
    assert model.layers[0] == Beside(Frozen(noisy()), Gain(Dense(3)))
    run = trained(model, params=tree(start.params, backend.to_numpy), backend=backend)
    before, after = (tree(one.params, backend.to_numpy)["0"] for one in (start, run))
    assert equal(after["left"], before["left"])
    assert not np.array_equal(after["right"]["gain"], before["right"]["gain"])
    assert model.unfrozen() == branches()
    with pytest.raises(ModelError, match=r"Beside .*child '0' .*'left', 'right'"):
        model.layers[0].freeze("0")


def test_fine_tuning_starts_from_them() -> None:
    run = trained(branches())
    model, params = portanet.fine_tune(run, 5, freeze=("0",))
    assert model.layers == (Frozen(branches().layers[0]), *branches().layers[1:3], Dense(5))
    again = trained(model, labels=np.arange(48) % 5, params=params)
    assert equal(again.params["0"], run.params["0"])


@dataclass(frozen=True, repr=False)
class Forgetful(Inside):
    """Keeps the cache of its child, but not by name."""

    def forward(self, params: Any, x: Any, **settings: Any) -> Any:
        y, cache = super().forward(params, x, **settings)
        return y, cache["layer"]

    def backward(self, params: Any, cache: Any, dy: Any, **settings: Any) -> Any:
        return super().backward(params, {"layer": cache}, dy, **settings)


@dataclass(frozen=True, repr=False)
class Twins(Layer):
    """Children that no field holds."""

    units: int

    @property
    def children(self) -> Any:
        return {"first": Dense(self.units), "second": Dense(self.units)}


def test_what_has_no_default_is_asked_for() -> None:
    with pytest.raises(NotImplementedError, match=r"Forgetful needs a next_buffers method.*dict"):
        trained(Sequential(Forgetful(Dense(3))))
    with pytest.raises(NotImplementedError, match="Twins needs a with_children method"):
        Twins(3).freeze("first")
    assert Twins(3).unfrozen() == Twins(3)


def test_training_is_the_same_with_optimizer_state_of_every_array() -> None:
    """Weight decay applies to the children's weights, and not to biases or to the container's own array."""
    model = Gain(Beside(Dense(2), Dense(1)))
    params = model.init(np.random.default_rng(0), (4,))
    layout = nn.Layout.of(model, params)
    assert [path for path, *_ in layout.places] == [
        ("layer", "left", "weight"), ("layer", "right", "weight"), ("gain",), ("layer", "left", "bias"),
        ("layer", "right", "bias"),
    ]  # fmt: skip
    assert layout.decayed == 4 * 2 + 4 * 1
    assert trained(model, optimizer=optim.AdamW()).history
