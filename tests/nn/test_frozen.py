"""Frozen layers work as in prediction, and whatever trains around them, they stay as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import blobs, equal, tree
from layers import KEY

import portanet
from portanet._tree import tree_items
from portanet.backends import Backend
from portanet.errors import DataError, ModelError
from portanet.nn import (
    BatchNorm,
    Dense,
    Dropout,
    Embedding,
    Frozen,
    Layer,
    ReLU,
    Residual,
    Sequential,
    Standardize,
)

X, LABELS = blobs(48)
BASE = Sequential(Standardize(), Dense(6), BatchNorm(), ReLU(), Dropout(0.4), Residual(Dense(6), ReLU()), Dense(3))


def trained(model: Sequential = BASE, **settings: Any) -> portanet.TrainedModel:
    return portanet.fit(model, X, LABELS, **{"epochs": 2, "batch_size": 16, "dtype": "float64"} | settings)


def test_a_frozen_model_predicts_in_training_too() -> None:
    run = trained()
    layer = Frozen(BASE)
    predicted, _ = BASE.forward(run.params, X)
    y, cache = layer.forward(run.params, X, train=True, key=KEY)
    assert np.array_equal(y, predicted)
    assert not np.array_equal(y, BASE.forward(run.params, X, train=True, key=KEY)[0])
    assert layer.next_buffers(run.params, cache) == {}
    assert layer.backward(run.params, cache, np.ones_like(y), need_dx=False) == (None, {})
    assert (layer.rowwise, layer.is_trainable, layer.needs_fit, layer.children) == (True, False, False, {})


@pytest.mark.parametrize("frozen", [("0", "1", "2", "3", "4"), ("5",), ("0", "6")])
def test_only_what_is_not_frozen_moves(backend: Backend, frozen: tuple[str, ...]) -> None:
    """Buffers too: the running values of a BatchNorm, and what preprocessing took from other rows."""
    start = tree(trained(epochs=1).params, np.copy)
    model = BASE.freeze(*frozen)
    run = trained(model, params=start, backend=backend)
    before, after = dict(tree_items(start)), dict(tree_items(tree(run.params, backend.to_numpy)))
    assert before.keys() == after.keys()
    kept = {path for path in before if before[path].tobytes() == after[path].tobytes()}
    assert kept == {path for path in before if path[0] in (*frozen, "0")}


def test_frozen_preprocessing_is_not_fitted() -> None:
    model = Sequential(Frozen(Standardize()), Standardize(), Dense(3))
    params = model.init(np.random.default_rng(0), (4,))
    fitted = model.fit(params, [X])
    assert fitted["0"] is params["0"]
    np.testing.assert_allclose(fitted["1"]["mean"], X.mean(axis=0))
    assert not Frozen(Sequential(Standardize())).needs_fit


def test_names_and_first_values_are_those_of_the_layer_inside() -> None:
    for model in (BASE.freeze("1", "5"), Frozen(BASE)):
        first, second = (made.init(np.random.default_rng(1), (4,)) for made in (BASE, model))
        assert equal(first, second)
        assert model.output_shape((4,)) == (3,)
        assert model.macs((4,)) == BASE.macs((4,))


def test_values_are_checked_inside() -> None:
    with pytest.raises(DataError, match="Embedding needs integers from 0 to 3"):
        Sequential(Frozen(Embedding(4, 2)), Dense(2)).check(np.asarray([[4]]))


def test_freeze_and_back() -> None:
    model = BASE.freeze("1", "5")
    assert repr(model.layers[1]) == "Frozen(Dense(units=6))"
    assert repr(model.layers[5]) == "Frozen(Residual(Dense(units=6), ReLU()))"
    assert BASE.layers[1] == Dense(6)
    assert model.freeze("1") == model
    assert model.unfrozen() == BASE
    assert BASE.freeze() == BASE.unfrozen() == BASE


def test_a_block_stays_a_block() -> None:
    block = Residual(Dense(4), Residual(Dense(4), ReLU()))
    frozen = block.freeze("0")
    assert frozen == Residual(Frozen(Dense(4)), Residual(Dense(4), ReLU()))
    assert type(frozen) is type(frozen.unfrozen()) is Residual
    nested = Sequential(Frozen(Sequential(Frozen(Dense(4)), ReLU())), Residual(Frozen(Residual(Frozen(Dense(4))))))
    assert nested.unfrozen() == Sequential(Sequential(Dense(4), ReLU()), Residual(Residual(Dense(4))))


def test_a_child_that_is_not_there() -> None:
    with pytest.raises(ModelError, match=r"Sequential .*child '7' .*'0', '1'"):
        Sequential(Dense(3), ReLU()).freeze("0", "7")
    with pytest.raises(ModelError, match=r"Residual .*child 0 .*'0'"):
        Residual(ReLU()).freeze(0)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"there is none\."):
        Sequential().freeze("0")


def test_below_the_first_layer_that_learns_nothing_is_differentiated(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Layer] = []
    backward = Dense.backward

    def spy(self: Any, *arguments: Any, **need: Any) -> Any:
        asked.append(self)
        return backward(self, *arguments, **need)

    monkeypatch.setattr(Dense, "backward", spy)
    model = Sequential(Dense(2), Sequential(Dense(3), ReLU()), Dense(4), Dense(5)).freeze("0", "1", "3")
    params = model.init(np.random.default_rng(0), (4,))
    y, cache = model.forward(params, np.ones((2, 4)), train=True)
    dx, grads = model.backward(params, cache, np.ones_like(y), need_dx=False)
    assert dx is None
    assert grads.keys() == {"2"}
    assert asked == [Dense(5), Dense(4)]
