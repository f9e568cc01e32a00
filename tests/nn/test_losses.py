"""Softmax and cross-entropy, against PyTorch, finite differences and values worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import Host, slope
from legs import Leg

from portanet.nn import cross_entropy, softmax


def batch(rows: int = 7, classes: int = 4, scale: float = 2.0) -> tuple[Host, Host, Host]:
    rng = np.random.default_rng(3)
    logits = rng.normal(0.0, scale, (rows, classes))
    weights = rng.uniform(0.1, 1.0, rows)
    return logits, rng.integers(0, classes, rows).astype(np.int32), weights / weights.sum()


def test_cross_entropy_by_hand() -> None:
    """Two rows: the label has probability 1/4, then 1/2."""
    logits = np.log([[1.0, 2.0, 1.0], [2.0, 1.0, 1.0]])
    loss, dlogits = cross_entropy(logits, np.asarray([0, 0], np.int32), np.asarray([0.25, 0.75]))
    assert loss == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(2), rel=1e-14)
    expected = [[-0.1875, 0.125, 0.0625], [-0.375, 0.1875, 0.1875]]
    np.testing.assert_allclose(dlogits, expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(7, 4), (1, 2), (5, 1), (3, 11)])
def test_cross_entropy_equals_that_of_torch(shape: tuple[int, int], torch: Any) -> None:
    logits, labels, weights = batch(*shape)
    z = torch.tensor(logits, requires_grad=True)
    values = torch.nn.functional.cross_entropy(z, torch.tensor(labels, dtype=torch.int64), reduction="none")
    expected = (values * torch.tensor(weights)).sum()
    expected.backward()
    loss, dlogits = cross_entropy(logits, labels, weights)
    assert loss == pytest.approx(expected.item(), rel=1e-12, abs=1e-15)
    np.testing.assert_allclose(dlogits, z.grad.numpy(), rtol=1e-11, atol=1e-15)


def test_class_weights_as_torch_has_them(torch: Any) -> None:
    """Normalised weights of the labels' classes give the mean that torch's `weight` argument gives."""
    logits, labels, _ = batch()
    of_class = np.asarray([0.5, 2.0, 1.0, 4.0])
    weights = of_class[labels] / of_class[labels].sum()
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(labels, dtype=torch.int64), weight=torch.tensor(of_class)
    )
    assert cross_entropy(logits, labels, weights)[0] == pytest.approx(expected.item(), rel=1e-12)


def test_gradient_equals_finite_differences() -> None:
    logits, labels, weights = batch()
    expected = slope(lambda: float(cross_entropy(logits, labels, weights)[0]), logits)
    np.testing.assert_allclose(cross_entropy(logits, labels, weights)[1], expected, rtol=1e-6, atol=1e-9)


def test_parts_of_a_batch_add() -> None:
    logits, labels, weights = batch()
    whole, dlogits = cross_entropy(logits, labels, weights)
    (first, d_first), (rest, d_rest) = (
        cross_entropy(logits[part], labels[part], weights[part]) for part in (slice(0, 3), slice(3, None))
    )
    assert first + rest == pytest.approx(whole, rel=1e-14)
    np.testing.assert_allclose(np.concatenate([d_first, d_rest]), dlogits, rtol=1e-14)


def test_every_library_equals_numpy(xp: Leg) -> None:
    logits, labels, weights = batch()
    given = xp.put(logits), xp.put(labels), xp.put(weights)
    loss, dlogits, p = xp.run(lambda z, labels, w: (*cross_entropy(z, labels, w), softmax(z)), *given)
    assert [xp.dtype(array) for array in (loss, dlogits, p)] == ["float32"] * 3
    assert [tuple(array.shape) for array in (loss, dlogits, p)] == [(), (7, 4), (7, 4)]
    assert {str(xp.device(array)) for array in (loss, dlogits, p)} == {str(xp.device(given[0]))}
    if xp.values:
        expected = *cross_entropy(logits, labels, weights), softmax(logits)
        for array, wide in zip((loss, dlogits, p), expected, strict=True):
            np.testing.assert_allclose(xp.host(array), wide, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1e3, 1e4, 1e30])
def test_large_logits(xp: Leg, size: float) -> None:
    """The wrong class leads by `size`, which is then the loss; the other way round the loss is zero."""
    logits, weights = xp.put([[size, 0.0], [0.0, -size]]), xp.put([0.5, 0.5])

    def losses(logits: Any, wrong: Any, right: Any, weights: Any) -> Any:
        return cross_entropy(logits, wrong, weights), cross_entropy(logits, right, weights), softmax(logits)

    labels = (xp.put(np.asarray(label, np.int32)) for label in ([1, 1], [0, 0]))
    (bad, d_bad), (good, d_good), p = xp.run(losses, logits, *labels, weights)
    if xp.values:
        assert float(xp.host(bad)) == pytest.approx(size, rel=1e-6)
        assert float(xp.host(good)) == 0.0
        assert xp.host(p).tolist() == [[1.0, 0.0], [1.0, 0.0]]
        assert xp.host(d_bad).tolist() == [[0.5, -0.5], [0.5, -0.5]]
        assert not xp.host(d_good).any()


def test_a_constant_in_all_logits_changes_nothing() -> None:
    logits, labels, weights = batch()
    assert cross_entropy(logits + 1000.0, labels, weights)[0] == pytest.approx(
        cross_entropy(logits, labels, weights)[0], rel=1e-10
    )


def test_softmax_equals_that_of_torch(torch: Any) -> None:
    logits, *_ = batch(scale=20.0)
    expected = torch.softmax(torch.tensor(logits), dim=1).numpy()
    np.testing.assert_allclose(softmax(logits), expected, rtol=1e-12)
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1.0, rtol=1e-14)


def test_inputs_are_not_modified() -> None:
    given = batch()
    copies = tuple(array.copy() for array in given)
    cross_entropy(*given)
    softmax(given[0])
    for array, copy in zip(given, copies, strict=True):
        assert np.array_equal(array, copy)
