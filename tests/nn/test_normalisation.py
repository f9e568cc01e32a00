"""Batch normalisation over several steps, beside PyTorch's own modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import slope

from portanet._tree import tree_merge
from portanet.nn import BatchNorm

RNG = np.random.default_rng(4)
CLOSE = {"rtol": 1e-12, "atol": 1e-13}


@pytest.mark.parametrize(
    ("settings", "shape", "rows"), [({}, (3,), (5, 2, 9)), ({"momentum": 0.4, "eps": 0.01}, (2, 3, 4), (4, 1, 7))]
)
def test_torch_goes_the_same_way(settings: Any, shape: tuple[int, ...], rows: tuple[int, ...], torch: Any) -> None:
    """In training step by step, the running values included; then in prediction, with its gradients."""
    layer, params = BatchNorm(**settings), BatchNorm().init(RNG, shape)
    params["scale"], params["shift"] = RNG.uniform(0.5, 2.0, shape[0]), RNG.normal(size=shape[0])
    made = (torch.nn.BatchNorm1d if len(shape) == 1 else torch.nn.BatchNorm2d)(shape[0], **settings)
    module = made.double()
    with torch.no_grad():
        module.weight.copy_(torch.tensor(params["scale"]))
        module.bias.copy_(torch.tensor(params["shift"]))
    for count, train in [*((count, True) for count in rows), (3, False)]:
        x, dy = RNG.normal(2.0, 3.0, (count, *shape)), RNG.normal(size=(count, *shape))
        y, cache = layer.forward(params, x, train=train)
        dx, grads = layer.backward(params, cache, dy)
        params = tree_merge(params, layer.next_buffers(params, cache))
        module.train(train).zero_grad()
        theirs = torch.tensor(x, requires_grad=True)
        expected = module(theirs)
        (expected * torch.tensor(dy)).sum().backward()
        np.testing.assert_allclose(y, expected.detach(), **CLOSE)
        np.testing.assert_allclose(dx, theirs.grad, **CLOSE)
        np.testing.assert_allclose(grads["scale"], module.weight.grad, **CLOSE)
        np.testing.assert_allclose(grads["shift"], module.bias.grad, **CLOSE)
        np.testing.assert_allclose(params["mean"], module.running_mean, **CLOSE)
        np.testing.assert_allclose(params["variance"], module.running_var, **CLOSE)


def test_a_single_value_gives_the_shift() -> None:
    """PyTorch refuses it; the last batch of an epoch may be one row, and is no reason to stop."""
    layer, x = BatchNorm(), np.asarray([[5.0, -7.0]])
    params = layer.init(RNG, (2,)) | {"shift": np.asarray([1.5, -2.0])}
    y, cache = layer.forward(params, x, train=True)
    dx, grads = layer.backward(params, cache, np.ones((1, 2)))
    assert y.tolist() == [[1.5, -2.0]]
    assert dx is not None
    assert dx.tolist() == [[0.0, 0.0]]
    assert {name: grad.tolist() for name, grad in grads.items()} == {"scale": [0.0, 0.0], "shift": [1.0, 1.0]}
    running = layer.next_buffers(params, cache)
    np.testing.assert_allclose(running["mean"], [0.5, -0.7])
    np.testing.assert_allclose(running["variance"], [0.9, 0.9])


@pytest.mark.parametrize("shape", [(64, 2), (8, 2, 4, 4)])
def test_values_far_from_zero_keep_their_variance(shape: tuple[int, ...]) -> None:
    """In float32 the mean of the squares minus the square of the mean would leave nothing of it."""
    x = (RNG.normal(size=shape) + 10_000.0).astype(np.float32)
    params = {name: array.astype(np.float32) for name, array in BatchNorm().init(RNG, shape[1:]).items()}
    y, _ = BatchNorm().forward(params, x, train=True)
    axes = (0, *range(2, len(shape)))
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(axes, keepdims=True)) / wide.std(axes, keepdims=True)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, atol=5e-3)


@pytest.mark.parametrize("shape", [(5, 3), (3, 2, 2, 3)])
def test_the_gradient_of_a_prediction(shape: tuple[int, ...]) -> None:
    layer, x, dy = BatchNorm(), RNG.normal(size=shape), RNG.normal(size=shape)
    params = {name: RNG.uniform(0.5, 2.0, shape[1]) for name in layer.init(RNG, shape[1:])}
    _, cache = layer.forward(params, x)
    dx, grads = layer.backward(params, cache, dy)

    def total() -> float:
        return float(np.sum(dy * layer.forward(params, x)[0]))

    np.testing.assert_allclose(dx, slope(total, x), rtol=1e-6, atol=1e-8)
    for name, grad in grads.items():
        np.testing.assert_allclose(grad, slope(total, params[name]), rtol=1e-6, atol=1e-8)
    assert layer.next_buffers(params, cache) == {}
