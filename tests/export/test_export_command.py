"""portanet export, and models of every kind of label as `save` writes them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mixed_table
import numpy as np
import pytest

from portanet import fit, nn, read
from portanet.errors import ModelError
from portanet.export.onnx import load_onnx
from portanet.storage.model_card import ModelCard
from portanet.training.fit import fit_spec
from portanet.training.presets import PRESETS

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def rows(count: int = 40) -> Any:
    return np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=sorted({"classic", "mlp", "cnn"}))
def preset(request: Any) -> Any:
    digits = read("mnist:test").rows(slice(0, 1000))
    spec = PRESETS[request.param]
    card = ModelCard(digits.x.shape[1:], classes=digits.classes)
    spec = replace(spec.for_data(card), epochs=1, valid=0.0)
    return fit_spec(spec, nn.Sequential(*spec.layers), digits.x, digits.labels), digits.x


def test_each_preset_answers_1000_images_as_here(preset: Any, tmp_path: Path) -> None:
    run, x = preset
    answers = load_onnx(run.save(tmp_path / "model.onnx"))(x)
    np.testing.assert_allclose(answers["probabilities"], run.probabilities(x), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(answers["label"], run.predict(x))
    source = onnx.load(tmp_path / "model.onnx").graph.input[0].type.tensor_type
    assert source.elem_type == onnx.TensorProto.UINT8  # raw pixels
    assert source.shape.dim[0].dim_param == "N"


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes", "perhaps"])[np.arange(40) % 3],  # text
        np.arange(40, dtype=np.uint8) % 3,  # unsigned classes
        np.arange(40) % 2 == 0,  # truth values
        np.arange(40) % 3,
    ],
    ids=["text", "unsigned", "bool", "numbers"],
)
def test_labels_keep_their_kind_and_probabilities_are_one_array(labels: Any, tmp_path: Path) -> None:
    x = rows()
    run = fit(nn.Sequential(nn.Dense(len(np.unique(labels)))), x, labels, epochs=2)
    answers = load_onnx(run.save(tmp_path / "model.onnx"))(x)
    predicted = run.predict(x)
    assert np.asarray(answers["label"]).tolist() == predicted.tolist()
    assert answers["probabilities"].shape == (40, len(np.unique(labels)))
    assert answers["probabilities"].dtype == np.float32


def test_a_float64_model_answers_float32_rows_as_here(tmp_path: Path) -> None:
    x = rows()
    run = fit(nn.Sequential(nn.Dense(2)), x, (x[:, 0] > 0).astype(int), epochs=2, dtype="float64")
    answers = load_onnx(run.save(tmp_path / "model.onnx"))(x)
    np.testing.assert_allclose(answers["probabilities"], run.probabilities(x), rtol=0, atol=1e-5)


class Doubled(nn.Dense):
    """Computes something else than its parent."""


def test_an_own_layer_is_refused_by_name(tmp_path: Path) -> None:
    run = fit(nn.Sequential(Doubled(2)), rows(), np.arange(40) % 2, epochs=1)
    with pytest.raises(ModelError, match="Doubled"):
        run.save(tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def portanet(*arguments: str, folder: Path) -> Any:
    command = [sys.executable, "-m", "portanet", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_writes_and_verifies(tmp_path: Path) -> None:
    x = rows()
    header = "a,b,c,label\n"
    lines = [f"{a!r},{b!r},{c!r},{'high' if a > 0 else 'low'}" for a, b, c in x.astype(float).tolist()]
    (tmp_path / "rows.csv").write_text(header + "\n".join(lines) + "\n")
    run = fit(nn.Sequential(nn.Standardize(), nn.Dense(2)), read(str(tmp_path / "rows.csv")), epochs=5)
    run.save(tmp_path / "model.safetensors")
    told = portanet("export", "model.safetensors", "--to", "onnx", "--verify", "rows.csv", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "40 rows" in told.stdout
    assert "0 labels differ" in told.stdout
    properties = {entry.key: json.loads(entry.value) for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert properties["classes"] == ["high", "low"]
    assert properties["columns"] == ["a", "b", "c"]
    again = portanet("export", "model.safetensors", "--to", "onnx", folder=tmp_path)
    assert again.returncode == 1
    assert "--force" in again.stderr
    told = portanet("export", "model.safetensors", "--to", "python", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    here = portanet("predict", "model.safetensors", "rows.csv", folder=tmp_path)
    command = [sys.executable, "-I", "predict.py", "rows.csv"]
    there = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert there.stdout == here.stdout


def test_the_command_verifies_a_table_on_its_cells(tmp_path: Path) -> None:
    data = mixed_table.training_data(tmp_path)
    network = nn.Sequential(nn.Columns(), nn.Dense(8), nn.Tanh(), nn.Dense(2))
    fit(network, data, epochs=3).save(tmp_path / "model.safetensors")
    mixed_table.write(tmp_path / "new.csv", mixed_table.new_rows())
    told = portanet("export", "model.safetensors", "--to", "onnx", "--verify", "new.csv", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "40 rows" in told.stdout
    assert "0 labels differ" in told.stdout
    assert float(told.stdout.rpartition("probabilities ")[2].partition(";")[0]) < 1e-5
    mixed_table.write(tmp_path / "zeros.csv", mixed_table.new_rows(zero="0"))  # text that the file does not know
    told = portanet("export", "model.safetensors", "--to", "onnx", "--verify", "zeros.csv", "--force", folder=tmp_path)
    assert float(told.stdout.rpartition("probabilities ")[2].partition(";")[0]) > 1e-3


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("--to", "onnx", "--out", "x.txt"), ".onnx"),
        (("--to", "python", "--verify", "rows.csv"), "--verify"),
        (("--to", "onnx", "--out", "nowhere/x.onnx"), "nowhere"),
        (("--to", "onnx", "--precision", "int8"), "--precision"),
    ],
)
def test_what_the_command_refuses(arguments: tuple[str, ...], fact: str, tmp_path: Path) -> None:
    fit(nn.Sequential(nn.Dense(2)), rows(), np.arange(40) % 2, epochs=1).save(tmp_path / "model.safetensors")
    told = portanet("export", "model.safetensors", *arguments, folder=tmp_path)
    assert told.returncode == 1
    assert fact in told.stderr
    assert "Traceback" not in told.stderr
