"""gradcheck finds the faults that backward passes have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from portanet import Backend, gradcheck, nn
from portanet.checks.gradcheck import EXAMPLES, LOSS_EXAMPLES
from portanet.errors import DataError, ModelError
from portanet.xp import namespace

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("layer", "shape"), EXAMPLES, ids=lambda value: repr(value))
def test_every_layer_of_the_library_is_right(layer: nn.Layer, shape: tuple[int, ...]) -> None:
    check = gradcheck(layer, RNG.normal(size=(3, *shape)))
    assert check.passed, check.worst
    assert [array.array for array in check.arrays].count("x") == 1


def test_every_layer_has_an_example() -> None:
    layers = {getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    layers = {layer for layer in layers if issubclass(layer, nn.Layer)} - {nn.Layer}
    exampled = {type(part) for layer, _ in EXAMPLES for part in (layer, *layer.children.values())}
    assert layers == exampled
    for made in layers:
        examples = made.examples()
        assert all(made in (type(layer), *map(type, layer.children.values())) for layer, _ in examples), made
        assert examples


def test_a_model_with_its_loss_on_every_backend(backend: Backend) -> None:
    model = nn.Sequential(nn.Rescale(0.5), nn.Dense(4), nn.ReLU(), nn.Dropout(0.3), nn.Dense(3))
    x, labels = RNG.normal(size=(4, 5)), np.array([0, 2, 1, 1])
    check = gradcheck(model, x, labels=labels, loss=nn.cross_entropy, backend=backend, elements=4)
    assert check.passed, check.worst
    assert {array.array for array in check.arrays} == {"x", "1.weight", "1.bias", "4.weight", "4.bias"}


@dataclass(frozen=True, repr=False)
class Faulty(nn.Dense):
    """A Dense layer with one fault in its backward pass."""

    fault: str = ""

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        dx, grads = super().backward(params, cache, dy, need_dx=need_dx)
        xp = namespace(dy)
        match self.fault:
            case "dropped bias gradient":
                grads["bias"] = xp.zeros_like(grads["bias"])
            case "bias summed over units too, as in the article":
                grads["bias"] = xp.zeros_like(grads["bias"]) + xp.sum(dy)
            case "swapped transpose":
                grads["weight"] = xp.reshape(dy.T @ cache, grads["weight"].shape)
            case "swapped transpose of dx":
                dx = dy @ params["weight"]
            case "not a number":
                grads["bias"] = grads["bias"] * float("nan")
        return dx, grads


@pytest.mark.parametrize(
    ("fault", "array"),
    [
        ("dropped bias gradient", "bias"),
        ("bias summed over units too, as in the article", "bias"),
        ("swapped transpose", "weight"),
        ("swapped transpose of dx", "x"),
        ("not a number", "bias"),
    ],
)
def test_a_planted_fault_is_found(fault: str, array: str) -> None:
    x = RNG.normal(size=(4, 3))
    assert gradcheck(Faulty(3), x).passed
    check = gradcheck(Faulty(3, fault=fault), x)
    assert not check.passed
    assert check.worst.array == array


@dataclass(frozen=True, repr=False)
class Centred(nn.Layer):
    """BatchNorm without its scale: every column minus its mean over the batch, divided by its deviation."""

    mean_term: bool

    @property
    def rowwise(self) -> bool:
        return False

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        xp = namespace(x)
        inverse = 1.0 / xp.sqrt(xp.var(x, axis=0, keepdims=True) + 1e-5)
        y = (x - xp.mean(x, axis=0, keepdims=True)) * inverse
        return y, (y, inverse)

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        xp, (y, inverse) = namespace(dy), cache
        mean = xp.mean(dy, axis=0, keepdims=True) if self.mean_term else 0.0
        return inverse * (dy - mean - y * xp.mean(dy * y, axis=0, keepdims=True)), {}


def test_the_missing_mean_term_of_batch_statistics_is_found(backend: Backend) -> None:
    x = RNG.normal(size=(5, 3))
    assert gradcheck(Centred(mean_term=True), x, backend=backend, elements=5).passed
    check = gradcheck(Centred(mean_term=False), x, backend=backend, elements=5)
    assert not check.passed
    assert check.worst.error > 0.01


def test_a_loss_with_a_fault_is_found() -> None:
    def unweighted(logits: Any, labels: Any, weights: Any) -> Any:
        value, dlogits = nn.cross_entropy(logits, labels, weights)
        return value, dlogits / weights[:, None]

    logits, labels = RNG.normal(size=(4, 3)), np.array([0, 1, 2, 0])
    assert gradcheck(nn.cross_entropy, logits, labels=labels).passed
    assert not gradcheck(unweighted, logits, labels=labels).passed


@pytest.mark.parametrize(("loss", "labels"), LOSS_EXAMPLES, ids=lambda value: repr(value)[:30])
def test_every_loss_of_the_library_is_right(loss: nn.Loss, labels: Any, backend: Backend) -> None:
    check = gradcheck(loss, RNG.normal(size=(3, 3)), labels=labels, backend=backend)
    assert check.passed, check.worst


def test_every_loss_has_an_example() -> None:
    assert {type(loss) for loss, _ in LOSS_EXAMPLES} == set(nn.LOSSES.values())


def test_labels_are_those_of_fit() -> None:
    """Numbers for one output may be flat, and a class that no output stands for is refused."""
    assert gradcheck(nn.mean_squared_error, RNG.normal(size=(3, 1)), labels=[1, 2, 4]).passed
    assert gradcheck(nn.Dense(1), RNG.normal(size=(3, 4)), labels=[1.5, 2, 4], loss=nn.huber).passed
    with pytest.raises(DataError, match=r"row 1: label 3 .* 3 classes"):
        gradcheck(nn.cross_entropy, RNG.normal(size=(3, 3)), labels=[0, 3, 1])


def test_a_gradient_of_the_wrong_shape_is_named() -> None:
    @dataclass(frozen=True, repr=False)
    class Wrong(nn.ReLU):
        def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
            return dy[:1, ...], {}

    with pytest.raises(ModelError, match=r"gradient of x .*\(1, 2\), .*\(3, 2\)"):
        gradcheck(Wrong(), np.ones((3, 2)))


def test_the_worst_element_is_the_one_that_is_wrong() -> None:
    @dataclass(frozen=True, repr=False)
    class OneWrong(nn.ReLU):
        def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
            dx, grads = super().backward(params, cache, dy)
            assert dx is not None
            wrong: Any = dx
            wrong[1, 2] += 0.5
            return wrong, grads

    worst = gradcheck(OneWrong(), RNG.uniform(0.5, 1.0, size=(2, 4))).worst
    assert (worst.array, worst.index) == ("x", 6)
    assert worst.backward - worst.numeric == pytest.approx(0.5)


def test_the_gradients_of_a_small_net_are_right_to_thirty_digits() -> None:
    mparray = pytest.importorskip("mparray", reason="mparray is not installed: arrays of any precision")
    mpmath = pytest.importorskip("mpmath")

    class Precise(Backend):
        name = package = "mparray"

        def put(self, array: Any, dtype: Any = None) -> Any:
            return mparray.asarray(np.asarray(array, dtype=dtype).tolist(), dtype=getattr(mparray, dtype))

        def to_numpy(self, x: Any) -> Any:
            return np.asarray(float(x))

    model = nn.Sequential(nn.Dense(4), nn.ReLU(), nn.Dense(3))
    x, labels = RNG.normal(size=(3, 5)), np.array([0, 1, 2])
    with mpmath.workdps(50):
        check = gradcheck(
            model, x, labels=labels, loss=nn.cross_entropy, backend=Precise(), step=1e-17, tolerance=1e-30
        )
    assert check.passed, check.worst
    assert check.worst.error > 0


def test_printed_it_says_right_or_wrong_of_each_array() -> None:
    @dataclass(frozen=True, repr=False)
    class Doubled(nn.Dense):
        def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
            dx, grads = super().backward(params, cache, dy, need_dx=need_dx)
            return dx, grads | {"bias": 2 * grads["bias"]}

    x = RNG.normal(size=(3, 4))
    name, *lines = str(gradcheck(Doubled(2), x)).splitlines()
    assert "Doubled" in name
    assert {line.split()[2].partition("[")[0]: line.split()[3] for line in lines} == {
        "bias": "WRONG:", "x": "right", "weight": "right",
    }  # fmt: skip
    assert lines[0].split()[2].startswith("bias[")
    assert repr(gradcheck(nn.Dense(2), x)).count("right") == 3
