"""Single losses by hand, softmax and sigmoid, and how class weights are meant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from legs import Leg

from portanet import nn

ONE = np.asarray([1.0])


def test_cross_entropy_by_hand() -> None:
    """Two rows: the label has probability 1/4, then 1/2."""
    logits = np.log([[1.0, 2.0, 1.0], [2.0, 1.0, 1.0]])
    loss, dlogits = nn.cross_entropy(logits, np.asarray([0, 0], np.int32), np.asarray([0.25, 0.75]))
    assert loss == pytest.approx(0.25 * math.log(4) + 0.75 * math.log(2), rel=1e-14)
    expected = [[-0.1875, 0.125, 0.0625], [-0.375, 0.1875, 0.1875]]
    np.testing.assert_allclose(dlogits, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "outputs", "labels", "value", "slope"),
    [
        # ln 2 whatever the label; half of (1/2 - 1) and of (1/2 - 0)
        (nn.binary_cross_entropy, [[0.0, 0.0]], [[1.0, 0.0]], math.log(2), [[-0.25, 0.25]]),
        # the second is 0.5 within the margin of the first, the third beyond it
        (nn.hinge, [[2.0, 1.5, 0.5]], np.asarray([0], np.int32), 0.5 / 3, [[-1 / 3, 1 / 3, 0.0]]),
        (nn.mean_squared_error, [[1.0, 5.0]], [[3.0, 4.0]], 2.5, [[-2.0, 1.0]]),
        (nn.mean_absolute_error, [[1.0, 5.0, 2.0]], [[3.0, 4.0, 2.0]], 1.0, [[-1 / 3, 1 / 3, 0.0]]),
        # half of 3 - 1/2 and of 0.5^2 / 2
        (nn.huber, [[4.0, 0.5]], [[1.0, 0.0]], 1.3125, [[0.5, 0.25]]),
        (nn.Huber(delta=10.0), [[4.0, 0.5]], [[1.0, 0.0]], (9 + 0.25) / 4, [[1.5, 0.25]]),
        (nn.poisson, [[0.0, math.log(3)]], [[1.0, 3.0]], (1 + 3 - 3 * math.log(3)) / 2, [[0.0, 0.0]]),
    ],
    ids=lambda value: repr(value) if isinstance(value, nn.Loss) else "",
)
def test_by_hand(loss: nn.Loss, outputs: Any, labels: Any, value: float, slope: Any) -> None:
    found, doutputs = loss(np.asarray(outputs), np.asarray(labels), ONE)
    assert found == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(doutputs, slope, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_weights_of_a_batch_as_torch_has_them(smoothing: float, torch: Any) -> None:
    """Weights of the labels' classes, made to sum to 1, give the mean that torch's `weight` argument gives."""
    rng = np.random.default_rng(3)
    logits, labels = rng.normal(0.0, 2.0, (7, 4)), rng.integers(0, 4, 7).astype(np.int32)
    of_class = np.asarray([0.5, 2.0, 0.0, 4.0])
    weights = of_class[labels] / of_class[labels].sum()
    assert 0 < (labels == 2).sum() < 7
    z = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        z, torch.tensor(labels, dtype=torch.int64), weight=torch.tensor(of_class), label_smoothing=smoothing
    )
    expected.backward()
    loss, dlogits = nn.CrossEntropy(label_smoothing=smoothing, class_weight=tuple(of_class))(logits, labels, weights)
    kept = labels != 2  # PyTorch smooths rows of a class without weight, to which a weight of 0 gives nothing
    if smoothing == 0:
        assert loss == pytest.approx(expected.item(), rel=1e-12)
        np.testing.assert_allclose(dlogits, z.grad.numpy(), rtol=1e-11, atol=1e-15)
    else:
        np.testing.assert_allclose(np.asarray(dlogits)[kept], z.grad.numpy()[kept], rtol=1e-11)


def test_class_weights_of_shares_divide_by_the_rows(torch: Any) -> None:
    rng = np.random.default_rng(4)
    logits, shares = rng.normal(0.0, 2.0, (7, 4)), rng.dirichlet(np.ones(4), 7)
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(shares), weight=torch.tensor([0.5, 2.0, 0.0, 4.0], dtype=torch.float64)
    )
    loss, _ = nn.CrossEntropy(class_weight=(0.5, 2.0, 0.0, 4.0))(logits, shares, np.full(7, 1 / 7))
    assert loss == pytest.approx(expected.item(), rel=1e-12)


def test_labels_as_shares_equal_labels_as_numbers() -> None:
    rng = np.random.default_rng(5)
    logits, labels, weights = rng.normal(size=(5, 3)), np.asarray([0, 2, 1, 1, 0], np.int32), rng.uniform(size=5)
    numbered, shared = (
        nn.CrossEntropy(label_smoothing=0.1)(logits, form, weights) for form in (labels, np.eye(3)[labels])
    )
    assert numbered[0] == pytest.approx(shared[0], rel=1e-14)
    np.testing.assert_allclose(numbered[1], shared[1], rtol=1e-13)


def test_a_constant_in_all_logits_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    logits, labels, weights = rng.normal(size=(5, 3)), np.asarray([0, 2, 1, 1, 0], np.int32), np.full(5, 0.2)
    shifted = nn.cross_entropy(logits + 1000.0, labels, weights)[0]
    assert shifted == pytest.approx(nn.cross_entropy(logits, labels, weights)[0], rel=1e-10)


@pytest.mark.parametrize("size", [1e3, 1e4, 1e30])
def test_large_logits(xp: Leg, size: float) -> None:
    """The wrong class leads by `size`, which is then the loss; the other way round the loss is zero."""
    logits, weights = xp.put([[size, 0.0], [0.0, -size]]), xp.put([0.5, 0.5])

    def losses(logits: Any, wrong: Any, right: Any, weights: Any) -> Any:
        return nn.cross_entropy(logits, wrong, weights), nn.cross_entropy(logits, right, weights), nn.softmax(logits)

    labels = (xp.put(np.asarray(label, np.int32)) for label in ([1, 1], [0, 0]))
    (bad, d_bad), (good, d_good), p = xp.run(losses, logits, *labels, weights)
    if xp.values:
        assert float(xp.host(bad)) == pytest.approx(size, rel=1e-6)
        assert float(xp.host(good)) == 0.0
        assert xp.host(p).tolist() == [[1.0, 0.0], [1.0, 0.0]]
        assert xp.host(d_bad).tolist() == [[0.5, -0.5], [0.5, -0.5]]
        assert not xp.host(d_good).any()


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_probabilities_equal_those_of_torch(name: str, xp: Leg, torch: Any) -> None:
    logits = np.random.default_rng(3).normal(0.0, 20.0, (7, 4))
    logits[0] = [1e30, -1e30, 1e4, -1e4]
    wide = torch.tensor(logits)
    expected = (torch.softmax(wide, dim=1) if name == "softmax" else torch.sigmoid(wide)).numpy()
    function = getattr(nn, name)
    np.testing.assert_allclose(function(logits), expected, rtol=1e-12)
    found = xp.run(function, xp.put(logits))
    assert (tuple(found.shape), xp.dtype(found)) == ((7, 4), "float32")
    if xp.values:
        np.testing.assert_allclose(xp.host(found), expected, rtol=2e-5, atol=1e-30)


def test_softmax_sums_to_one() -> None:
    p = nn.softmax(np.random.default_rng(3).normal(0.0, 20.0, (7, 4)))
    np.testing.assert_allclose(np.sum(p, axis=1), 1.0, rtol=1e-14)
