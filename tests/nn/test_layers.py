"""The laws of the layer contract, for every layer and every array library."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from helpers import equal, slope, tree
from in_torch import in_torch
from layers import KEY, ROWS, Case, Row, case, every_layer
from legs import Leg

from portanet import nn
from portanet._tree import tree_get, tree_items
from portanet.errors import ModelError
from portanet.nn import (
    ELU,
    GELU,
    SELU,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Frozen,
    Identity,
    Layer,
    LayerNorm,
    LeakyReLU,
    MaxPool2D,
    Mish,
    ReLU,
    Rescale,
    Reshape,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    Softplus,
    Standardize,
    Tanh,
)
from portanet.nn.layout import Layout


def test_every_layer_has_a_row() -> None:
    public = {getattr(nn, name) for name in nn.__all__ if inspect.isclass(getattr(nn, name))}
    layers = {made.__name__ for made in public if issubclass(made, Layer)} - {"Layer"}
    with_row = {type(row.layer).__name__ for row in ROWS}
    assert layers - with_row == set(), "give each of these a row in tests/layers.py"
    assert with_row - layers == set(), "these are not public: import them in portanet/nn/__init__.py"


def both_passes(layer: Layer) -> Any:
    def run(params: Any, x: Any, dy: Any) -> Any:
        y, cache = layer.forward(params, x, train=True, key=KEY)
        dx, grads = layer.backward(params, cache, dy)
        return y, dx, grads

    return run


def on_numpy(given: Case) -> Any:
    return both_passes(given.layer)(given.params, given.x, given.dy)


@every_layer
def test_every_library_equals_numpy(row: Row, xp: Leg) -> None:
    """Shapes, dtype, device and values of both passes: one test, since JAX compiles for seconds before it answers."""
    assert row.layer.output_shape(row.input_shape) == row.output_shape
    given = case(row)
    params, x, dy = tree(given.params, xp.put), xp.put(given.x), xp.put(given.dy)
    y, dx, grads = xp.run(both_passes(row.layer), params, x, dy)
    assert tuple(y.shape) == (6, *row.output_shape)
    assert tuple(dx.shape) == x.shape
    for path, shape, _ in Layout.of(row.layer, params).places:
        assert tuple(tree_get(grads, path).shape) == shape
    for array in (y, dx, *(array for _, array in tree_items(grads))):
        assert xp.dtype(array) == "float32"
        assert xp.device(array) == xp.device(x)
    if xp.values:
        expected_y, expected_dx, expected = on_numpy(given)
        np.testing.assert_allclose(xp.host(y), expected_y, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(xp.host(dx), expected_dx, rtol=1e-5, atol=1e-5)
        for path, array in tree_items(expected):
            np.testing.assert_allclose(xp.host(tree_get(grads, path)), array, rtol=1e-5, atol=1e-5)


with_arrays = pytest.mark.parametrize(
    "row", [row for row in ROWS if dict(tree_items(row.layer.init(np.random.default_rng(0), row.input_shape)))], ids=str
)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@with_arrays
def test_layers_with_arrays_take_raw_values(row: Row, xp: Leg, dtype: str) -> None:
    given = case(row)
    raw = np.random.default_rng(2).integers(0, 256, given.x.shape).astype(dtype)
    y = xp.run(lambda params, x: row.layer.forward(params, x)[0], tree(given.params, xp.put), xp.put(raw))
    assert xp.dtype(y) == "float32"
    if xp.values:
        np.testing.assert_allclose(xp.host(y), row.layer.forward(given.params, raw)[0], rtol=1e-5, atol=1e-4)


@with_arrays
def test_the_parameters_decide_the_dtype(row: Row) -> None:
    given = case(row)
    narrow = tree(given.params, lambda array: array.astype(np.float32))
    assert row.layer.forward(narrow, given.x)[0].dtype == np.float32
    assert row.layer.forward(given.params, given.x.astype(np.float32))[0].dtype == np.float64


_WITHOUT_ARRAYS = [
    ReLU(), LeakyReLU(), ELU(), SELU(), GELU(), SiLU(), Mish(), Sigmoid(), Tanh(), Softplus(), Identity(),
    Flatten(), Reshape((12,)), Sequential(ReLU(), Flatten()), Residual(ReLU()), Frozen(ReLU()),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", _WITHOUT_ARRAYS, ids=str)
def test_layers_without_arrays_keep_the_dtype(layer: Layer, dtype: str) -> None:
    x = np.ones((2, 3, 4), dtype)
    y, dx, _ = both_passes(layer)({}, x, np.ones(layer.forward({}, x)[0].shape, dtype))
    assert y.dtype == dx.dtype == dtype


def test_flatten_keeps_pixels(xp: Leg) -> None:
    y = xp.run(lambda x: Flatten().forward({}, x)[0], xp.put(np.zeros((2, 3, 4), np.uint8)))
    assert xp.dtype(y) == "uint8"


@every_layer
def test_inputs_are_not_modified(row: Row) -> None:
    given = case(row)
    params, x, dy = tree(given.params, np.copy), given.x.copy(), given.dy.copy()
    on_numpy(given)
    assert equal(params | {"x": x, "dy": dy}, given.params | {"x": given.x, "dy": given.dy})


@every_layer
def test_the_order_in_memory_does_not_matter(row: Row) -> None:
    given = case(row)
    y, dx, grads = on_numpy(given)
    turned = given._replace(x=np.asfortranarray(given.x), dy=np.asfortranarray(given.dy))
    same_y, same_dx, same_grads = on_numpy(turned)
    np.testing.assert_allclose(same_y, y, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(same_dx, dx, rtol=1e-12, atol=1e-14)
    for path, array in tree_items(grads):
        np.testing.assert_allclose(tree_get(same_grads, path), array, rtol=1e-12, atol=1e-14)


@every_layer
def test_prediction_is_deterministic(row: Row) -> None:
    given = case(row)
    first, second = (row.layer.forward(given.params, given.x, key=key)[0] for key in (KEY, None))
    assert np.array_equal(first, second)


@every_layer
def test_rowwise_tells_whether_rows_meet_in_training(row: Row) -> None:
    given = case(row)
    whole, _ = row.layer.forward(given.params, given.x, train=True, key=KEY)
    parts = [
        row.layer.forward(given.params, given.x[i : i + 1], train=True, key=KEY.shifted(i))[0]
        for i in range(len(given.x))
    ]
    assert row.layer.rowwise == np.allclose(np.concatenate(parts), whole, rtol=1e-12, atol=1e-14)


@every_layer
def test_rows_do_not_meet_in_prediction(row: Row) -> None:
    given = case(row)
    whole, _ = row.layer.forward(given.params, given.x)
    parts = [row.layer.forward(given.params, given.x[i : i + 1])[0] for i in range(len(given.x))]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-12, atol=1e-14)


@every_layer
def test_grads_do_not_depend_on_need_dx(row: Row) -> None:
    given = case(row)
    _, cache = row.layer.forward(given.params, given.x, train=True, key=KEY)
    _, grads = row.layer.backward(given.params, cache, given.dy)
    _, same = row.layer.backward(given.params, cache, given.dy, need_dx=False)
    assert equal(grads, same)


@every_layer
def test_grads_are_those_of_the_trained_arrays(row: Row) -> None:
    given = case(row)
    paths = {path for path, *_ in Layout.of(row.layer, given.params).places}
    assert row.layer.is_trainable == bool(paths)
    assert {path for path, _ in tree_items(on_numpy(given)[2])} == paths


@every_layer
def test_gradient_equals_finite_differences(row: Row) -> None:
    given = case(row)

    def total() -> float:
        return float(np.sum(given.dy * row.layer.forward(given.params, given.x, train=True, key=KEY)[0]))

    _, dx, grads = on_numpy(given)
    np.testing.assert_allclose(dx, slope(total, given.x), rtol=1e-6, atol=1e-8)
    for path, array in tree_items(grads):
        np.testing.assert_allclose(array, slope(total, tree_get(given.params, path)), rtol=1e-6, atol=1e-8)


@every_layer
def test_gradient_equals_that_of_jax(row: Row, jax: Any) -> None:
    given = case(row)

    def total(params: Any, x: Any) -> Any:
        return (row.layer.forward(params, x, train=True, key=KEY)[0] * given.dy).sum()

    with jax.enable_x64():
        params, x = tree(given.params, jax.numpy.asarray), jax.numpy.asarray(given.x)
        expected, expected_dx = jax.jit(jax.grad(total, argnums=(0, 1)))(params, x)
    _, dx, grads = on_numpy(given)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-12, atol=1e-13)
    for path, array in tree_items(grads):
        np.testing.assert_allclose(array, tree_get(expected, path), rtol=1e-12, atol=1e-13)


@every_layer
def test_layer_equals_that_of_torch(row: Row, torch: Any) -> None:
    given = case(row)
    params = tree(given.params, lambda array: torch.tensor(array, requires_grad=True))
    x = torch.tensor(given.x, requires_grad=True)
    expected = row.in_torch(torch, params, x) if row.in_torch else in_torch(torch, row.layer, params, x, KEY)
    (expected * torch.tensor(given.dy)).sum().backward()
    y, dx, grads = on_numpy(given)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(dx, x.grad.numpy(), rtol=1e-12, atol=1e-13)
    for path, array in tree_items(grads):
        np.testing.assert_allclose(array, tree_get(params, path).grad.numpy(), rtol=1e-12, atol=1e-13)


@every_layer
def test_macs_count_the_products(row: Row) -> None:
    """As many multiplications for a row as weights of a matrix are used: once each, or at each place of an image."""

    def products(layer: Layer, shape: tuple[int, ...]) -> int:
        if isinstance(layer, Frozen):
            return products(layer.layer, shape)
        if isinstance(layer, Sequential):
            return sum(products(child, given) for _, child, given in layer.children_with_shapes(shape))
        weights = layer.init(np.random.default_rng(0), shape).get("weight", np.zeros(0)).size
        if isinstance(layer, Embedding):  # the products of its gradient, with a one-hot row for each number
            return weights * shape[0]
        return weights * int(np.prod(layer.output_shape(shape)[1:]))

    assert row.layer.macs(row.input_shape) == products(row.layer, row.input_shape)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: Conv2D(0, 3), None, "Conv2D needs filters of at least 1, got 0"),
        (lambda: Conv2D(2, 2.5), None, "Conv2D needs kernel_size of at least 1, got 2.5"),
        (lambda: Conv2D(2, 3, stride=0), None, "Conv2D needs stride of at least 1, got 0"),
        (lambda: Conv2D(2, 3, padding=3), None, "Conv2D takes padding 'valid', 'same' or 0 to kernel_size - 1, got 3"),
        (lambda: Conv2D(2, 3, padding="full"), None, "Conv2D takes padding .*, got 'full'"),
        (lambda: Conv2D(2, 3), (9,), r"Conv2D needs images \(channels, height, width\), got shape \(9,\)"),
        (lambda: Conv2D(2, 5), (1, 4, 9), r"Conv2D's kernel of 5 is larger than the image \(4, 9\)"),
        (lambda: MaxPool2D(0), None, "MaxPool2D needs a size of at least 1, got 0"),
        (lambda: MaxPool2D(), (4, 4), r"MaxPool2D needs images .*, got shape \(4, 4\)"),
        (lambda: MaxPool2D(3), (1, 2, 9), r"MaxPool2D's square of 3 is larger than the image \(2, 9\)"),
        (lambda: nn.AveragePool2D(1.5), None, "AveragePool2D needs a size of at least 1, got 1.5"),
        (lambda: nn.AveragePool2D(), (4,), r"AveragePool2D needs images .*, got shape \(4,\)"),
        (lambda: nn.AveragePool2D(5), (1, 9, 4), r"AveragePool2D's square of 5 is larger than the image \(9, 4\)"),
        (lambda: nn.GlobalAveragePool2D(), (4, 4), r"GlobalAveragePool2D needs images .*, got shape \(4, 4\)"),
    ],
)
def test_images_that_cannot_be_taken(make: Any, shape: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make().init(np.random.default_rng(0), shape)


def test_the_first_of_equal_values_takes_the_gradient_of_a_pool(xp: Leg) -> None:
    x, dy = xp.put([[[[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [2.0, 0.0]]]]), xp.put([[[[3.0]], [[4.0]]]])
    _, dx, _ = xp.run(both_passes(MaxPool2D()), {}, x, dy)
    if xp.values:
        assert xp.host(dx).tolist() == [[[[3.0, 0.0], [0.0, 0.0]], [[0.0, 4.0], [0.0, 0.0]]]]


def test_relu_at_zero(xp: Leg) -> None:
    y, dx, _ = xp.run(both_passes(ReLU()), {}, xp.put([[-1.0, -0.0, 0.0, 2.0]]), xp.put([[3.0, 4.0, 5.0, 6.0]]))
    if xp.values:
        assert xp.host(y).tolist() == [[0.0, 0.0, 0.0, 2.0]]
        assert xp.host(dx).tolist() == [[0.0, 0.0, 0.0, 6.0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "Dense needs at least one unit, got units=0"),
        (lambda: Dense(2.0), "Dense needs at least one unit, got units=2.0"),
        (lambda: Dropout(1.0), "Dropout needs 0 <= rate < 1, the probability to drop, got 1.0"),
        (lambda: Dropout(-0.1), "Dropout needs 0 <= rate < 1, the probability to drop, got -0.1"),
        (lambda: Dropout(0.5).forward({}, np.ones((1, 1)), train=True), "Dropout needs a key to train"),
        (lambda: Rescale(float("nan")), "Rescale needs a finite factor, got nan"),
        (lambda: Rescale(1.0, float("inf")), "Rescale needs a finite offset, got inf"),
        (lambda: LeakyReLU(1.0), "LeakyReLU needs 0 <= slope < 1, got 1.0"),
        (lambda: LeakyReLU(-0.1), "LeakyReLU needs 0 <= slope < 1, got -0.1"),
        (lambda: nn.PeriodicEmbedding(1), "PeriodicEmbedding needs features of at least 2, got 1"),
        (lambda: nn.PeriodicEmbedding(frequencies=0), "PeriodicEmbedding needs frequencies of at least 1, got 0"),
        (lambda: nn.PeriodicEmbedding(sigma=0.0), "PeriodicEmbedding needs a finite sigma above 0, got 0.0"),
        (lambda: nn.PeriodicEmbedding(rate=-1.0), "PeriodicEmbedding needs a finite rate above 0, got -1.0"),
        (lambda: nn.PeriodicEmbedding().output_shape((2, 2)), r"needs flat inputs, got shape \(2, 2\)"),
        (lambda: nn.Scale(0.0), "Scale needs a finite rate above 0, got 0.0"),
        (lambda: nn.NTKDense(3, bias_rate=-1.0), "NTKDense needs a finite bias_rate above 0, got -1.0"),
        (lambda: nn.NTKDense(0), "NTKDense needs at least one unit, got units=0"),
        (lambda: ELU(0.0), "ELU needs a finite alpha above 0, got 0.0"),
        (lambda: ELU(float("inf")), "ELU needs a finite alpha above 0, got inf"),
        (lambda: Reshape((2, 0)), r"Reshape needs a tuple of sizes of at least 1, .*, got \(2, 0\)"),
        (lambda: Reshape(()), r"Reshape needs a tuple of sizes of at least 1, .*, got \(\)"),
        (
            lambda: Reshape((2, 3)).output_shape((5,)),
            r"Reshape to \(2, 3\) needs 6 numbers, got 5 in shape \(5,\)",
        ),
        (
            lambda: Reshape((5,)).init(np.random.default_rng(0), (2, 3)),
            r"Reshape to \(5,\) needs 5 numbers, got 6 in shape \(2, 3\)",
        ),
        (lambda: Embedding(0, 3), "Embedding needs vocabulary of at least 1, got 0"),
        (lambda: Embedding(3, 1.5), "Embedding needs features of at least 1, got 1.5"),
        (
            lambda: Embedding(3, 2).output_shape((2, 2)),
            r"Embedding needs rows of T integers, got shape \(2, 2\); put Flatten\(\) before",
        ),
        (lambda: BatchNorm(momentum=1.1), "BatchNorm needs 0 <= momentum <= 1, .*, got 1.1"),
        (lambda: BatchNorm(momentum=-0.1), "BatchNorm needs 0 <= momentum <= 1, .*, got -0.1"),
        (lambda: BatchNorm(eps=0.0), "BatchNorm needs a finite eps above 0, got 0.0"),
        (
            lambda: BatchNorm().init(np.random.default_rng(0), (2, 2)),
            r"BatchNorm needs flat inputs or images \(channels, height, width\), got shape \(2, 2\)",
        ),
        (lambda: LayerNorm(eps=-1.0), "LayerNorm needs a finite eps above 0, got -1.0"),
        (lambda: LayerNorm(eps=float("inf")), "LayerNorm needs a finite eps above 0, got inf"),
        (lambda: LayerNorm().output_shape(()), r"LayerNorm needs rows of several values, got shape \(\)"),
        (lambda: Frozen(Dense), r"Frozen takes a layer, got .*; write Frozen\(Dense\(10\)\)"),
        (lambda: Residual(ReLU), r"Residual takes layers, got .*; write Dense\(10\), not Dense"),
        (
            lambda: Residual(Dense(3)).init(np.random.default_rng(0), (4,)),
            r"Residual needs layers that keep the shape, got \(4,\) -> \(3,\)",
        ),
        (
            lambda: Sequential(ReLU(), Residual(Flatten())).init(np.random.default_rng(0), (2, 3)),
            r"layer 1: Residual needs layers that keep the shape, got \(2, 3\) -> \(6,\)",
        ),
        (lambda: Standardize("rows"), "Standardize takes axis='all' or axis='feature', got 'rows'"),
        (lambda: Sequential(Dense), "Sequential takes layers, got .*; write Dense\\(10\\), not Dense"),
        (lambda: Sequential(["relu"]), "Sequential takes layers, got 'relu'"),
        (
            lambda: Dense(3).init(np.random.default_rng(0), (2, 2)),
            r"Dense needs flat inputs, got shape \(2, 2\); put Flatten\(\) before it",
        ),
        (
            lambda: Sequential(ReLU(), Sequential(Dense(3))).output_shape((2, 2)),
            r"layer 1: layer 0: Dense needs flat inputs",
        ),
    ],
)
def test_layers_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_layers_are_values() -> None:
    """Equal by content and usable as keys: a layer holds hyper-parameters and nothing else."""
    first, second = (Sequential(Dense(3), ReLU(), Sequential(Dense(2))) for _ in range(2))
    first.forward(first.init(np.random.default_rng(0), (2,)), np.ones((1, 2)))
    assert first == second
    assert hash(first) == hash(second)
    assert first != Sequential(Dense(3))
    assert (
        repr(Sequential(Dense(2, initializer=nn.zeros), ReLU()))
        == "Sequential(Dense(units=2, initializer=zeros), ReLU())"
    )


def test_own_layer_that_lacks_methods() -> None:
    class Half(Layer):
        pass

    with pytest.raises(NotImplementedError, match="Half needs a forward method"):
        Half().forward({}, np.ones((1, 1)))
    with pytest.raises(NotImplementedError, match="Half needs a backward method"):
        Half().backward({}, None, np.ones((1, 1)))


@pytest.mark.parametrize(
    ("layers", "learning"),
    [
        ((Rescale(0.5), Dense(3), ReLU(), Dense(2)), 1),
        ((Sequential(Rescale(0.5)), Sequential(Rescale(2.0), Dense(3)), Dense(2)), 1),
        ((Dense(2),), 0),
    ],
)
def test_nobody_computes_the_first_dx(
    layers: tuple[Layer, ...], learning: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the first layer that learns nothing runs backward, and that layer is not asked for dx."""
    asked: list[tuple[Layer, bool]] = []
    for made in (Dense, Rescale, ReLU):
        backward = made.backward

        def spy(self: Any, *arguments: Any, need_dx: bool = True, own: Any = backward) -> Any:
            asked.append((self, need_dx))
            return own(self, *arguments, need_dx=need_dx)

        monkeypatch.setattr(made, "backward", spy)
    model = Sequential(*layers)
    params = model.init(np.random.default_rng(0), (4,))
    y, cache = model.forward(params, np.ones((2, 4)), train=True, key=KEY)
    dx, _ = model.backward(params, cache, np.ones_like(y), need_dx=False)
    assert dx is None
    assert [layer for layer, need_dx in asked if not need_dx] == [
        layer for layer in _leaves(layers[learning]) if isinstance(layer, Dense)
    ]
    assert not {id(layer) for layer, _ in asked} & {id(leaf) for layer in layers[:learning] for leaf in _leaves(layer)}


def _leaves(layer: Layer) -> list[Layer]:
    return [leaf for child in layer.children.values() for leaf in _leaves(child)] or [layer]
