"""Model files: the same bits back, on every backend, and no damage goes unnoticed."""

from __future__ import annotations

import dataclasses
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import safetensors.numpy
from helpers import Host, blobs, equal, tree

import portanet
from portanet._tree import tree_items
from portanet.backends import Backend
from portanet.errors import CheckpointError, ConfigError, DataError
from portanet.nn import Dense, Dropout, Flatten, Layer, ReLU, Rescale, Sequential, Standardize, uniform
from portanet.storage import model_file, safetensors_file
from portanet.storage.model_card import ModelCard
from portanet.xp import namespace

X, LABELS = blobs(40)
MODEL = Sequential(
    Rescale(0.5), Standardize("all"), Dense(4, initializer=uniform(-0.5, 0.5)), Sequential(ReLU(), Dense(3))
)


def trained(backend: Any = "numpy", **settings: Any) -> portanet.TrainedModel:
    return portanet.fit(MODEL, X, LABELS, backend=backend, **{"epochs": 1} | settings)


def arrays_of(run: portanet.TrainedModel) -> dict[tuple[str, ...], Host]:
    return {path: np.asarray(array) for path, array in tree_items(run.params)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(tmp_path: Path, backend: Backend, dtype: Any) -> None:
    run = trained(backend, dtype=dtype)
    assert run.save(tmp_path / "m.safetensors") == tmp_path / "m.safetensors"
    again = portanet.load(tmp_path / "m.safetensors")
    assert again.model == run.model
    assert equal(again.params, tree(run.params, backend.to_numpy))
    assert (again.dtype, again.input_shape, again.card, again.spec) == (dtype, (4,), run.card, run.spec)
    assert np.array_equal(again.predict(X), run.predict(X))
    assert again.evaluate(X, LABELS)["loss"] == pytest.approx(run.evaluate(X, LABELS)["loss"], rel=1e-5)


def test_every_backend_gives_the_same_answers(tmp_path: Path, backend: Backend) -> None:
    run = trained()
    loaded = portanet.load(run.save(tmp_path / "m"), backend=backend)
    assert loaded.backend is backend
    np.testing.assert_allclose(loaded.probabilities(X), run.probabilities(X), rtol=1e-5, atol=1e-6)
    assert np.array_equal(loaded.predict(X), run.predict(X))


def test_equal_models_give_equal_bytes(tmp_path: Path, backend: Backend) -> None:
    """Neither the time nor the number of workers nor the backend that carries the arrays is in the file."""
    first = trained().save(tmp_path / "a").read_bytes()
    assert trained(workers=2).save(tmp_path / "b").read_bytes() == first
    assert portanet.load(tmp_path / "a", backend=backend).save(tmp_path / "c").read_bytes() == first
    assert trained(seed=1).save(tmp_path / "d").read_bytes() != first


def test_any_reader_reads_the_arrays(tmp_path: Path) -> None:
    run = trained()
    arrays = safetensors.numpy.load_file(run.save(tmp_path / "m"))
    names = {"0.factor", "0.offset", "1.mean", "1.deviation", "2.weight", "2.bias", "3.1.weight", "3.1.bias"}
    assert arrays.keys() == names
    assert np.array_equal(arrays["2.weight"], run.params["2"]["weight"])
    assert arrays["2.weight"].shape == (4, 4)
    assert arrays["0.factor"].shape == ()


@pytest.mark.parametrize("turn", [np.asfortranarray, lambda w: w[::-1], lambda w: np.repeat(w, 2, axis=1)[:, ::2]])
def test_arrays_that_are_not_contiguous(tmp_path: Path, turn: Callable[[Host], Host]) -> None:
    run = trained()
    run.params["2"]["weight"] = turn(run.params["2"]["weight"])
    again = portanet.load(run.save(tmp_path / "m"))
    assert np.array_equal(again.params["2"]["weight"], run.params["2"]["weight"])


def test_every_layer_comes_back(tmp_path: Path) -> None:
    model = Sequential(
        Rescale(1 / 255), Standardize("feature"), Flatten(), Dropout(0.2), Dense(3), Sequential(ReLU(), Dense(2))
    )
    run = portanet.fit(model, np.ones((4, 1, 2, 2), np.uint8) * 9, [0, 1, 0, 1], epochs=1)
    again = portanet.load(run.save(tmp_path / "m"))
    assert again.model == model
    assert again.input_shape == (1, 2, 2)


def test_a_run_folder_is_read(tmp_path: Path) -> None:
    run = trained()
    run.save(tmp_path / "model.safetensors")
    assert equal(portanet.load(str(tmp_path)).params, run.params)


def test_saving_replaces_the_file(tmp_path: Path) -> None:
    trained(seed=1).save(tmp_path / "m")
    run = trained()
    run.save(tmp_path / "m")
    assert equal(portanet.load(tmp_path / "m").params, run.params)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .*: No such file or directory"):
        trained().save(tmp_path / "nowhere" / "m")


@dataclasses.dataclass(frozen=True)
class Stretch(Layer):
    """A layer of the caller's own: each column times a number that is learned."""

    start: float = 1.0
    trainable_names: ClassVar[tuple[str, ...]] = ("scale",)

    def init(self, rng: np.random.Generator, input_shape: tuple[int, ...]) -> Any:
        return {"scale": np.full(input_shape, self.start)}

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        return x * params["scale"], x

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return dy * params["scale"], {"scale": namespace(dy).sum(dy * cache, axis=0)}


def test_own_layers(tmp_path: Path) -> None:
    run = portanet.fit(Sequential(Stretch(0.5), Dense(3)), X, LABELS, epochs=1)
    assert not np.array_equal(run.params["0"]["scale"], np.full(4, 0.5))
    path = run.save(tmp_path / "m")
    for custom in ([Stretch], (Stretch,), {"Stretch": Stretch}, Stretch):
        assert equal(portanet.load(path, custom=custom).params, run.params)  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"'Stretch' is not known here; if it is your own, .*custom=\[Stretch\]"):
        portanet.load(path)
    for wrong in ("Stretch", [Stretch(0.5)], 3, None):
        with pytest.raises(ConfigError, match=r"custom takes classes and functions .* custom=\[MyLayer\]; got "):
            portanet.load(path, custom=wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"'layers'.* it is called custom here"):
        portanet.load(path, layers=[Stretch])


