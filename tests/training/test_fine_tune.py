"""Fine-tuning: what stays, and what is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers import blobs, equal, tree

import portanet
from portanet.backends import Backend
from portanet.errors import ModelError
from portanet.nn import (
    BatchNorm,
    Dense,
    Frozen,
    ReLU,
    Residual,
    Sequential,
    Softplus,
    Standardize,
    mean_squared_error,
    uniform,
)
from portanet.training.fine_tune import fine_tune

X, LABELS = blobs()


@dataclass(frozen=True, init=False, repr=False)
class Twice(Sequential):
    """A container of one's own: its layers, and the result doubled."""

    def forward(self, params: Any, x: Any, **options: Any) -> Any:
        y, caches = super().forward(params, x, **options)
        return 2.0 * y, caches

    def backward(self, params: Any, cache: Any, dy: Any, **options: Any) -> Any:
        return super().backward(params, cache, 2.0 * dy, **options)


def trained(*layers: Any, backend: Any = "numpy", labels: Any = LABELS, **settings: Any) -> portanet.TrainedModel:
    model = Sequential(*layers or (Standardize(), Dense(8), ReLU(), Dense(3)))
    return portanet.fit(model, X, labels, epochs=2, batch_size=30, backend=backend, **settings)


def test_nothing_is_trained_by_it(backend: Backend) -> None:
    run = trained(backend=backend)
    model, params = fine_tune(run, 3)
    assert model == run.model
    start = portanet.fit(model, X, LABELS, params=params, epochs=1, optimizer=portanet.optim.Adam(1e-30))
    np.testing.assert_allclose(start.outputs(X), run.outputs(X), rtol=1e-4, atol=1e-5)


def test_frozen_arrays_keep_their_bits(backend: Backend) -> None:
    run = trained(Standardize(), Dense(8), BatchNorm(), ReLU(), Residual(Dense(8), ReLU()), Dense(3), backend=backend)
    model, params = fine_tune(run, 3, freeze=("1", "2", "4"))
    again = portanet.fit(model, X * 3.0, LABELS, params=params, epochs=2, backend=backend)
    before, after = (tree(one.params, one.backend.to_numpy) for one in (run, again))
    for name in ("0", "1", "2", "4"):  # preprocessing keeps what it knows without being named
        assert equal(before[name], after[name])
    assert not np.array_equal(before["5"]["weight"], after["5"]["weight"])


def test_other_outputs_get_a_new_head_and_the_rest_stays() -> None:
    run = trained(Standardize(), Dense(8), ReLU(), Dense(3, initializer=uniform(-0.1, 0.1)))
    model, params = fine_tune(run, 5, seed=1)
    assert model == Sequential(Standardize(), Dense(8), ReLU(), Dense(5, initializer=uniform(-0.1, 0.1)))
    assert equal({name: params[name] for name in ("0", "1")}, {name: run.params[name] for name in ("0", "1")})
    assert params["3"]["weight"].shape == (8, 5)
    assert np.abs(params["3"]["weight"]).max() < 0.1
    other = fine_tune(run, 5, seed=2)[1]
    assert not np.array_equal(other["3"]["weight"], params["3"]["weight"])
    assert equal(fine_tune(run, 5, seed=1)[1], params)


def test_the_head_is_new_when_asked() -> None:
    run = trained()
    model, params = fine_tune(run, 3, new_head=True)
    assert model == run.model
    assert not np.array_equal(params["3"]["weight"], run.params["3"]["weight"])
    assert equal(params["1"], run.params["1"])


def test_numbers_after_classes_and_classes_after_numbers() -> None:
    run = trained()
    model, params = fine_tune(run, 1)
    assert model.layers[3:] == (Dense(1),)
    prices = portanet.fit(model, X, X[:, 0] * 20 + 300, loss=mean_squared_error, params=params, epochs=1)
    assert abs(prices.predict(X).mean() - 300) < 60
    back, _ = fine_tune(prices, 3)
    assert back == run.model
    positive = trained(Dense(4), Dense(1), Softplus(), labels=np.abs(X[:, 0]), loss=mean_squared_error)
    assert fine_tune(positive, 1)[0] == positive.model
    assert fine_tune(positive, 2)[0] == Sequential(Dense(4), Dense(2))


def test_what_was_frozen_learns_again_unless_named() -> None:
    run = trained()
    frozen, params = fine_tune(run, 3, freeze=("1",))
    second = portanet.fit(frozen, X, LABELS, params=params, epochs=1)
    assert second.model.children["1"] == Frozen(Dense(8))
    assert fine_tune(second, 3)[0] == run.model
    assert fine_tune(second, 3, freeze=("0",))[0].layers[:2] == (Frozen(Standardize()), Dense(8))


def test_containers_within() -> None:
    run = trained(Sequential(Standardize(), Twice(Dense(8), ReLU())), Residual(Dense(8)), Dense(3))
    model, params = fine_tune(run, 4, freeze=("0",))
    assert model.layers[0] == Frozen(Sequential(Standardize(), Twice(Dense(8), ReLU())))
    again = portanet.fit(model, X, LABELS + 1, params=params, epochs=1)
    assert equal(again.params["0"], run.params["0"])
    assert not equal(again.params["1"], run.params["1"])


@pytest.mark.parametrize("model", [Dense(3), Twice(Dense(8), Dense(3)), Frozen(Dense(3))])
def test_a_model_that_is_no_plain_sequential_goes_on(model: Any) -> None:
    """Its own forward pass is kept: it becomes the only child."""
    if isinstance(model, Frozen):
        run = portanet.fit(Sequential(Dense(3)), X, LABELS, epochs=1)
        run.model, run.params = model, run.params["0"]
    else:
        run = portanet.fit(model, X, LABELS, epochs=1)
    going_on, params = fine_tune(run, 3)
    np.testing.assert_array_equal(going_on.forward(params, X)[0], run.model.forward(run.params, X)[0])
    assert portanet.fit(going_on, X, LABELS, params=params, epochs=1).predict(X).shape == (90,)
    if isinstance(model, Twice):
        with pytest.raises(ModelError, match=r"must be a Dense .*; got Twice\("):
            fine_tune(run, 5)


@pytest.mark.parametrize(
    ("layers", "outputs", "freeze", "message"),
    [
        ((), 3, ("9",), "Sequential has no child '9' to freeze; there is '0', '1', '2', '3'"),
        ((), 5, ("0", "-1"), "has no child '-1'"),
        ((Dense(8), Sequential(Dense(3))), 5, (), r"must be a Dense .*; got Sequential\("),
        ((Dense(3), BatchNorm()), 5, (), r"must be a Dense .*; got BatchNorm\("),
    ],
)
def test_what_cannot_go_on(layers: Any, outputs: int, freeze: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        fine_tune(trained(*layers), outputs, freeze=freeze)


def test_the_given_run_is_left_alone() -> None:
    run = trained()
    before = {name: dict(own) for name, own in run.params.items()}
    copies = {name: {key: array.copy() for key, array in own.items()} for name, own in run.params.items()}
    model, params = fine_tune(run, 3)
    portanet.fit(model, X, LABELS, params=params, epochs=1)
    assert equal(run.params, copies)
    assert all(run.params[name][key] is array for name, own in before.items() for key, array in own.items())
