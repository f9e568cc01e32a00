"""Values and gradients beside PyTorch on shapes and settings that nobody chose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from helpers import tree
from hypothesis import given, settings
from hypothesis import strategies as st
from in_torch import in_torch
from layers import KEY, ROWS

from portanet._tree import tree_get, tree_items
from portanet.nn import BatchNorm, Conv2D, Dense, Layer, LayerNorm, MaxPool2D, activations
from portanet.nn.layout import Layout

few = settings(max_examples=20, derandomize=True)
counts = st.integers(1, 6)
images = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
any_shape = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def check(torch: Any, layer: Layer, input_shape: tuple[int, ...], rows: int, seed: int) -> None:
    """Forward and backward in float64, every array off its first value."""
    rng = np.random.default_rng(seed)
    params = layer.init(rng, input_shape)
    for path, shape, _ in Layout.of(layer, params).places:
        tree_get(params, path)[...] += rng.normal(0.0, 0.5, shape)
    x, dy = rng.normal(0.3, 2.0, (rows, *input_shape)), rng.normal(size=(rows, *layer.output_shape(input_shape)))
    y, cache = layer.forward(params, x, train=True, key=KEY)
    dx, grads = layer.backward(params, cache, dy)
    theirs = tree(params, lambda array: torch.tensor(array, requires_grad=True))
    their_x = torch.tensor(x, requires_grad=True)
    expected = in_torch(torch, layer, theirs, their_x, KEY)
    (expected * torch.tensor(dy)).sum().backward()
    close = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(y, expected.detach().numpy(), **close)
    np.testing.assert_allclose(dx, their_x.grad.numpy(), **close)
    for path, array in tree_items(grads):
        np.testing.assert_allclose(array, tree_get(theirs, path).grad.numpy(), **close, err_msg=".".join(path))


@few
@given(units=counts, inputs=st.integers(1, 20), rows=st.integers(1, 20), seed=counts)
def test_dense(torch: Any, units: int, inputs: int, rows: int, seed: int) -> None:
    check(torch, Dense(units), (inputs,), rows, seed)


@st.composite
def convolutions(draw: Any) -> tuple[Conv2D, tuple[int, ...]]:
    kernel = draw(st.integers(1, 4))
    padding = draw(st.one_of(st.sampled_from(["valid", "same"]), st.integers(0, kernel - 1)))
    sizes = st.integers(kernel, 9)
    layer = Conv2D(draw(counts), kernel, stride=draw(st.integers(1, 4)), padding=padding)
    return layer, (draw(st.integers(1, 3)), draw(sizes), draw(sizes))


@settings(few, max_examples=40)
@given(made=convolutions(), rows=st.integers(1, 3), seed=counts)
def test_conv2d(torch: Any, made: tuple[Conv2D, tuple[int, ...]], rows: int, seed: int) -> None:
    check(torch, *made, rows, seed)


@few
@given(size=st.integers(1, 4), shape=images, rows=counts, seed=counts)
def test_max_pool(torch: Any, size: int, shape: tuple[int, ...], rows: int, seed: int) -> None:
    check(torch, MaxPool2D(min(size, *shape[1:])), shape, rows, seed)


momenta, epsilons = st.floats(0.0, 0.75), st.sampled_from([1e-5, 1e-3, 0.5])


@few
@given(momentum=momenta, eps=epsilons, features=counts, rows=st.integers(2, 20), seed=counts)
def test_batch_norm(torch: Any, momentum: float, eps: float, features: int, rows: int, seed: int) -> None:
    check(torch, BatchNorm(momentum=momentum, eps=eps), (features,), rows, seed)


@few
@given(momentum=momenta, eps=epsilons, shape=images, rows=counts, seed=counts)
def test_batch_norm_of_images(
    torch: Any, momentum: float, eps: float, shape: tuple[int, ...], rows: int, seed: int
) -> None:
    single = rows * math.prod(shape[1:]) == 1  # which PyTorch refuses
    check(torch, BatchNorm(momentum=momentum, eps=eps), shape, rows + single, seed)


@few
@given(eps=epsilons, shape=any_shape, rows=counts, seed=counts)
def test_layer_norm(torch: Any, eps: float, shape: tuple[int, ...], rows: int, seed: int) -> None:
    check(torch, LayerNorm(eps=eps), shape, rows, seed)


every_activation = pytest.mark.parametrize(
    "layer", [row.layer for row in ROWS if type(row.layer).__module__ == activations.__name__], ids=str
)


@every_activation
@few
@given(shape=any_shape, rows=counts, seed=counts)
def test_activations(torch: Any, layer: Layer, shape: tuple[int, ...], rows: int, seed: int) -> None:
    check(torch, layer, shape, rows, seed)
