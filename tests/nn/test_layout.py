"""The flat vector: what is in it, in which order, and back."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import equal, tree
from layers import ROWS, Row, case
from legs import Leg

from portanet._tree import tree_get, tree_items, tree_merge, tree_set
from portanet.nn import Dense, Layout, ReLU, Rescale, Sequential, Standardize

MODEL = Sequential(Standardize(), Dense(3), ReLU(), Sequential(Rescale(2.0), Dense(2), Sequential(Dense(2))))
WEIGHTS = (("1", "weight"), ("3", "1", "weight"), ("3", "2", "0", "weight"))
BIASES = (("1", "bias"), ("3", "1", "bias"), ("3", "2", "0", "bias"))
learning = pytest.mark.parametrize("row", [row for row in ROWS if row.layer.is_trainable], ids=str)


def params_of(model: Sequential, columns: int = 4) -> dict[str, object]:
    """Every entry of every array is a number of its own."""
    count = 0

    def number(array: np.ndarray) -> np.ndarray:
        nonlocal count
        count += array.size
        return np.arange(count - array.size, count, dtype=np.float64).reshape(array.shape)

    return tree(model.init(np.random.default_rng(0), (columns,)), number)


def test_places() -> None:
    layout = Layout.of(MODEL, params_of(MODEL))
    assert tuple(path for path, *_ in layout.places) == WEIGHTS + BIASES
    assert [start for *_, start in layout.places] == [0, 12, 18, 22, 25, 27]
    assert layout.decayed == 4 * 3 + 3 * 2 + 2 * 2
    assert layout.size == layout.decayed + 3 + 2 + 2


def test_order_of_the_numbers() -> None:
    params = params_of(MODEL)
    flat = Layout.of(MODEL, params).pack(params)
    expected = np.concatenate([np.ravel(tree_get(params, path)) for path in WEIGHTS + BIASES])
    assert np.array_equal(flat, expected)


@learning
def test_round_trip(row: Row, xp: Leg) -> None:
    given = case(row)
    layout = Layout.of(row.layer, given.params)

    def there_and_back(params: dict[str, object]) -> object:
        flat = layout.pack(params)
        return flat, layout.unpack(flat, layout.buffers(params))

    flat, back = xp.run(there_and_back, tree(given.params, xp.put))
    assert tuple(flat.shape) == (layout.size,)
    assert {path for path, _ in tree_items(back)} == {path for path, _ in tree_items(given.params)}
    if xp.values:
        assert equal(tree(back, xp.host), tree(given.params, lambda array: array.astype(np.float32)))


@learning
def test_buffers_are_not_in_the_vector(row: Row) -> None:
    given = case(row)
    layout = Layout.of(row.layer, given.params)
    buffers = {path for path, _ in tree_items(layout.buffers(given.params))}
    trained = {path for path, *_ in layout.places}
    assert not buffers & trained
    assert buffers | trained == {path for path, _ in tree_items(given.params)}
    assert layout.size == sum(array.size for path, array in tree_items(given.params) if path in trained)
    known = {"factor", "offset", "mean", "deviation", "variance", "center", "common"}
    assert {path[-1] for path in buffers} <= known or "Frozen" in str(row)


def test_the_vector_is_a_copy_and_the_arrays_are_views() -> None:
    params = params_of(MODEL)
    layout = Layout.of(MODEL, params)
    flat = layout.pack(params)
    back = layout.unpack(flat, layout.buffers(params))
    flat += 1000.0
    assert tree_get(params, ("1", "weight"))[0, 0] < 1000.0
    for path, *_ in layout.places:
        assert np.shares_memory(tree_get(back, path), flat)
        assert np.all(tree_get(back, path) >= 1000.0)


def test_one_array_is_copied_too() -> None:
    class Bare(Dense):
        trainable_names = ("weight",)

    params = {"weight": np.zeros((2, 1)), "bias": np.zeros(1)}
    flat = Layout.of(Bare(1), params).pack(params)
    flat += 1.0
    assert not params["weight"].any()


def test_merge_changes_neither() -> None:
    params, changed = {"0": {"a": 1, "b": 2}, "1": {"c": 3}}, {"0": {"b": 5}}
    assert tree_merge(params, changed) == {"0": {"a": 1, "b": 5}, "1": {"c": 3}}
    assert params == {"0": {"a": 1, "b": 2}, "1": {"c": 3}}
    assert changed == {"0": {"b": 5}}
    assert tree_merge(params, {}) is params


def test_put_makes_the_way() -> None:
    params: dict[str, object] = {}
    tree_set(params, ("3", "1", "weight"), 7)
    assert params == {"3": {"1": {"weight": 7}}}
    assert list(tree_items(params)) == [(("3", "1", "weight"), 7)]
