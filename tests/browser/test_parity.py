"""The page's network predicts as Python does with the same weights."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import mixed_table
import numpy as np
import pytest
from layers import ROWS, case

pytest.importorskip("playwright")

from portanet._tree import tree_map
from portanet.data.pictures.digit import as_digit
from portanet.export.explorer import network_facts, operators
from portanet.export.graph import Graph, Value
from portanet.export.lowering import lower
from portanet.export.place import Place

VALUES = """([text, name]) => {
  const network = globalThis.other ?? explorer.network, [source] = network.inputs;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const kinds = { uint8: Uint8Array, float32: Float32Array, float64: Float64Array };
  const value = answer(network, new kinds[source.dtype](bytes.buffer))[name];
  return [value.shape, Array.from(value.data)];
}"""
OPEN = "async ([facts, text]) => { globalThis.other = await openNetwork(facts, text); }"


def in_page(page: Any, rows: Any, name: str) -> Any:
    """A value of the page's network for rows of its input's dtype."""
    shape, values = page.evaluate(VALUES, [base64.b64encode(rows.tobytes()).decode(), name])
    return np.array(values, np.float64).reshape(shape)


def test_every_layer_agrees_with_python(digits_page: Any, visit: Any) -> None:
    page = visit(digits_page[0])
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


@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_1000_images_have_the_predictions_of_python(
    precision: str, run: Any, digits: Any, visit: Any, tmp_path: Path
) -> None:
    run = run.explore(tmp_path / "digits.html", precision=precision)
    page = visit(tmp_path / "digits.html")
    probabilities = in_page(page, digits.x, "probabilities")
    np.testing.assert_allclose(probabilities, run.probabilities(digits.x), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(in_page(page, digits.x, "label"), run.predict(digits.x, codes=True))


def test_the_page_has_every_operator_that_python_exports(digits_page: Any, visit: Any) -> None:
    assert set(visit(digits_page[0]).evaluate("Object.keys(OPERATORS)")) == operators()


GRADIENT = """([text, name, index]) => {
  const network = globalThis.other ?? explorer.network, [source] = network.inputs;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const values = answer(network, new Float32Array(bytes.buffer));
  return Array.from(gradients(network, values, name, index)[source.name] ?? []);
}"""


def test_gradients_agree_with_the_layers(digits_page: Any, visit: Any) -> None:
    page = visit(digits_page[0])
    for row in ROWS:
        layer, params, x, _ = case(row, rows=2)
        params = tree_map(params, lambda array: array.astype(np.float32))
        batch = x.astype(np.float32)
        y, cache = layer.forward(params, batch)
        dy = np.zeros(y.shape, np.float32)
        dy.reshape(-1)[1] = 1
        expected, graph = layer.backward(params, cache, dy)[0], Graph()
        source = graph.add_input("input", "float32", row.input_shape)
        output = lower(layer, Place(graph, "", params, row.input_shape), source)
        graph.add("", "Reshape", output, shape=[0, *y.shape[1:]], output="end")
        graph.outputs.append(Value("end", "float32", row.output_shape))
        page.evaluate(OPEN, network_facts(graph, {}))
        found = page.evaluate(GRADIENT, [base64.b64encode(batch.tobytes()).decode(), "end", 1])
        if expected is not None:  # as an Embedding has it
            found = np.reshape(found or np.zeros(x.size), x.shape)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=repr(layer))


def drawings() -> list[Any]:
    rng = np.random.default_rng(7)
    found = []
    for rows, columns in ((252, 252), (40, 300), (300, 513), (28, 28), (5, 9)):
        y, x = np.mgrid[:rows, :columns]
        ink = np.zeros((rows, columns))
        for _ in range(3):
            a, b, c, d = rng.uniform(0.1, 0.9, 4) * [rows, columns, rows, columns]
            along = np.clip(((y - a) * (c - a) + (x - b) * (d - b)) / ((c - a) ** 2 + (d - b) ** 2), 0, 1)
            away = np.hypot(y - a - along * (c - a), x - b - along * (d - b))
            ink = np.maximum(ink, np.clip(1 + rows / 20 - away, 0, 1))
        found += [np.rint(255 * ink), np.rint(230 - 150 * ink - x * (40 / columns) + rng.normal(0, 1, ink.shape))]
    return [*found, np.zeros((20, 20)), np.full((20, 20), 255.0)]


AS_DIGIT = """([values, rows, columns]) => {
  const digit = asDigit({ values: Float64Array.from(values), rows, columns });
  return digit && Array.from(digit);
}"""


def test_drawings_are_prepared_as_in_python(digits_page: Any, visit: Any) -> None:
    page = visit(digits_page[0])
    for picture in drawings():
        digit = page.evaluate(AS_DIGIT, [picture.ravel().tolist(), *picture.shape])
        expected = as_digit(picture)
        if not expected.any():
            assert digit is None
        else:
            assert np.abs(np.reshape(digit, (28, 28)).astype(int) - expected).max() <= 1  # of a tie in rounding


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_that_float32_would_merge_agree_with_python(dtype: str, visit: Any, tmp_path: Path) -> None:
    run = mixed_table.trained(tmp_path, dtype=dtype).explore(tmp_path / "table.html", precision="float32")
    rows = mixed_table.training_data(tmp_path).x
    assert rows.dtype == np.float64
    probabilities = in_page(visit(tmp_path / "table.html"), rows, "probabilities")
    np.testing.assert_allclose(probabilities, run.probabilities(rows), rtol=0, atol=1e-5)
