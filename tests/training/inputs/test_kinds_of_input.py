"""Rows of every dtype, and ids and scales wherever they stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from legs import Leg

import portanet
from portanet import Backend, nn
from portanet.errors import DataError
from portanet.nn import Dense, Embedding, Flatten, Identity, Rescale, Reshape, Sequential, Standardize

RNG = np.random.default_rng(4)
LABELS = (np.arange(24) % 3).astype(np.int32)
IMAGES = {
    "uint16": RNG.integers(0, 2**16, (24, 1, 4, 4)).astype(np.uint16),
    "int8": RNG.integers(-128, 128, (24, 1, 4, 4)).astype(np.int8),
    "int16": RNG.integers(-(2**15), 2**15, (24, 1, 4, 4)).astype(np.int16),
    "int32": RNG.integers(-(2**31), 2**31, (24, 1, 4, 4)).astype(np.int32),
    "int64": RNG.integers(-(2**62), 2**62, (24, 1, 4, 4)),
    "uint64": RNG.integers(0, 2**63, (24, 1, 4, 4)).astype(np.uint64) * np.uint64(2),
    "uint8": RNG.integers(0, 256, (24, 1, 4, 4)).astype(np.uint8),
    "bool": RNG.integers(0, 2, (24, 1, 4, 4)).astype(bool),
    "float16": (RNG.normal(0.0, 1.0, (24, 1, 4, 4)) * 3e4).clip(-6e4, 6e4).astype(np.float16),
}
BEFORE = [nn.AveragePool2D(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(), nn.GlobalAveragePool2D(), nn.Tanh()]


@pytest.mark.parametrize("dtype", IMAGES)
@pytest.mark.parametrize("before", BEFORE, ids=str)
def test_standardize_behind_a_layer_is_fitted_to_numbers(dtype: str, before: nn.Layer) -> None:
    """To those that the layer makes of the same rows in float64, which do not wrap around."""
    model, x = Sequential(before, Standardize("all"), Flatten(), Dense(3)), IMAGES[dtype]
    run = portanet.fit(model, x, LABELS, epochs=1, batch_size=8)
    seen = before.forward({}, x.astype(np.float64))[0]
    for name, expected in (("mean", seen.mean()), ("deviation", seen.std() or 1.0)):
        assert float(run.params["1"][name]) == pytest.approx(expected, rel=1e-5, abs=1e-6 * seen.std())


MODELS = [
    Sequential(Flatten(), Embedding(5, 2), Flatten(), Dense(2)),
    Sequential(Identity(), Embedding(5, 2), Flatten(), Dense(2)),
    Sequential(Reshape((2,)), Embedding(5, 2), Flatten(), Dense(2)),
    Sequential(nn.Dropout(0.0), Embedding(5, 2), Flatten(), Dense(2)),
    Sequential(
        nn.Frozen(Flatten()), Sequential(Identity(), Sequential(Flatten(), Embedding(5, 2))), Flatten(), Dense(2)
    ),
    Sequential(Sequential(Identity(), Flatten()), Embedding(5, 2), Flatten(), Dense(2)),
]


@pytest.mark.parametrize("bad", [-1.0, 1.5, 7.0])
@pytest.mark.parametrize("model", MODELS, ids=str)
def test_an_embedding_checks_its_ids_wherever_it_stands(model: Sequential, bad: float, backend: Backend) -> None:
    x = np.asarray([[0.0, 4.0], [2.0, bad], [1.0, 3.0]])
    with pytest.raises(DataError, match="Embedding needs integers from 0 to 4"):
        portanet.fit(model, x, [0, 1, 0], epochs=1, backend=backend)
    good = np.asarray([[0, 1], [2, 1], [1, 0]])
    run = portanet.fit(model, good, [0, 1, 0], epochs=1, backend=backend)
    with pytest.raises(DataError, match="Embedding needs integers from 0 to 4"):
        run.predict(x)


def test_rescale_has_one_truth(backend: Backend) -> None:
    """Its settings, whatever the arrays say, in training with any batch size and at prediction."""
    x, model = RNG.normal(0.0, 50.0, (96, 4)), Sequential(Rescale(0.1), Dense(3))
    labels = np.arange(96) % 3
    params = model.init(np.random.default_rng(0), (4,)) | {"0": {"factor": np.asarray(7.0), "offset": np.asarray(0.0)}}
    still: dict[str, Any] = {"optimizer": portanet.optim.SGD(1e-30), "epochs": 1, "backend": backend, "params": params}
    losses = []
    for size in (2, 8, 32, 96, "full"):
        run = portanet.fit(model, x, labels, batch_size=size, **still)
        losses += [run.history[0]["loss"], run.evaluate(x, labels)["loss"]]
    z = x * 0.1 @ params["1"]["weight"] + params["1"]["bias"]
    expected = np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(96), labels])
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize("size", [3, 4, 5])
@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("kernel", [1, 2, 3])
def test_a_convolution_with_a_stride_is_that_of_torch(size: int, stride: int, kernel: int, xp: Leg, torch: Any) -> None:
    """No slice ends beyond the image, which the standard leaves undefined: array-api-strict raises."""
    x, weight = RNG.normal(0.0, 1.0, (2, 1, size, size)), RNG.normal(0.0, 1.0, (2, 1, kernel, kernel))
    layer = nn.Conv2D(2, kernel, stride=stride)
    params = {"weight": xp.put(weight), "bias": xp.put(np.zeros(2))}
    y = xp.run(lambda params, x: layer.forward(params, x)[0], params, xp.put(x))
    if xp.values:
        expected = torch.nn.functional.conv2d(torch.tensor(x), torch.tensor(weight), stride=stride)
        np.testing.assert_allclose(xp.host(y), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_negative_indices_count_from_the_end(axis: int, xp: Leg) -> None:
    """As in NumPy and JAX, traced or not, also where the indices differ from call to call."""
    from portanet.xp import namespace

    x, rows = RNG.normal(0.0, 1.0, (3, 4, 5)), np.asarray([0, -1, 2, -3], np.int32)
    found = xp.run(lambda x, rows: namespace(x).take(x * 2.0, rows, axis=axis), xp.put(x), xp.put(rows))
    if xp.values:
        np.testing.assert_allclose(xp.host(found), np.take(x * 2.0, rows, axis=axis), rtol=1e-6)


DTYPES = ("bool", "uint8", "uint16", "uint32", "int8", "int64", "float16", "bfloat16", "float32")


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("first", [Standardize(), Embedding(2, 2)], ids=str)
def test_tensors_of_every_dtype(name: str, first: nn.Layer, torch: Any) -> None:
    """They give what NumPy's float64 gives."""
    x, model = RNG.integers(0, 2, (24, 4)), Sequential(first, Flatten(), Dense(3))
    settings: dict[str, Any] = {"epochs": 2, "batch_size": 8}
    found = portanet.fit(model, torch.tensor(x).to(getattr(torch, name)), LABELS, **settings)
    expected = portanet.fit(model, x.astype(np.float64), LABELS, backend="numpy", **settings)
    np.testing.assert_allclose(found.outputs(x), expected.outputs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("number", [np.float64(0.1), np.float32(0.1), np.float16(0.1)])
def test_numbers_of_numpy_are_settings(number: Any, backend: Backend, tmp_path: Any) -> None:
    """As Python's of the same value: the model is saved and loaded, and computes in its own dtype."""
    x = RNG.normal(0.0, 1.0, (24, 4))

    def train(value: Any) -> portanet.TrainedModel:
        model = Sequential(Rescale(value), Dense(6), nn.BatchNorm(momentum=value), nn.Dropout(value), Dense(1))
        parts = {"loss": nn.Huber(value), "optimizer": portanet.optim.Adam(value, value)}
        return portanet.fit(model, x, x[:, 0], epochs=2, batch_size=8, backend=backend, **parts)

    found, expected = train(number), train(float(number))
    assert np.array_equal(found.outputs(x), expected.outputs(x))
    assert found.outputs(x).dtype == np.float32
    loaded = portanet.load(found.save(tmp_path / "model.safetensors"), backend=backend)
    np.testing.assert_allclose(loaded.outputs(x), found.outputs(x), rtol=1e-6)
