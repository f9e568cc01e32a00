"""Columns: medians, quartiles and counts as NumPy and scikit-learn find them, gaps, rare and new values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import Host, in_blocks, tree

from portanet import nn
from portanet.errors import DataError, ModelError
from portanet.nn import Columns, Dense, Frozen, Residual, Sequential, order
from portanet.nn.layer import Layer

RNG = np.random.default_rng(3)
NAN = float("nan")


def fitted(layer: Layer, x: Host) -> dict[str, Any]:
    return layer.fit(layer.init(np.random.default_rng(0), x.shape[1:]), in_blocks(x))


def features(layer: Columns, params: dict[str, Any], rows: Any) -> Host:
    y: Host = layer.forward(params, np.asarray(rows, np.float64))[0]
    return y


@pytest.mark.parametrize("held", [1, 7000, 2**24])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scales_are_those_of_scikit_learn(held: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RobustScaler takes the same medians and quartiles, NaN left out, however many columns are held at once."""
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    monkeypatch.setattr(order, "_HELD", held)
    x = RNG.lognormal(2.0, 3.0, (4099, 5)).astype(dtype)
    x[RNG.random(x.shape) < 0.1] = np.nan
    scaler = preprocessing.RobustScaler().fit(x.astype(np.float64))
    params = fitted(Columns(), x)
    np.testing.assert_allclose(params["center"], scaler.center_, rtol=1e-12)
    np.testing.assert_allclose(1 / params["factor"], scaler.scale_, rtol=1e-12)
    y, s = Columns().forward(params, x.astype(np.float64))[0], scaler.transform(x.astype(np.float64))
    np.testing.assert_allclose(y, np.nan_to_num(s / np.hypot(1, s / 3)), rtol=1e-9, atol=1e-12)


def test_where_the_quartiles_are_equal() -> None:
    mostly = np.zeros(100)
    mostly[:3] = [-2.0, 6.0, NAN]
    x = np.stack([mostly, np.full(100, 7.0), np.full(100, NAN)], axis=1)
    params = fitted(Columns(), x)
    assert params["center"].tolist() == [0.0, 7.0, 0.0]
    assert params["factor"].tolist() == [1 / 4, 0.0, 0.0]
    assert features(Columns(), params, [[0.0, 9.0, 5.0]]).tolist() == [[0.0, 0.0, 0.0]]  # a constant column stays one


@pytest.mark.parametrize("counts", [(3, 60, 25, 12), (50, 50), (90, 10), (10, 90), (1,), (0, 4, 4), (30, 30, 40, 0)])
def test_indicators_have_the_scales_of_their_values(counts: tuple[int, ...]) -> None:
    kind = len(counts)
    codes = RNG.permutation(np.repeat(np.arange(kind + 1), [5, *counts])).astype(float)
    codes[np.flatnonzero(codes == 0)[:2]] = NAN
    each = np.stack([codes == k for k in range(1, kind + 1)], axis=1).astype(float)
    z = each[:, :1] - each[:, 1:] if kind == 2 else each
    params, as_numbers = fitted(Columns((kind,)), codes[:, None]), fitted(Columns(), z)
    np.testing.assert_array_equal(params["center"], as_numbers["center"])
    np.testing.assert_array_equal(params["factor"], as_numbers["factor"])
    np.testing.assert_array_equal(
        Columns((kind,)).forward(params, codes[:, None])[0], Columns().forward(as_numbers, z)[0]
    )


def test_a_gap_is_the_median_and_has_a_flag() -> None:
    layer = Columns(("number", "number?"))
    params = fitted(layer, RNG.normal(5.0, 1.0, (200, 2)))
    middle = params["center"].tolist()
    assert features(layer, params, [[NAN, NAN], middle]).tolist() == [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]


def test_far_numbers_are_three() -> None:
    params = tree(fitted(Columns(), RNG.normal(0.0, 1e-3, (200, 1))), lambda array: array.astype(np.float32))
    with np.errstate(over="ignore"):  # as backends do while they compute
        y = Columns().forward(params, np.asarray([[-3e38], [3e38], [1e4]], np.float32))[0]
    np.testing.assert_allclose(y, [[-3.0], [3.0], [3.0]], rtol=1e-6)


