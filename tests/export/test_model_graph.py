"""The outputs of an exported model: labels of every kind, probabilities, numbers in the unit of the targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from portanet import TrainedModel, fit, nn
from portanet._tree import tree_map
from portanet.export.graph import Graph
from portanet.export.model_graph import model_graph
from portanet.export.onnx import load_onnx, onnx_bytes
from portanet.export.python import python_source
from portanet.storage.model_card import ModelCard

pytest.importorskip("onnxruntime")


def graph_of(run: TrainedModel) -> Graph:
    params = tree_map(run.params, run.backend.to_numpy)
    return model_graph(run.model, dict(params), run.card, run.loss.task)


def by_python(graph: Graph, x: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "predict"}
    exec(python_source(graph, ModelCard(graph.inputs[0].shape)), names)
    answers: dict[str, Any] = names["predict"](x)
    return answers


def by_onnx(graph: Graph, x: Any, path: Any) -> dict[str, Any]:
    (path / "model.onnx").write_bytes(onnx_bytes(graph, {}))
    return load_onnx(path / "model.onnx")(x)


def rows(count: int = 60, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)


@pytest.mark.parametrize("size", [1, 7, 60])
def test_predictions_are_in_the_unit_of_the_targets(size: int, tmp_path: Any) -> None:
    x = rows()
    y = 1e9 + 5e4 * (x @ np.array([1.0, -2.0, 0.5]))
    run = fit(nn.Sequential(nn.Standardize(), nn.Dense(8), nn.Tanh(), nn.Dense(1)), x, y, task="regress", epochs=3)
    expected = run.predict(x[:size])
    for answers in (by_onnx(graph_of(run), x[:size], tmp_path), by_python(graph_of(run), x[:size])):
        assert answers["prediction"].shape == (size,)
        assert answers["prediction"].dtype == np.float64
        np.testing.assert_allclose(answers["prediction"] - 1e9, expected - 1e9, rtol=1e-5, atol=0.05)


def test_several_targets_and_counts_are_exported(tmp_path: Any) -> None:
    x = rows()
    for task, y in (("regress", np.stack([x[:, 0] * 1e-6, x[:, 1] * 1e6], axis=1)), ("count", np.exp(x[:, 0]))):
        model = nn.Sequential(nn.Dense(8), nn.Tanh(), nn.Dense(y.ndim if y.ndim > 1 else 1))
        run = fit(model, x, y, task=task, epochs=3)
        expected = run.predict(x)
        for answers in (by_onnx(graph_of(run), x, tmp_path), by_python(graph_of(run), x)):
            np.testing.assert_allclose(answers["prediction"], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("targets", [1, 2])
def test_intervals_export_the_median_and_the_bounds(targets: int, tmp_path: Any) -> None:
    x = rows()
    y = 1000.0 + 30.0 * x[:, :targets] + rows(seed=1)[:, :targets]
    run = fit(nn.Dense(3 * targets), x, y, loss=nn.Quantile((0.1, 0.5, 0.9)), valid=0.3, epochs=5)
    assert run.card.margins
    lower, upper = run.intervals(x)[:, 0], run.intervals(x)[:, 1]
    for answers in (by_onnx(graph_of(run), x, tmp_path), by_python(graph_of(run), x)):
        assert list(answers) == ["prediction", "lower", "upper"]
        for name, expected in (("prediction", run.predict(x)), ("lower", lower), ("upper", upper)):
            assert answers[name].shape == expected.shape
            np.testing.assert_allclose(answers[name], expected, rtol=1e-6, err_msg=name)


def test_quantiles_of_one_level_and_without_validation_rows_are_exported(tmp_path: Any) -> None:
    x = rows()
    for levels, names in (((0.9,), ["prediction"]), ((0.1, 0.3, 0.5, 0.7, 0.9), ["prediction", "lower", "upper"])):
        run = fit(nn.Dense(len(levels)), x, x[:, 0], loss=nn.Quantile(levels), epochs=2)
        for answers in (by_onnx(graph_of(run), x, tmp_path), by_python(graph_of(run), x)):
            assert list(answers) == names
            np.testing.assert_allclose(answers["prediction"], run.predict(x), rtol=1e-5, atol=1e-6)
            if "lower" in answers:
                np.testing.assert_allclose(answers["lower"], run.intervals(x)[:, 0], rtol=1e-5, atol=1e-6)


def test_columns_that_float32_would_merge_are_exported(tmp_path: Any) -> None:
    dates = np.arange(20230101, 20230129, dtype=np.float64)[:, None]
    labels = (dates[:, 0] > 20230114).astype(np.int64)
    run = fit(nn.Sequential(nn.Standardize(), nn.Dense(2)), dates, labels, epochs=50, batch_size="full")
    expected = run.probabilities(dates)
    for answers in (by_onnx(graph_of(run), dates, tmp_path), by_python(graph_of(run), dates)):
        np.testing.assert_allclose(answers["probabilities"], expected, rtol=1e-5, atol=1e-5)
        assert len(np.unique(answers["probabilities"][:, 0])) == 28


def test_multi_label_outputs_are_exported(tmp_path: Any) -> None:
    x = rows()
    run = fit(nn.Sequential(nn.Dense(3)), x, (x > 0).astype(np.float64), task="multilabel", epochs=3)
    for answers in (by_onnx(graph_of(run), x, tmp_path), by_python(graph_of(run), x)):
        np.testing.assert_array_equal(answers["label"], run.predict(x))
        np.testing.assert_allclose(answers["probabilities"], run.probabilities(x), rtol=1e-5, atol=1e-5)
