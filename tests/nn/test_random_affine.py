"""RandomAffine by hand, its draws, and what it does in a model. The laws and PyTorch are in test_layers.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Host
from legs import Leg

import portanet
from portanet.errors import ModelError
from portanet.nn import Dense, Flatten, RandomAffine, Sequential, Standardize, noise
from portanet.nn.noise import Key
from portanet.xp import device, namespace

DIGIT = np.random.default_rng(3).integers(1, 256, (2, 3, 5, 5)).astype(np.uint8)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what is drawn for each image: down, right, turn, growth, each from -1 to 1."""

    def fix(*amounts: float) -> None:
        def uniform(key: Key, like: Any) -> Any:
            xp, (n, _) = namespace(like), like.shape
            columns = [xp.full((n,), (amount + 1) / 2, dtype=like.dtype, device=device(like)) for amount in amounts]
            return xp.stack(columns, axis=-1)

        monkeypatch.setattr(noise, "uniform", uniform)

    return fix


def trained(layer: RandomAffine, x: Any, key: Key | None = None) -> Any:
    return layer.forward({}, x, train=True, key=key or Key(5))[0]


def test_shifts_of_whole_pixels(drawn: Any) -> None:
    drawn(0.5, -1.0, 0.7, -0.2)
    expected = np.zeros(DIGIT.shape)
    expected[:, :, 1:, :3] = DIGIT[:, :, :4, 2:]  # down by 1 of 2, left by 2
    np.testing.assert_allclose(
        trained(RandomAffine(shift=2.0, rotation=0.0, scale=0.0), DIGIT.astype(np.float64)), expected
    )


def test_shifts_between_pixels_are_means(drawn: Any) -> None:
    drawn(0.0, 0.25, 0.0, 0.0)
    y = trained(RandomAffine(shift=2.0), DIGIT.astype(np.float64))
    before = np.pad(DIGIT, ((0, 0), (0, 0), (0, 0), (1, 0)))[..., :5].astype(np.float64)
    np.testing.assert_allclose(y, (DIGIT + before) / 2)


@pytest.mark.parametrize(("turn", "quarters"), [(1.0, 1), (-1.0, -1), (2.0, 2)])
@pytest.mark.parametrize("size", [5, 4])
def test_quarter_turns(drawn: Any, turn: float, quarters: int, size: int) -> None:
    drawn(0.0, 0.0, turn, 0.0)
    x = DIGIT[..., :size, :size].astype(np.float64)
    expected = np.rot90(x, quarters, axes=(2, 3))  # about the centre, also where that is between pixels
    np.testing.assert_allclose(trained(RandomAffine(shift=0.0, rotation=90.0), x), expected, atol=1e-10)


def test_half_the_size(drawn: Any) -> None:
    drawn(0.0, 0.0, 0.0, -1.0)
    y = trained(RandomAffine(scale=0.5), DIGIT.astype(np.float64))
    expected = np.zeros(DIGIT.shape)
    expected[:, :, 1:4, 1:4] = DIGIT[:, :, ::2, ::2]
    np.testing.assert_allclose(y, expected)


def test_scaled_and_turned_before_it_is_shifted(drawn: Any) -> None:
    """The centre goes where the shift says, whatever the rest does."""
    drawn(0.5, -0.5, 0.3, 0.9)
    x = np.zeros((1, 1, 9, 9))
    x[..., 4, 4] = 1.0
    y = trained(RandomAffine(shift=2.0, rotation=40.0, scale=0.5), x)
    assert np.unravel_index(int(y.argmax()), (9, 9)) == (5, 3)
    assert y.max() == pytest.approx(1.0)


def test_nothing_is_left_of_an_image_shifted_away(drawn: Any) -> None:
    for amount in (1.0, -1.0):
        drawn(amount, amount, 0.5, 0.5)
        y = trained(RandomAffine(shift=1e6), DIGIT)
        assert y.shape == DIGIT.shape
        assert not y.any()


def test_bounds_of_zero_change_nothing(xp: Leg) -> None:
    y = xp.run(lambda x: trained(RandomAffine(shift=0.0, rotation=0.0, scale=0.0), x), xp.put(DIGIT))
    if xp.values:
        assert np.array_equal(xp.host(y), DIGIT)


def test_prediction_passes_pixels_on() -> None:
    assert RandomAffine().forward({}, DIGIT, key=Key(3))[0] is DIGIT
    dy = np.ones(DIGIT.shape)
    assert RandomAffine().backward({}, None, dy) == (dy, {})


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_whole_numbers_become_float32(xp: Leg, dtype: str) -> None:
    y = xp.run(lambda x: trained(RandomAffine(), x), xp.put(DIGIT.astype(dtype)))
    assert xp.dtype(y) == "float32"
    if xp.values:
        np.testing.assert_allclose(xp.host(y), trained(RandomAffine(), DIGIT.astype(np.float64)), atol=1e-3)


