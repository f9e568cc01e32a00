"""The page's network answers as Python does on the same weights."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layers import ROWS, case

pytest.importorskip("playwright")

from portanet import TrainedModel, fit, nn, read
from portanet._tree import tree_map
from portanet.export.explorer import network_facts, operators
from portanet.export.graph import Graph, Value
from portanet.export.lowering import lower
from portanet.export.place import Place
from portanet.training.explorer import explore

VALUES = """([text, name]) => {
  const [source] = network.inputs, bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const kinds = { uint8: Uint8Array, float32: Float32Array, float64: Float64Array };
  const value = answer(network, new kinds[source.dtype](bytes.buffer))[name];
  return [value.shape, Array.from(value.data)];
}"""
OPEN = "async ([facts, text]) => { network = await openNetwork(facts, text); }"


def in_page(page: Any, rows: Any, name: str) -> Any:
    """A value of the page's network for rows of its input's dtype."""
    shape, values = page.evaluate(VALUES, [base64.b64encode(rows.tobytes()).decode(), name])
    return np.array(values, np.float64).reshape(shape)


def test_every_layer_gives_what_it_gives_here(run: Any, visit: Any, tmp_path: Path) -> None:
    explore(run, tmp_path / "digits.html", precision="int8")
    page = visit(tmp_path / "digits.html")
    for row in ROWS:
        layer, params, x, _ = case(row, rows=3)
        params = tree_map(params, lambda array: array.astype(np.float32))
        graph, batch = Graph(), x.astype(np.float32)
        source = graph.add_input("input", "float32", row.input_shape)
        output = lower(layer, Place(graph, "", params, row.input_shape), source)
        graph.outputs.append(Value(output, "float32", row.output_shape))
        page.evaluate(OPEN, network_facts(graph, {}))
        expected = layer.forward(params, batch)[0]
        np.testing.assert_allclose(in_page(page, batch, output), expected, rtol=1e-5, atol=1e-5, err_msg=repr(layer))


@pytest.fixture(scope="module")
def digits() -> Any:
    return read("mnist:test").rows(slice(0, 1000))


@pytest.fixture(scope="module")
def run(digits: Any) -> TrainedModel:
    model = nn.Sequential(nn.Standardize("all"), nn.Flatten(), nn.Dense(32), nn.ReLU(), nn.Dense(10))
    return fit(model, digits, epochs=2, optimizer="adamw")


@pytest.mark.parametrize("precision", ["int8", "float16", "float32"])
def test_1000_images_have_the_answers_of_python(
    precision: str, run: Any, digits: Any, visit: Any, tmp_path: Path
) -> None:
    run = explore(run, tmp_path / "digits.html", precision=precision)
    page = visit(tmp_path / "digits.html")
    probabilities = in_page(page, digits.x, "probabilities")
    np.testing.assert_allclose(probabilities, run.probabilities(digits.x), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(in_page(page, digits.x, "label"), run.predict(digits.x, codes=True))


def test_the_page_has_the_operators_that_python_counts_on(run: Any, visit: Any, tmp_path: Path) -> None:
    explore(run, tmp_path / "digits.html")
    assert set(visit(tmp_path / "digits.html").evaluate("Object.keys(OPERATORS)")) == operators()
