"""Model files that somebody made to do harm: each is a CheckpointError of one line, soon and in little memory."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import limited, mutations
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import Row, every_layer

import portanet
from portanet import nn
from portanet._settings import to_dict
from portanet._tree import tree_items
from portanet.errors import CheckpointError
from portanet.nn import Dense, Layer, Sequential, Standardize
from portanet.storage import safetensors_file
from portanet.storage.model_card import ModelCard
from portanet.storage.model_file import load_model, save_model
from portanet.training.spec import TrainingSpec

ARRAYS = {"weight": np.ones((3, 2), np.float32), "bias": np.zeros(2, np.float32)}
DENSE = {"type": "Dense", "units": 2, "initializer": {"type": "he_uniform"}}
CARD: dict[str, Any] = {"input_shape": [3], "dtype": "float32"}
SPEC = {name: value for name, value in TrainingSpec().to_dict().items() if name != "layers"}
HEADER: dict[str, Any] = {"model": DENSE, "card": CARD, "spec": SPEC, "about": {}}


def refused(path: Path, message: str = ".") -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        load_model(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def made(path: Path, arrays: dict[str, Any] = ARRAYS, **header: Any) -> Path:
    """A file whose checksum is right."""
    about = {"about": {"data": header.pop("data")}} if "data" in header else {}
    parts = {name: header.pop(name) for name in ("model", "spec") if name in header}
    path.write_bytes(safetensors_file.encoded(HEADER | parts | about | {"card": CARD | header}, arrays))
    return path


def raw(path: Path, header: bytes | dict[str, Any], data: bytes = b"", length: int | None = None) -> Path:
    """A file in the shape of safetensors' own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def test_the_file_that_the_others_differ_from(tmp_path: Path) -> None:
    file = load_model(made(tmp_path / "m"))
    assert file.model == Dense(2)
    assert dict(tree_items(file.params)).keys() == {("weight",), ("bias",)}
    assert (file.card, file.spec, file.about) == (ModelCard((3,), "float32"), SPEC, {})
    assert portanet.load(tmp_path / "m").spec == TrainingSpec(layers=(Dense(2),))


def tensor(kind: str, shape: Any, end: Any, start: Any = 0) -> dict[str, Any]:
    return {"a": {"dtype": kind, "shape": shape, "data_offsets": [start, end]}}


TWICE = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        (TWICE, bytes(4), "a name appears twice"),
        (tensor("BF16", [2], 4), bytes(4), "array 'a' has the type 'BF16'"),
        (tensor("F8_E4M3", [4], 4), bytes(4), "array 'a' has the type 'F8_E4M3'"),
        (tensor("C64", [1], 8), bytes(8), "array 'a' has the type 'C64'"),
        (tensor("O", [1], 8), bytes(8), "array 'a' has the type 'O'"),
        (tensor(["F32"], [1], 4), bytes(4), "cannot be read"),
        (tensor("F32", [0, 2**60], 0), b"", "not one of portanet's"),
        (tensor("F32", [0, 2**60, 2**60], 0), b"", "cannot be read"),
        (tensor("F32", [1] * 100, 4), bytes(4), "cannot be read"),
        (tensor("F32", [-1], 4), bytes(4), "cannot be read"),
        (tensor("F32", [1.0], 4), bytes(4), "cannot be read"),
        (tensor("F32", "1", 4), bytes(4), "cannot be read"),
        (tensor("F32", [1], 2**70), bytes(4), "cannot be read"),
        (tensor("F32", [1], -4), bytes(4), "cannot be read"),
        (tensor("F32", [1], 8, 4), bytes(8), "cannot be read"),
        ({"a": 7}, b"", "cannot be read"),
        ({"__metadata__": {"portanet": 7}}, b"", "cannot be read"),
        ({"__metadata__": [7]}, b"", "cannot be read"),
        (b"[]", b"", "cannot be read"),
        (b"7", b"", "cannot be read"),
        (b"{}" + b" " * 9, b"x", "cannot be read"),
        (b"\xff\xfe", b"", "cannot be read"),
        (b'{"a":' * 5000, b"", "cannot be read"),
        (b"9" * 5000, b"", "cannot be read"),
        (b'{"a\\ud800": 1}', b"", "cannot be read"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_safetensors_that_numpy_cannot_hold(
    tmp_path: Path, header: bytes | dict[str, Any], data: bytes, message: str
) -> None:
    refused(raw(tmp_path / "m", header, data), message)


TRICKS = {
    "no list": "abc", "none": None, "number": 3, "truth": [True], "fraction": [3.0], "text": ["3"], "nested": [[3]],
    "below zero": [-3], "zero": [0], "huge": [10**400], "too many": [1] * 9, "dict": {"3": 3}, "2**62": [2**62],
}  # fmt: skip


@pytest.mark.parametrize("shape", TRICKS.values(), ids=TRICKS)
def test_input_shapes_that_cannot_be(tmp_path: Path, shape: Any) -> None:
    refused(made(tmp_path / "m", input_shape=shape), "its input_shape cannot be")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("dtype", ["int32", "object", "float16", "F32", "", None, 7, [], {}, "float32\n", "O" * 10**6]),
        ("classes", ["ab", 7, [1, 2], [None, "b"], {"a": 1}, True, ["a", "a"]]),
        ("columns", ["abc", 7, [1, 2, 3], [["a"]], {"a": 1}]),
        ("label", [7, [], {}, True]),
        ("data", [None, 7, "x", [], {}, {"name": 7, "samples": 1}, {"name": "x"}, {"name": "x", "samples": "many"}]),
    ],
)
def test_facts_that_cannot_be(tmp_path: Path, name: str, values: list[Any]) -> None:
    for value in values:
        refused(made(tmp_path / "m", **{name: value}), f"its {name} cannot be")