def test_float32_is_enough_for_large_images() -> None:
    x = np.random.default_rng(1).integers(0, 256, (4, 2, 100, 240)).astype(np.uint8)
    layer = RandomAffine(shift=5.0, rotation=45.0, scale=0.5)
    y, expected = trained(layer, x), trained(layer, x.astype(np.float64))
    np.testing.assert_allclose(y, expected, atol=0.05)  # of 255: places are exact to some 1e-5 pixels


def test_channels_move_alike_and_images_do_not() -> None:
    x = np.broadcast_to(DIGIT[:1, :1].astype(np.float64), (6, 3, 5, 5))
    y = trained(RandomAffine(), x)
    assert np.array_equal(y[:, 0], y[:, 1])
    assert np.array_equal(y[:, 0], y[:, 2])
    assert len({image.tobytes() for image in y[:, 0]}) == 6


def amounts(layer: RandomAffine, key: Key, count: int) -> Host:
    """(4, count): down, right, turn and growth of each image, read from two ramps that went through the layer."""
    ramp = np.arange(17.0) - 8.0
    x = np.broadcast_to(np.stack(np.meshgrid(ramp, ramp, indexing="ij")), (count, 2, 17, 17))
    y = trained(layer, x, key)
    row, column = y[:, :, 8, 8].T  # where the centre's value comes from
    sin, cos = (y[:, :, 8, 9] - y[:, :, 8, 8]).T  # and how far from there its neighbour's does
    scale, angle = 1 / np.hypot(sin, cos), np.arctan2(sin, cos)
    down, right = (
        -scale * (np.cos(angle) * row - np.sin(angle) * column),
        -scale * (np.sin(angle) * row + np.cos(angle) * column),
    )
    return np.stack(
        [down / layer.shift, right / layer.shift, np.degrees(angle) / layer.rotation, (scale - 1) / layer.scale]
    )


@pytest.mark.parametrize("key", [Key(0), Key(-77, 4000).child(0), Key(2**31 - 1, 59_000).child(1)])
def test_amounts_are_uniform_and_independent(key: Key) -> None:
    count = 3000
    found = amounts(RandomAffine(shift=2.0, rotation=30.0, scale=0.25), key, count)
    assert np.abs(found).max() <= 1 + 1e-12
    assert np.abs(found).max(axis=1).min() > 0.99
    for amount in found:
        counts, _ = np.histogram(amount, bins=30, range=(-1, 1))
        assert abs(((counts - count / 30) ** 2 / (count / 30)).sum() - 29) < 5 * np.sqrt(2 * 29)
    # the second moments too: a shift to a side may go with a large turn to either side
    for power in (1, 2):
        z = found**power - (power == 2) / 3
        z /= z.std(axis=1, keepdims=True)
        pairs = [(z[i], z[j]) for i in range(4) for j in range(i)]
        successive = [(z[i][1:], z[j][:-1]) for i in range(4) for j in range(4)]
        for one, other in pairs + successive:
            assert abs(np.mean(one * other)) < 5 / np.sqrt(count)


def test_a_model_trains_on_raw_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prediction sees the images as they are, and nobody asks for the gradient of the pixels."""

    def refuse(*arguments: Any, **keywords: Any) -> Any:
        raise AssertionError("the backward pass of the first layer was run")

    monkeypatch.setattr(RandomAffine, "backward", refuse)
    rng = np.random.default_rng(0)
    x, labels = rng.integers(0, 256, (40, 1, 6, 6)).astype(np.uint8), np.arange(40) % 3
    rest = (Standardize("all"), Flatten(), Dense(3))
    runs = [
        portanet.fit(Sequential(layer, *rest), x, labels, batch_size=16, epochs=2, seed=1, backend="numpy")
        for layer in (RandomAffine(), RandomAffine(), RandomAffine(shift=0.0, rotation=0.0, scale=0.0))
    ]
    weights = [run.params["3"]["weight"] for run in runs]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
    logits, _ = Sequential(*rest).forward({str(i): runs[0].params.get(str(i + 1), {}) for i in range(3)}, x)
    assert np.array_equal(runs[0].predict(x), np.argmax(logits, axis=1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomAffine(shift=-1.0), "RandomAffine needs shift of at least 0 and finite, got -1.0"),
        (lambda: RandomAffine(rotation=float("nan")), "RandomAffine needs rotation of at least 0 and finite, got nan"),
        (lambda: RandomAffine(scale=float("inf")), "RandomAffine needs scale of at least 0 and finite, got inf"),
        (lambda: RandomAffine(scale=1.0), "RandomAffine needs scale < 1, the relative change of size, got 1.0"),
        (
            lambda: RandomAffine().output_shape((28, 28)),
            r"RandomAffine needs images \(channels, height, width\), got shape \(28, 28\)",
        ),
        (lambda: RandomAffine().forward({}, DIGIT, train=True), "RandomAffine needs a key to train"),
    ],
)
def test_what_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
