"""predict.py, run as a program and by import, where portanet cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layers import Row, case, every_layer

from portanet import nn
from portanet._tree import tree_map
from portanet.export.graph import Graph, Value
from portanet.export.lowering import lower
from portanet.export.model_graph import model_graph
from portanet.export.place import Place
from portanet.export.python import python_source
from portanet.storage.model_card import ModelCard

WITHOUT_PORTANET = (
    "import runpy, sys; sys.modules['portanet'] = None; del sys.argv[0]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)

CLASSES = ("a", '"""\nraise SystemExit(7)\n"""', "c,\n")
"""Names that must not leave their literals."""


def imported(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "predict"}
    exec(compile(text, "predict.py", "exec"), names)
    return names


@every_layer
def test_every_layer_agrees_with_its_forward_pass(row: Row) -> None:
    layer, params, x, _ = case(row, rows=7)
    params = tree_map(params, lambda array: array.astype(np.float32))
    graph = Graph()
    value = lower(
        layer, Place(graph, "", params, row.input_shape), graph.add_input("input", "float32", row.input_shape)
    )
    zero = graph.constant("zero", np.zeros((), np.float32))
    graph.add("", "Add", value, zero, output="output")
    graph.outputs.append(Value("output", "float32", row.output_shape))
    predict = imported(python_source(graph, ModelCard(row.input_shape)))["predict"]
    for rows in (0, 1, 7):
        batch = x[:rows].astype(np.float32)
        expected = layer.forward(params, batch)[0] if rows else np.zeros((0, *row.output_shape))
        output = predict(batch)["output"]
        assert (output.shape, output.dtype) == (expected.shape, np.float32)
        np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


def a_table_model() -> tuple[nn.Layer, dict[str, Any], str]:
    rng = np.random.default_rng(3)
    model = nn.Sequential(nn.Standardize(), nn.Dense(4), nn.Tanh(), nn.Dense(3))
    params = tree_map(model.init(rng, (2,)), lambda array: array.astype(np.float32))
    card = ModelCard((2,), classes=CLASSES, columns=("height", "weight"))
    return model, params, python_source(model_graph(model, params, card, nn.TaskKind.CLASSIFY), card)


def test_predict_py_runs_without_portanet(tmp_path: Path) -> None:
    model, params, text = a_table_model()
    (tmp_path / "predict.py").write_text(text, encoding="utf-8")
    x = np.random.default_rng(4).normal(size=(9, 2)).astype(np.float32)
    lines = ["weight,name,height", *(f"{float(b)!r},x,{float(a)!r}" for a, b in x)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-I", "-c", WITHOUT_PORTANET, "predict.py", "rows.csv"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = np.array(CLASSES)[model.forward(params, x)[0].argmax(axis=1)]
    import csv

    rows = list(csv.reader(result.stdout.splitlines(keepends=True)))
    assert rows == [["Row", "Label"], *([str(i), name] for i, name in enumerate(expected.tolist(), 1))]


def test_many_rows_are_predicted_in_blocks() -> None:
    model, params, text = a_table_model()
    names = imported(text)
    sizes: list[int] = []
    network = names["network"]
    names["network"] = lambda rows: sizes.append(len(rows)) or network(rows)
    x = np.random.default_rng(5).normal(size=(5000, 2)).astype(np.float32)
    expected = model.forward(params, x)[0]
    answers = names["predict"](x)
    np.testing.assert_array_equal(answers["label"], np.array(CLASSES)[expected.argmax(axis=1)])
    assert (max(sizes), sum(sizes)) == (2048, 5000)


def test_predict_py_prints_the_bounds_of_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = ModelCard((3,), levels=(0.1, 0.5, 0.9), margins=(0.5,), target_center=(10.0,), target_scale=(2.0,))
    graph = model_graph(nn.Identity(), {}, card, nn.TaskKind.QUANTILES)
    (tmp_path / "rows.csv").write_text("a,b,c\n-1,0,1\n1,0,4\n")
    imported(python_source(graph, card))["main"]([str(tmp_path / "rows.csv")])
    lines = ["Row,Label,lower,upper", "1,10.0,7.0,13.0", "2,10.0,10.0,19.0"]  # the middle is between its bounds
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(
    ("content", "fact"),
    [("height\n1\n", "weight"), (None, "No such file"), ("height,weight\n1,tall\n", "tall"), ("", "rows.csv")],
    ids=["a column missing", "no file", "text", "empty"],
)
def test_an_error_is_one_line(content: str | None, fact: str, tmp_path: Path) -> None:
    *_, text = a_table_model()
    (tmp_path / "predict.py").write_text(text, encoding="utf-8")
    if content is not None:
        (tmp_path / "rows.csv").write_text(content)
    command = [sys.executable, "-I", "-c", WITHOUT_PORTANET, "predict.py", "rows.csv"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert fact in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_the_reader_may_stop_reading(tmp_path: Path) -> None:
    *_, text = a_table_model()
    (tmp_path / "predict.py").write_text(text, encoding="utf-8")
    (tmp_path / "rows.csv").write_text("height,weight\n" + "1,2\n" * 20_000)
    command = [sys.executable, "predict.py", "rows.csv"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "Row,Label\n"
        process.stdout.close()
        assert process.stderr.read() == ""
