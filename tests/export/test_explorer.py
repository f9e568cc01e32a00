"""The explorer's page as a file: its size, its rounded weights, its refusals; tests/browser opens it."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import fit, nn
from portanet._tree import tree_items
from portanet.errors import ConfigError, ModelError
from portanet.export.explorer import explorer_page, operators
from portanet.export.graph import Graph, Value
from portanet.export.packing import pack
from portanet.export.rounding import round_params
from portanet.nn import Dense
from portanet.storage.model_card import ModelCard
from portanet.training.explorer.fields import fields_of


def draws(*shape: int) -> Any:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def test_int8_has_a_scale_for_each_unit_and_leaves_other_arrays() -> None:
    params = {
        "0": {"weight": draws(7, 3) * np.array([1, 1e-3, 0], np.float32), "bias": draws(3)},
        "1": {"weight": draws(4, 2, 3, 3)},
    }
    rounded = round_params(params, "int8")
    np.testing.assert_array_equal(rounded["0"]["bias"], params["0"]["bias"])
    for name, axes in (("0", (0,)), ("1", (1, 2, 3))):
        weight, found = params[name]["weight"], rounded[name]["weight"]
        assert found.dtype == np.float32
        step = np.abs(weight).max(axis=axes, keepdims=True) / 127
        assert (np.abs(found - weight) <= 0.501 * step).all()
        codes = found / np.where(step > 0, step, 1)
        np.testing.assert_allclose(codes, np.rint(codes), atol=1e-4)


def test_float16_rounds_as_numpy_and_float32_is_unchanged() -> None:
    params = {"weight": draws(5, 4), "bias": draws(4)}
    np.testing.assert_array_equal(round_params(params, "float16")["weight"], params["weight"].astype(np.float16))
    np.testing.assert_array_equal(round_params(params, "float32")["weight"], params["weight"])
    with pytest.raises(ConfigError, match="int4"):
        round_params(params, "int4")


def bits(entry: dict[str, Any]) -> int:
    return 8 * (entry["stop"] - entry["start"]) // int(np.prod(entry["shape"]))


def test_arrays_take_the_fewest_bits_that_restore_them() -> None:
    weight = draws(40, 30)
    arrays = {
        "int8": round_params({"weight": weight}, "int8")["weight"],
        "rows": round_params({"weight": weight}, "int8")["weight"].T,
        "half": weight.astype(np.float16).astype(np.float32),
        "full": weight,
        "wide": weight.astype(np.float64),
        "pixels": np.arange(12, dtype=np.uint8),
        "classes": np.array(["a", "</script>"]),
    }
    entries, text = pack(arrays)
    found = {entry["name"]: entry for entry in entries}
    assert [bits(found[name]) for name in ("int8", "rows", "half", "full", "wide", "pixels")] == [8, 8, 16, 32, 64, 8]
    assert found["classes"]["values"] == ["a", "</script>"]
    content = zlib.decompress(base64.b64decode(text))
    half = np.frombuffer(content[found["half"]["start"] : found["half"]["stop"]], "<f2").reshape(40, 30)
    np.testing.assert_array_equal(half, arrays["half"])


def run_of(classes: int = 2, layer: Any = Dense, names: Any = None) -> Any:
    codes = np.arange(40) % classes
    return fit(
        nn.Sequential(layer(classes)), draws(40, 3), codes if names is None else np.array(names)[codes], epochs=1
    )


class Doubled(nn.Dense):
    """A layer that computes something else than its parent."""


def test_a_custom_layer_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Doubled"):
        run_of(layer=Doubled).explore(tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_an_unsupported_operator_is_refused_with_its_layer() -> None:
    graph = Graph()
    value = graph.add("3", "Erf", graph.add_input("input", "float32", (2,)))
    graph.layers.append(("3", value))
    graph.outputs.append(Value(value, "float32", (2,)))
    with pytest.raises(ModelError, match=r"3.*Erf"):
        explorer_page(graph, {"title": "x"}, {})
    assert {"Gemm", "Conv", "Where"} <= operators()


def test_names_from_data_are_escaped(tmp_path: Path) -> None:
    run = run_of(names=["</script><script>alert(1)</script>", "<b>"])
    run.save(tmp_path / "<i>x.html")
    text = (tmp_path / "<i>x.html").read_text()
    assert text.count("<script") == 3
    assert "<i>" not in text
    assert "<b>" not in text
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_the_same_model_gives_the_same_bytes_and_auto_keeps_the_score(tmp_path: Path) -> None:
    run = run_of()
    x = draws(40, 3)
    page = run.explore(tmp_path / "a.html", precision="int8")
    first = (tmp_path / "a.html").read_bytes()
    run.explore(tmp_path / "a.html", precision="int8")
    assert (tmp_path / "a.html").read_bytes() == first
    np.testing.assert_allclose(page.outputs(x), run.outputs(x), atol=0.05)
    assert dict(tree_items(page.params)) != {}
    assert run.explore(tmp_path / "a.html").about["precision"] == "float16"  # nothing to measure on


def test_without_rows_ranges_come_from_the_preprocessing() -> None:
    card = ModelCard((2,), columns=("a", "b"), offsets=(1000.0, 0.0))
    params = {"0": {"mean": np.array([4.0, 0.0]), "deviation": np.array([2.0, 1.0])}, "1": {"weight": draws(2, 3)}}
    first, second = fields_of(card, params, None)
    assert (first["name"], first["range"], first["typical"]) == ("a", [998.0, 1010.0], [1004.0])
    assert second["range"] == [-3.0, 3.0]
    rows = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, np.nan]])
    assert fields_of(card, params, rows)[1]["typical"] == [5.5]