JUNK = [None, True, 7, 0, -1, 1.5, 10**400, float("nan"), "x", "", [], [1], {}, {"type": "ReLU"}, {"type": 7}, DENSE]


@pytest.mark.parametrize("name", [*SPEC])
def test_specs_that_cannot_be(tmp_path: Path, name: str) -> None:
    """With junk for any setting the file is refused, or gives a model that evaluates."""
    for junk in JUNK:
        path = made(tmp_path / "m", spec=SPEC | {name: junk})
        try:
            portanet.load(path).evaluate(np.ones((2, 3)), [0, 1])
        except CheckpointError as error:
            assert str(error).count("\n") == 0
            assert len(str(error)) < 1000
    for spec in ({**SPEC, "more": 1}, {key: value for key, value in SPEC.items() if key != "loss"}, [], None, 7):
        with pytest.raises(CheckpointError):
            portanet.load(made(tmp_path / "m", spec=spec))


@pytest.mark.parametrize("count", [1, 3])
def test_other_classes_than_outputs(tmp_path: Path, count: int) -> None:
    classes = list("abc"[:count])
    refused(made(tmp_path / "m", classes=classes), f"names {count} classes, its layers give 2 outputs")


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: str(junk)[:20])
def test_models_that_cannot_be(tmp_path: Path, junk: Any) -> None:
    for model in (
        junk,
        {"type": junk},
        {"type": "Sequential", "layers": junk},
        {"type": "Sequential", "layers": [DENSE, junk]},
        {"type": "Frozen", "layer": junk},
        DENSE | {"units": junk},
        DENSE | {"initializer": junk},
        DENSE | {"extra": junk},
    ):
        path = made(tmp_path / "m", model=model)
        try:
            assert isinstance(load_model(path).model, Layer)
        except CheckpointError as error:
            assert str(error).count("\n") == 0
            assert len(str(error)) < 1000


@pytest.mark.parametrize(
    "name", ["type", "Layer", "Layout", "softmax", "CrossEntropy", "os.system", "x" * 10**5, "LOSSES"]
)
def test_names_that_are_no_layer(tmp_path: Path, name: str) -> None:
    refused(made(tmp_path / "m", model={"type": name}), "is not known here")


def test_initializers_are_no_model(tmp_path: Path) -> None:
    for name in ("he_uniform", "zeros"):
        refused(made(tmp_path / "m", model={"type": name}), "not a layer")
    refused(made(tmp_path / "m", model={"type": "uniform", "low": 0, "high": 1}), "not a layer")


