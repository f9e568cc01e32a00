"""Standardize learns its statistics as numpy.mean and numpy.std give them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import Host, in_blocks

from portanet.nn import Dense, Flatten, Rescale, Sequential, Standardize

RNG = np.random.default_rng(8)
DATA = {
    "float64": RNG.normal(3.0, 2.0, (50, 4)),
    "float32": RNG.normal(3.0, 2.0, (50, 4)).astype(np.float32),
    "pixels": RNG.integers(0, 256, (40, 1, 3, 2)).astype(np.uint8),
    "int64": RNG.integers(-5, 5, (30, 2)),
    "bool": RNG.random((30, 2)) < 0.3,
    "one row": RNG.normal(0.0, 1.0, (1, 3)),
    "more rows than a block": RNG.normal(-1.0, 0.1, (2 * 4096 + 77, 2)),
    "exactly a block": RNG.normal(-1.0, 0.1, (4096, 2)),
    "large offset": 1e9 + RNG.normal(0.0, 1.0, (6000, 2)),
    "tiny": RNG.normal(0.0, 1e-20, (50, 2)),
    "not contiguous": RNG.normal(0.0, 1.0, (4, 50)).T,
}


def fitted(layer: Standardize, x: Host) -> dict[str, Host]:
    return layer.fit(layer.init(np.random.default_rng(0), x.shape[1:]), in_blocks(x))


@pytest.mark.parametrize("x", DATA.values(), ids=DATA)
@pytest.mark.parametrize("axis", ["all", "feature"])
def test_statistics(axis: str, x: Host) -> None:
    given = x.copy()
    params = fitted(Standardize(axis), x)
    over = None if axis == "all" else 0
    wide = x.astype(np.float64)
    deviation = wide.std(axis=over)
    assert params["mean"].dtype == params["deviation"].dtype == np.float64
    np.testing.assert_allclose(params["mean"], wide.mean(axis=over), rtol=1e-12, atol=1e-14 * abs(wide).max())
    np.testing.assert_allclose(params["deviation"], np.where(deviation == 0, 1.0, deviation), rtol=1e-7)
    assert np.array_equal(x, given)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -3e7, 1e-30, np.float32(0.1), np.uint8(255)])
@pytest.mark.parametrize("axis", ["all", "feature"])
def test_a_constant_column_becomes_zero(axis: str, value: float) -> None:
    x = np.full((5000, 3), value)
    params = fitted(Standardize(axis), x)
    assert np.all(params["deviation"] == 1.0)
    y, _ = Standardize(axis).forward(params, x)
    np.testing.assert_allclose(y, 0.0, atol=1e-9 * max(1.0, abs(float(value))))


def test_only_the_constant_column_is_left_alone() -> None:
    x = np.stack([np.full(10, 7.0), np.arange(10.0)], axis=1)
    y, _ = Standardize().forward(fitted(Standardize(), x), x)
    assert not y[:, 0].any()
    assert y[:, 1].mean() == pytest.approx(0.0, abs=1e-12)
    assert y[:, 1].std() == pytest.approx(1.0, rel=1e-12)


def test_feature_statistics_have_the_shape_of_a_row() -> None:
    params = fitted(Standardize("feature"), DATA["pixels"])
    assert params["mean"].shape == params["deviation"].shape == (1, 3, 2)
    params = fitted(Standardize("all"), DATA["pixels"])
    assert params["mean"].shape == params["deviation"].shape == ()


def test_fit_sees_what_the_layers_before_give() -> None:
    x = DATA["pixels"]
    model = Sequential(Rescale(1 / 255), Flatten(), Standardize(), Dense(2), Sequential(Standardize("all")))
    params = model.init(np.random.default_rng(0), (1, 3, 2))
    learned = model.fit(params, in_blocks(x))
    rows = x.reshape(40, 6) / 255
    np.testing.assert_allclose(learned["2"]["mean"], rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(learned["2"]["deviation"], rows.std(axis=0), rtol=1e-12)
    hidden = (rows - rows.mean(axis=0)) / rows.std(axis=0) @ params["3"]["weight"]
    np.testing.assert_allclose(learned["4"]["0"]["deviation"], hidden.std(), rtol=1e-10)
    assert params["2"]["mean"].any() == np.False_  # the first params are as they were


def test_fit_stops_at_the_last_layer_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **keywords: object) -> object:
        raise AssertionError("a layer after the last one that fits was run")

    monkeypatch.setattr(Dense, "forward", refuse)
    model = Sequential(Rescale(0.5), Standardize(), Dense(2))
    model.fit(model.init(np.random.default_rng(0), (4,)), in_blocks(DATA["float64"]))


def test_only_preprocessing_fits() -> None:
    assert Standardize().needs_fit
    assert Sequential(Dense(2), Sequential(Standardize())).needs_fit
    assert not Sequential(Rescale(0.5), Dense(2)).needs_fit
    params = {"factor": np.asarray(0.5)}
    assert Rescale(0.5).fit(params, [np.ones((2, 2))]) is params