def test_an_own_loss_is_not_loaded_by_itself(tmp_path: Path) -> None:
    def own(logits: Any, labels: Any, weights: Any) -> Any:
        return portanet.nn.cross_entropy(logits, labels, weights)

    path = trained(loss=own).save(tmp_path / "m")
    with pytest.raises(CheckpointError, match=r"'own' is not known here; if it is your own, .*custom=\[own\]"):
        portanet.load(path)


def refused(path: Path, message: str = ".", **settings: Any) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        portanet.load(path, **settings)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


def test_no_flipped_bit_goes_unnoticed(tmp_path: Path) -> None:
    content = trained().save(tmp_path / "m").read_bytes()
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 7
        if re.sub(rb"(?<=[0-9])E(?=-)", b"e", damaged) == content:  # 1E-08 is 1e-08
            continue
        (tmp_path / "m").write_bytes(damaged)
        refused(tmp_path / "m")


def test_no_cut_goes_unnoticed(tmp_path: Path) -> None:
    content = trained().save(tmp_path / "m").read_bytes()
    for length in (*range(0, len(content), 37), len(content) - 1):
        (tmp_path / "m").write_bytes(content[:length])
        refused(tmp_path / "m", "cannot be read as a safetensors file")
    (tmp_path / "m").write_bytes(content + b"\0")
    refused(tmp_path / "m")


@pytest.mark.parametrize(
    "content",
    [b"", b"no model", b"\0" * 100, b"\xff" * 100, b"PK\x03\x04" + b"\0" * 100, struct.pack("<Q", 2) + b"{}"],
    ids=["empty", "text", "zeros", "ones", "zip", "no arrays"],
)
def test_other_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m").write_bytes(content)
    refused(tmp_path / "m")


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"portanet": "{"},
        {"portanet": "[]"},
        {"portanet": "null"},
        {"portanet": "{}"},
        {"portanet": "[" * 100_000},
        {"portanet": json.dumps({"sha256": "", "format": 1})},
    ],
    ids=lambda metadata: str(metadata)[:40],
)
def test_safetensors_of_others(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    safetensors.numpy.save_file({"a": np.zeros(2)}, tmp_path / "m", metadata=metadata)
    refused(tmp_path / "m")


def test_a_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "m", "model file .*m does not exist; portanet train")
    with pytest.raises(CheckpointError, match=r"model\.safetensors does not exist"):
        portanet.load(tmp_path)