def test_every_layer_and_every_initializer_may_be_named() -> None:
    layers = {name for name in nn.__all__ if isinstance(value := getattr(nn, name), type) and issubclass(value, Layer)}
    assert layers - {"Layer"} <= nn.LAYERS.keys()
    assert nn.LAYERS.keys() - layers == {name for name in nn.__all__ if hasattr(nn.initializers, name)} - layers
    assert not {"Layer", "Layout", "Loss", "softmax", "cross_entropy"} & nn.LAYERS.keys()


@every_layer
def test_every_layer_comes_back_without_a_draw(tmp_path: Path, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    params = row.layer.init(np.random.default_rng(1), row.input_shape)
    arrays = {path: np.asarray(array, np.float32) for path, array in tree_items(params)}
    save_model(tmp_path / "m", row.layer, arrays, ModelCard(row.input_shape), SPEC, {})
    monkeypatch.setattr(np.random, "default_rng", None)
    file = load_model(tmp_path / "m")
    assert file.model == row.layer
    assert {path: array.tobytes() for path, array in tree_items(file.params)} == {
        p: a.tobytes() for p, a in arrays.items()
    }


@every_layer
def test_settings_that_cannot_be(tmp_path: Path, row: Row) -> None:
    """With junk for any setting the file is refused, or gives a layer that works."""
    described = to_dict(row.layer)
    arrays = {
        ".".join(p): np.asarray(a, np.float32)
        for p, a in tree_items(row.layer.init(np.random.default_rng(1), row.input_shape))
    }
    for setting in sorted(described.keys() - {"type"}):
        for junk in JUNK:
            path = made(tmp_path / "m", arrays, model=described | {setting: junk}, input_shape=list(row.input_shape))
            try:
                file = load_model(path)
            except CheckpointError as error:
                assert str(error).count("\n") == 0
            else:
                file.model.forward(file.params, np.ones((2, *row.input_shape), np.float32))


def bombs(folder: Path) -> list[Path]:
    """Small files that ask for much."""
    huge = 2**31 - 1
    feature, everything = to_dict(Standardize("feature")), to_dict(Standardize("all"))
    deep: Any = DENSE
    for _ in range(400):
        deep = {"type": "Sequential", "layers": [deep]}
    zeros = {"type": "zeros"}
    growing = [{"type": "Embedding", "vocabulary": 1, "features": 2**25 + 1, "initializer": zeros}, {"type": "Flatten"}]
    models: dict[str, tuple[Any, list[int]]] = {
        "units": (DENSE | {"units": 10**12}, [3]),
        "units of zeros": (DENSE | {"units": 10**12, "initializer": {"type": "zeros"}}, [3]),
        "units beyond numpy": (DENSE | {"units": 2**63}, [3]),
        "units beyond all": (DENSE | {"units": 10**4000}, [3]),
        "inputs": (DENSE, [huge]),
        "kernel": ({"type": "Conv2D", "filters": 2, "kernel_size": 10**6, "padding": "same"}, [1, 9, 9]),
        "filters": ({"type": "Conv2D", "filters": 10**12, "kernel_size": 3}, [1, 9, 9]),
        "columns": (feature, [huge]),
        "pixels": (feature, [huge, huge, huge]),
        "frozen columns": ({"type": "Frozen", "layer": feature}, [huge]),
        "columns in a residual": ({"type": "Residual", "layers": [feature]}, [huge]),
        "columns in containers": ({"type": "Sequential", "layers": [{"type": "Residual", "layers": [{"type": "Frozen",
                                  "layer": {"type": "Sequential", "layers": [feature]}}]}]}, [huge]),
        "columns of a norm": ({"type": "BatchNorm"}, [huge]),
        "layer norm": ({"type": "LayerNorm"}, [huge, 99]),
        "words": ({"type": "Embedding", "vocabulary": 10**12, "features": 10**6}, [3]),
        "features of words": ({"type": "Sequential", "layers": [{"type": "Embedding", "vocabulary": 1, "features":
                              10**12}, {"type": "Flatten"}, feature]}, [3]),
        "frozen words": ({"type": "Frozen", "layer": {"type": "Sequential", "layers": [*growing, feature]}}, [3]),
        "many layers": ({"type": "Sequential", "layers": [everything] * 20_000}, [3]),
        "many large layers": ({"type": "Sequential", "layers": [feature] * 20_000}, [2**24]),
        "nested": (deep, [3]),
    }  # fmt: skip
    paths = []
    for name, (model, shape) in models.items():
        paths.append(made(folder / f"{name}.safetensors", model=model, input_shape=shape))
    lists = folder / "lists.safetensors"
    text = json.dumps({"portanet": "[" * 5_000_000})
    paths.append(raw(lists, b'{"__metadata__":' + text.encode() + b"}"))
    paths.append(raw(folder / "a header of 2**63 bytes", b"{}", length=2**63))
    paths.append(raw(folder / "a header of 2**34 bytes", b"{}", length=2**34))
    paths.append(raw(folder / "a header of 11 MiB", b" " * (11 * 2**20)))
    paths.append(raw(folder / "many arrays", {f"a{i}": tensor("F32", [0], 0)["a"] for i in range(20_000)}))
    paths.append(raw(folder / "empty and wide", tensor("F32", [0, 2**60], 0)))
    with open(raw(folder / "sparse", b"{}", length=2**20), "ab") as file:
        file.truncate(2**36)
    return [*paths, folder / "sparse"]


def test_bombs(tmp_path: Path) -> None:
    paths = bombs(tmp_path)
    paths += [Path("/dev/zero"), tmp_path]
    answers = limited("portanet.load(path)", *paths, megabytes=700)
    assert len(answers) == len(paths)
    for path, answer in zip(paths, answers, strict=True):
        assert answer.startswith((str(path), f"the model file {path}")), answer
        assert "allocate" not in answer or path.stem == "units of zeros", answer
        assert "is too large" in answer or "a header of" not in path.name, answer


@given(st.data())
@settings(derandomize=True, max_examples=60)
def test_any_damage_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = safetensors_file.encoded(HEADER, ARRAYS)
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(data.draw(mutations(content)))
    refused(path)


@given(st.data())
@settings(derandomize=True, max_examples=60)
def test_any_header_with_its_checksum_is_refused_or_gives_a_model(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Anything in the place of one part of the header, below any of its lists and dicts."""
    network = Sequential(Standardize("all"), nn.Residual(Dense(3)), nn.Frozen(nn.ReLU()))
    header: Any = json.loads(json.dumps(HEADER | {"model": to_dict(network), "card": CARD | {"classes": list("abc")}}))
    arrays = {
        ".".join(key): np.asarray(array, np.float32)
        for key, array in tree_items(network.init(np.random.default_rng(1), (3,)))
    }
    inside = header
    while True:
        key = data.draw(st.sampled_from(sorted(inside) if isinstance(inside, dict) else range(len(inside))))
        if not (isinstance(inside[key], (dict, list)) and inside[key]) or data.draw(st.booleans()):
            break
        inside = inside[key]
    json_value = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(nn.LAYERS)),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "layers", "units"]), inner)
        ),
        max_leaves=5,
    )
    inside[key] = data.draw(json_value)
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(safetensors_file.encoded(header, arrays))
    try:
        file = load_model(path)
        portanet.load(path)
    except CheckpointError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000
    else:
        file.model.forward(file.params, np.ones((2, *file.card.input_shape), np.float32))


def test_own_layers_that_raise_anything(tmp_path: Path) -> None:
    class Wild(Dense):
        def init(self, rng: Any, input_shape: Any) -> Any:
            raise LookupError("two\nlines")

    path = made(tmp_path / "m", model={"type": "Wild", "units": 2})
    with pytest.raises(CheckpointError, match="its layers cannot be made: two lines"):
        portanet.load(path, custom=[Wild])


def test_a_class_whose_name_is_half_a_character() -> None:
    """JSON can say it, and no file or terminal can hold it; bytes that are no text are another matter."""
    from portanet.errors import ConfigError
    from portanet.storage.model_card import ModelCard

    card = ModelCard((3,), classes=("a", "b")).to_dict()
    with pytest.raises(ConfigError, match="its classes cannot be"):
        ModelCard.from_dict(card | {"classes": ["a", "\ud800"]})
    assert ModelCard.from_dict(card | {"classes": ["a", "\udcff"]}).classes == ("a", "\udcff")