def test_features_are_those_of_each_column_alone() -> None:
    """Whatever stands beside a column, and whatever it holds, no bit of its features differs."""
    kinds = (4, "number", 1, "number?", 2, 9, 3, "number?", 12)
    x = RNG.normal(2.0, 3.0, (300, len(kinds))).astype(np.float32)  # codes that are none, too
    x[RNG.random(x.shape) < 0.6] //= 1.0
    x[RNG.random(x.shape) < 0.1] = np.nan
    whole = Columns(kinds)
    params = tree(fitted(whole, np.nan_to_num(np.clip(x, 0.0, 1.0) // 1.0)), lambda array: array.astype(np.float32))
    found = {name: [] for name in ("scaled", "flags", "vectors")}  # type: dict[str, list[Host]]
    feature = row = 0
    for column, kind in enumerate(kinds):
        layer = Columns((kind,))
        own = {}
        if width := layer._scaled(1):
            own = {name: params[name][feature : feature + width] for name in ("center", "factor")}
        if layer.tables:
            own = {name: params[name][row : row + kind + 1] for name in ("common", "embedding")}
            row += kind + 1
        y = layer.forward(own, x[:, column : column + 1])[0]
        found["vectors" if layer.tables else "scaled"].append(y if layer.tables else y[:, :width])
        found["flags"].append(y[:, width:] if "number?" in layer.kinds else y[:, :0])
        feature += width
    expected = np.concatenate([part for parts in found.values() for part in parts], axis=1)
    assert whole.forward(params, x)[0].tobytes() == expected.tobytes()


@pytest.mark.parametrize("unseen", [0, NAN, 11, -1, 3])
def test_missing_rare_and_new_values_share_a_vector(unseen: float) -> None:
    """Code 3 is in one training row alone, and 11 in no row of the table that the model was made for."""
    layer = Columns((10,), min_frequency=2)
    params = fitted(layer, np.asarray([[1], [1], [2], [2], [3]], float))
    assert not params["embedding"][0].any()
    shared, own = features(layer, params, [[unseen], [1]])
    assert np.array_equal(shared, params["embedding"][0])
    assert np.array_equal(own, params["embedding"][1])
    assert params["common"].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_the_vector_of_missing_values_learns_from_them_alone() -> None:
    layer = Columns((9,), min_frequency=1)
    x = np.arange(1.0, 10.0)[:, None]
    _, cache = layer.forward(fitted(layer, x), x)
    _, grads = layer.backward({}, cache, np.ones((9, 8)), need_dx=False)
    assert grads["embedding"].tolist() == [[0.0] * 8] + [[1.0] * 8] * 9


def test_a_file_cannot_point_outside_of_the_vectors() -> None:
    layer = Columns((9,))
    params = fitted(layer, np.zeros((3, 1)))
    for common in (-1e30, 1e30):
        assert features(layer, params | {"common": np.full(10, common)}, [[9], [0]]).shape == (2, 8)


@pytest.mark.parametrize("bad", [10, -1, 2.5, 1e9])
def test_codes_are_checked(bad: float) -> None:
    layer = Columns((4, "number", 9, 9))
    rows = np.asarray([[0, 1e9, 9, 0], [NAN, -0.5, 0, NAN]])
    layer.check(rows)
    rows[1, 2] = bad
    with pytest.raises(DataError, match=r"codes from 0 to 9 in columns 2 to 3"):
        layer.check(rows)
    with pytest.raises(DataError, match=r"codes from 0 to 4 in column 0,"):
        layer.check(np.full((1, 4), 5, np.uint8))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Columns(("number", "text")), "'number', 'number\\?' or a count .*, got 'text'"),
        (lambda: Columns((0,)), "got 0"),
        (lambda: Columns((True,)), "got True"),
        (lambda: Columns("number"), "got 'number'"),
        (lambda: Columns([5.0]), r"got 5.0"),
        (lambda: Columns(one_hot=0), "one_hot of at least 1, got 0"),
        (lambda: Columns(embedding=1.5), "embedding.*, got 1.5"),
        (lambda: Columns(("number",)).output_shape((2,)), "kinds for 1 columns, got rows of 2"),
        (lambda: Columns().output_shape((2, 3)), r"rows of a table, got shape \(2, 3\); put Flatten\(\)"),
    ],
)
def test_columns_that_cannot_be(make: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        make()


@pytest.mark.parametrize(
    ("model", "accepts"),
    [
        (Columns(), True),
        (Sequential(nn.Identity(), nn.Flatten(), Columns(), Dense(2)), True),
        (Sequential(nn.Reshape((4,)), Sequential(Columns()), Dense(2)), True),
        (Frozen(Columns()), True),
        (Dense(2), False),
        (Sequential(Dense(2), Columns()), False),
        (Sequential(nn.Standardize(), Columns()), False),
        (Residual(Columns()), False),
        (Residual(nn.Identity()), False),
        (Sequential(), None),
    ],
)
def test_which_models_take_missing_values(model: Layer, accepts: bool | None) -> None:
    assert model.accepts_missing is accepts