def test_another_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safetensors_file, "_FORMAT", 2)
    trained().save(tmp_path / "m")
    monkeypatch.undo()
    refused(tmp_path / "m", "has file format 2, this portanet reads 1; update portanet")


def changed(key: tuple[str, ...], value: Any) -> Callable[[Any], None]:
    return lambda arrays: arrays.__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop(("2", "bias")), r"array 2.bias is missing, or not \(4,\) as its layer needs"),
        (changed(("9", "bias"), np.zeros(2, np.float32)), "array 9.bias belongs to no layer"),
        (changed(("2", "bias"), np.zeros(5, np.float32)), r"array 2.bias is missing, or not \(4,\)"),
        (changed(("2", "bias"), np.zeros((4, 1), np.float32)), r"array 2.bias is missing, or not \(4,\)"),
        (changed(("2", "bias"), np.zeros(4, np.float64)), "array 2.bias"),
        (changed(("2", "bias"), np.zeros(4, np.int32)), "array 2.bias"),
        (changed(("2", "bias"), np.asarray([0, 0, np.nan, 0], np.float32)), "array 2.bias holds NaN or infinity"),
        (changed(("1", "mean"), np.asarray(np.inf, np.float32)), "array 1.mean holds NaN or infinity"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    """Files whose checksum is right, and whose content is not."""
    run = trained()
    arrays = arrays_of(run)
    change(arrays)
    refused(model_file.save_model(tmp_path / "m", MODEL, arrays, run.card, run.spec.to_dict(), {}), message)


class Written(ModelCard):
    """A card that is written as it is told."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__((4,))
        object.__setattr__(self, "content", content)

    def to_dict(self) -> dict[str, Any]:
        return vars(self)["content"]


@pytest.mark.parametrize(
    "facts",
    [
        {"input_shape": [5]},
        {"input_shape": "x"},
        {"input_shape": None},
        {"input_shape": [-4]},
        {"dtype": "int32"},
        {"dtype": None},
        {"loss": {"type": "eval"}},
        {"loss": "cross_entropy"},
        {"loss": None},
    ],
)
def test_facts_that_cannot_be(tmp_path: Path, facts: dict[str, Any]) -> None:
    run = trained()
    card, spec = (
        {**written, **{name: value for name, value in facts.items() if name in written}}
        for written in (run.card.to_dict(), run.spec.to_dict())
    )
    refused(model_file.save_model(tmp_path / "m", MODEL, arrays_of(run), Written(card), spec, {}))


@pytest.mark.parametrize("name", ["input_shape", "dtype", "loss", "optimizer"])
def test_facts_that_are_missing(tmp_path: Path, name: str) -> None:
    run = trained()
    card, spec = (
        {key: value for key, value in written.items() if key != name}
        for written in (run.card.to_dict(), run.spec.to_dict())
    )
    refused(model_file.save_model(tmp_path / "m", MODEL, arrays_of(run), Written(card), spec, {}))


@pytest.mark.parametrize(
    "model",
    [
        {"type": "Layer"},
        {"type": "softmax"},
        {"type": "Dense"},
        {"type": "Dense", "units": "4"},
        {"type": "Dense", "units": 4, "bias": True},
        {"type": "Dense", "units": 10**30},
        {"type": "Dense", "units": 4, "initializer": {"type": "eval"}},
        {"type": "Dense", "units": 4, "initializer": {"type": "Dense", "units": 1}},
        {"type": "Sequential", "layers": {"type": "Dense", "units": 4}},
        {"type": "Sequential", "layers": [1]},
        {"type": ["Dense"]},
        {"type": "os.system", "command": "true"},
        [],
        None,
        7,
    ],
)
def test_models_that_cannot_be(tmp_path: Path, model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained()
    monkeypatch.setattr(model_file, "to_dict", lambda made: model)
    path = model_file.save_model(tmp_path / "m", MODEL, arrays_of(run), run.card, run.spec.to_dict(), {})
    refused(path)
