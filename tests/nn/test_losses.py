"""The laws of the loss contract, for every loss and every array library."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from helpers import slope
from hypothesis import given, settings
from hypothesis import strategies as st
from legs import Leg
from losses import ROWS, Case, Row, case, every_loss, in_torch

from portanet import nn
from portanet._settings import from_dict, to_dict
from portanet.errors import ConfigError
from portanet.nn import TaskKind


def test_every_loss_has_a_row() -> None:
    public = {getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    losses = {one for one in public if issubclass(one, nn.Loss)} - {nn.Loss}
    assert losses == {type(row.loss) for row in ROWS} == set(nn.LOSSES.values())
    assert all(name == loss.__name__ for name, loss in nn.LOSSES.items())


@every_loss
@settings(derandomize=True, max_examples=20)
@given(rows=st.integers(1, 7), k=st.integers(1, 6), seed=st.integers(0, 99), scale=st.sampled_from([0.1, 2.0, 30.0]))
def test_value_and_gradient_equal_those_of_torch(
    row: Row, torch: Any, rows: int, k: int, seed: int, scale: float
) -> None:
    k = len(getattr(row.loss, "class_weight", ())) or k
    drawn = case(row, rows, k, seed, min(scale, row.largest / 20))
    expected, gradient = in_torch(torch, row, drawn)
    loss, doutputs = row.loss(*drawn)
    assert loss == pytest.approx(expected, rel=1e-11, abs=1e-12)
    np.testing.assert_allclose(doutputs, gradient, rtol=1e-10, atol=1e-13)


@every_loss
def test_gradient_equals_finite_differences(row: Row) -> None:
    outputs, labels, weights = case(row)
    expected = slope(lambda: float(row.loss(outputs, labels, weights)[0]), outputs)
    np.testing.assert_allclose(row.loss(outputs, labels, weights)[1], expected, rtol=1e-6, atol=1e-8)


@every_loss
def test_gradient_equals_that_of_jax(row: Row, jax: Any) -> None:
    """JAX differentiates our own value."""
    drawn = case(row)
    with jax.enable_x64():
        z, labels, weights = map(jax.numpy.asarray, drawn)
        expected = jax.jit(jax.grad(lambda z: row.loss(z, labels, weights)[0]))(z)
    np.testing.assert_allclose(row.loss(*drawn)[1], expected, rtol=1e-11, atol=1e-14)


@every_loss
def test_every_library_equals_numpy(row: Row, xp: Leg) -> None:
    drawn = case(row)
    arrays = [xp.put(array) for array in drawn]
    loss, doutputs = xp.run(row.loss, *arrays)
    assert [xp.dtype(array) for array in (loss, doutputs)] == ["float32"] * 2
    assert [tuple(array.shape) for array in (loss, doutputs)] == [(), (6, row.outputs(4))]
    assert {str(xp.device(array)) for array in (loss, doutputs)} == {str(xp.device(arrays[0]))}
    if xp.values:
        for array, wide in zip((loss, doutputs), row.loss(*drawn), strict=True):
            np.testing.assert_allclose(xp.host(array), wide, rtol=2e-5, atol=1e-6)


def large(row: Row, size: float) -> Case:
    """Outputs far above zero, then far below, on the right side and on the wrong one."""
    above = np.asarray([[1.0, 0.1, 0.5, 0.3], [0.3, 1.0, 0.1, 0.5], [0.5, 0.3, 1.0, 0.1]])
    outputs = np.concatenate([min(size, row.largest) * above, -min(size, row.least) * above])
    outputs = np.tile(outputs, (1, row.outputs(1)))
    return case(row)._replace(outputs=outputs)


@every_loss
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_large_outputs_on_every_library(row: Row, size: float, xp: Leg) -> None:
    """float32 holds the value and the gradient."""
    drawn = large(row, size)
    found = xp.run(row.loss, *(xp.put(array) for array in drawn))
    if xp.values:
        for array, wide in zip(found, row.loss(*drawn), strict=True):
            np.testing.assert_allclose(xp.host(array), wide, rtol=1e-5, atol=1e-6 * np.max(np.abs(wide)))


@every_loss
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_large_outputs_give_what_torch_gives(row: Row, size: float, torch: Any) -> None:
    drawn = large(row, size)
    for found, expected in zip(row.loss(*drawn), in_torch(torch, row, drawn), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13 * np.max(np.abs(expected)))


@every_loss
def test_parts_of_a_batch_add(row: Row) -> None:
    drawn = case(row)
    whole, doutputs = row.loss(*drawn)
    parts = [row.loss(*(array[part] for array in drawn)) for part in (slice(0, 1), slice(1, 4), slice(4, None))]
    assert sum(loss for loss, _ in parts) == pytest.approx(whole, rel=1e-13)
    np.testing.assert_allclose(np.concatenate([d for _, d in parts]), doutputs, rtol=1e-13)


@every_loss
def test_a_row_without_weight_counts_nothing(row: Row) -> None:
    outputs, labels, weights = case(row)
    weights[2] = 0.0
    others = [0, 1, 3, 4, 5]
    loss, doutputs = row.loss(outputs, labels, weights)
    assert loss == pytest.approx(row.loss(outputs[others], labels[others], weights[others])[0], rel=1e-13)
    assert not np.asarray(doutputs)[2].any()


@every_loss
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(6, 4), (1, 4), (6, 1)])
def test_inputs_are_not_modified(row: Row, order: Any, shape: tuple[int, int]) -> None:
    """In either layout, and where a transpose is no copy."""
    k = len(getattr(row.loss, "class_weight", ())) or shape[1]
    drawn = [np.asarray(array, order=order) for array in case(row, shape[0], k)]
    before = copy.deepcopy(drawn)
    row.loss(*drawn)
    for array, kept in zip(drawn, before, strict=True):
        assert np.array_equal(array, kept)


@every_loss
def test_settings_are_data(row: Row) -> None:
    assert from_dict(to_dict(row.loss), nn.LOSSES) == row.loss
    assert eval(repr(row.loss), vars(nn)) == row.loss


def test_the_names_of_functions_are_losses_with_the_usual_settings() -> None:
    assert repr(nn.cross_entropy) == "CrossEntropy()"
    assert repr(nn.CrossEntropy(label_smoothing=0.1)) == "CrossEntropy(label_smoothing=0.1)"
    for name in ("binary_cross_entropy", "cross_entropy", "hinge", "huber", "poisson"):
        assert getattr(nn, name) == nn.LOSSES[name.title().replace("_", "")]()
    assert nn.mean_squared_error == nn.MeanSquaredError()
    assert nn.mean_absolute_error == nn.MeanAbsoluteError()


def test_cross_entropy_is_the_log_loss_of_sklearn(xp: Leg) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: this test compares with it")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 60).astype(np.int32)
    logits = rng.normal(0.0, 1.0, (60, 5)) + 1.5 * np.eye(5)[labels]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found, _ = xp.run(nn.cross_entropy, xp.put(logits), xp.put(labels), xp.put(np.full(60, 1 / 60)))
    assert (tuple(found.shape), xp.dtype(found)) == ((), "float32")
    if xp.values:
        assert float(xp.host(found)) == pytest.approx(sklearn.log_loss(labels, p), rel=1e-5)


def test_cross_entropy_of_large_logits(xp: Leg) -> None:
    logits, labels = xp.put([[1e30, -1e30, 0.0], [1e4, 0.0, 0.0]]), xp.put(np.asarray([0, 1], np.int32))
    found, _ = xp.run(nn.cross_entropy, logits, labels, xp.put([0.5, 0.5]))
    if xp.values:
        assert float(xp.host(found)) == 5e3


def test_tasks() -> None:
    tasks = {name: loss.task for name, loss in nn.LOSSES.items()}
    assert tasks.pop("BinaryCrossEntropy") is TaskKind.MULTILABEL
    assert {name for name, task in tasks.items() if task is TaskKind.CLASSIFY} == {"CrossEntropy", "Hinge"}
    assert tasks.pop("Poisson") is TaskKind.COUNT
    assert tasks.pop("Quantile") is TaskKind.QUANTILES
    assert {task for name, task in tasks.items() if name not in ("CrossEntropy", "Hinge")} == {TaskKind.REGRESS}


def test_class_weights_have_to_fit_the_outputs() -> None:
    with pytest.raises(ConfigError, match="2 class weights for 4 outputs"):
        nn.CrossEntropy(class_weight=(1.0, 2.0))(*case(ROWS[0]))


def test_class_weights_may_be_a_list_or_an_array() -> None:
    assert nn.CrossEntropy(class_weight=[1, 2]) == nn.CrossEntropy(class_weight=(1.0, 2.0))
    assert nn.CrossEntropy(class_weight=np.asarray([1, 2])) == nn.CrossEntropy(class_weight=(1.0, 2.0))


def test_a_loss_without_a_value_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Loss needs a __call__ method"):
        nn.Loss()(*case(ROWS[0]))


def test_quantile_is_the_pinball_loss_of_sklearn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: this test compares with it")
    outputs, targets, _ = case(next(row for row in ROWS if row.loss == nn.Quantile()))
    found = nn.Quantile()(outputs, targets, np.full(6, 1 / 6))[0]
    each = [
        sklearn.mean_pinball_loss(targets, outputs[:, 4 * q : 4 * q + 4], alpha=level)
        for q, level in enumerate((0.05, 0.5, 0.95))
    ]
    assert found == pytest.approx(np.mean(each), rel=1e-12)


@pytest.mark.parametrize("levels", [(), (0.1, 0.9), (0.5, 0.5, 0.9), (0.0, 0.5, 0.9), (0.9, 0.5, 0.1), 0.9, (0.5, 1.5)])
def test_levels_that_are_not_quantiles(levels: Any) -> None:
    with pytest.raises(ConfigError, match="odd number of ascending levels"):
        nn.Quantile(levels)
