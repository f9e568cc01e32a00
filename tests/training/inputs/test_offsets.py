"""Columns whose values float32 would merge are centred in float64 first; all others keep their bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import Host, equal

import portanet
from portanet import nn
from portanet.backends import Backend
from portanet.errors import DataError
from portanet.optim import Adam
from portanet.storage.model_card import ModelCard
from portanet.training.fine_tune import fine_tune
from portanet.training.inputs.offsets import find_offsets, subtract
from portanet.training.steps.source import Mapped, Resident, Streamed, as_source

DATES = 20230101 + np.arange(28)
SECONDS = 1.7e9 + 60.0 * np.arange(60)
MODEL = nn.Sequential(nn.Standardize(), nn.Dense(1))
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0.0, 1.0, 600)
TABLE = np.stack([1.7e9 + RNG.uniform(0.0, 3600.0, 600), NOISE, 5.4e6 + RNG.uniform(0.0, 20.0, 600)], axis=1)
TARGETS = (TABLE[:, 0] - 1.7e9) / 1000 + TABLE[:, 1] - (TABLE[:, 2] - 5.4e6) / 5
SETTINGS: dict[str, Any] = {"task": "regress", "optimizer": Adam(0.05), "epochs": 20, "batch_size": 30}


def narrowed(x: Any) -> Host:
    """What reaches float32."""
    wide = np.asarray(x)
    offsets = find_offsets(wide)
    return (wide if offsets is None else subtract(wide, offsets)).astype(np.float32)


@pytest.mark.parametrize(
    "column",
    [
        DATES,
        DATES.astype(np.float64),
        SECONDS,
        SECONDS.astype(np.uint32),
        20040101 + np.repeat(np.arange(100), 4) * 2000 + np.arange(400) % 4,  # twenty years
        1.5e9 + 60.0 * (np.repeat(np.arange(100), 9) * 50_000 + np.arange(900) % 9),  # ten years of minutes
        2**60 + np.arange(40),  # whole numbers that float64 merges
        np.asarray([2**64 - 3, 2**64 - 2], np.uint64),
        -(2**62) - np.arange(40),
        5.4e6 + np.arange(0.0, 20.0, 0.01),  # metres of a map's grid
        1e20 + np.arange(5) * 1e11,
    ],
    ids=lambda column: f"{column.dtype}-{column[0]}",
)
def test_distinct_values_stay_distinct(column: Host) -> None:
    assert len(np.unique(column.astype(np.float32))) < len(column)
    found = narrowed(column[:, None])[:, 0]
    assert len(np.unique(found)) == len(column)
    exact = [int(value) - int(column[0]) for value in column] if column.dtype.kind in "ui" else column - column[0]
    distances = np.asarray(exact, np.float64)
    np.testing.assert_allclose(found.astype(np.float64) - found[0], distances, rtol=0, atol=1e-7 * np.ptp(distances))


@pytest.mark.parametrize(
    "column",
    [
        NOISE,
        NOISE * 20.0 + 273.15,
        np.exp(9.0 * NOISE),
        np.floor(np.exp(9.0 * NOISE)).astype(np.int64),
        np.full(9, 0.1),
        np.full(9, DATES[0]),
        0.1 + 1e-17 * np.arange(9),  # what rounding leaves of a constant
        np.arange(1900.0, 2030.0),
        np.asarray([0.0, 1e9]),
        2.0**24 - np.arange(9),
        SECONDS.astype(np.float32).astype(np.float64),  # narrowed before, and exact by now
        np.asarray([np.nan, 1.0, 0.1]),
        np.full(3, np.nan),
    ],
)
def test_ordinary_columns_have_none(column: Host) -> None:
    assert find_offsets(column[:, None]) is None


def test_missing_values_do_not_count() -> None:
    column = np.where(np.arange(28) % 3 == 0, np.nan, DATES)
    found = narrowed(column[:, None])
    assert len(np.unique(found[~np.isnan(found)])) == np.isfinite(column).sum()


def test_each_column_is_decided_alone_and_each_channel_of_images() -> None:
    offsets = find_offsets(TABLE)
    assert offsets is not None
    assert (offsets != 0).tolist() == [True, False, True]
    images = np.ones((5, 2, 3, 3)) * [[[0.5]], [[1e9]]] + RNG.normal(size=(5, 2, 3, 3))
    offsets = find_offsets(images)
    assert offsets is not None
    assert offsets.shape == (2, 1, 1)
    assert offsets[0] == 0
    assert offsets[1] == pytest.approx(1e9, abs=10)
    run = portanet.fit(nn.Sequential(nn.Flatten(), nn.Dense(2)), images, [0, 1, 0, 1, 0], epochs=1)
    assert run.card.offsets == tuple(offsets.ravel())


def test_numbers_too_small_for_float32_are_told() -> None:
    tiny = NOISE[:, None] * [1.0, 1e-46]
    with pytest.raises(DataError, match=r"too small for float32, up to .*e-46 in column 1 .*dtype='float64'"):
        portanet.fit(MODEL, tiny, NOISE, task="regress", epochs=1)
    with pytest.raises(DataError, match="too small"):
        find_offsets((1e-30 + np.arange(100) * 1e-41)[:, None])
    run = portanet.fit(MODEL, tiny, NOISE, task="regress", epochs=30, dtype="float64", optimizer=Adam(0.1))
    assert run.evaluate(tiny, NOISE)["r2"] > 0.99


def places(tmp_path: Path, backend: Backend, x: Host) -> dict[str, Any]:
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False)
    kind = "int32" if backend.name == "jax" else str(x.dtype)  # JAX has no wider numbers unless it is told to
    return {"memory": x, "list": x.tolist(), "map": mapped, "device": backend.put(x.astype(kind), kind)}


@pytest.mark.parametrize("room", [True, False])
def test_wherever_the_rows_lie(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool) -> None:
    monkeypatch.setattr(backend, "free_memory", lambda: 2**40 if room else 0)
    x, expected = np.stack([DATES, np.arange(28)], axis=1), np.stack([np.arange(28) - 13, np.arange(28)], axis=1)
    for name, given in places(tmp_path, backend, x).items():
        for source in (as_source(given, MODEL, backend, "float32"), as_source(x, MODEL, backend, "float32")):
            kinds = {"map": Mapped if backend.computes_in_host_memory() else Resident if room else Streamed}
            assert isinstance(source, kinds.get(name, (Resident, Streamed)) if source.given is not x else object)
            assert source.card_offsets == (20230114.0, 0.0)
            assert [np.asarray(block).tolist() for block in source.host_blocks()] == [expected.tolist()]
            for rows in (
                source.batch(np.arange(28))[:, ...],
                source.batch(None)[:, ...],
                next(iter(source.blocks(28))),
            ):
                assert str(rows.dtype).rpartition(".")[2] == "float32"
                assert np.array_equal(backend.to_numpy(rows), expected)


@pytest.mark.parametrize("model", [MODEL, nn.Sequential(nn.Rescale(1e-3), nn.Standardize(), nn.Dense(1))], ids=str)
def test_a_model_of_such_columns_learns_them(backend: Backend, tmp_path: Path, model: nn.Layer) -> None:
    """As scikit-learn's least squares in float64."""
    linear = pytest.importorskip("sklearn.linear_model").LinearRegression()
    scaled = (TABLE - TABLE.mean(axis=0)) / TABLE.std(axis=0)
    expected = linear.fit(scaled, TARGETS).predict(scaled)
    run = portanet.fit(model, TABLE, TARGETS, valid=(TABLE, TARGETS), backend=backend, **SETTINGS)
    np.testing.assert_allclose(run.predict(TABLE), expected, atol=0.02)
    assert run.history[-1]["valid_r2"] == pytest.approx(1.0, abs=1e-4)
    again = portanet.load(run.save(tmp_path / "m.safetensors"), backend=backend)
    assert again.card == run.card
    assert np.array_equal(again.predict(TABLE), run.predict(TABLE))
    for name, given in places(tmp_path, backend, TABLE).items():
        if name != "device" or backend.name != "jax":
            assert np.array_equal(again.predict(given), run.predict(TABLE))
    # A product of seven rows may take another path of the BLAS, and be rounded otherwise.
    np.testing.assert_allclose(again.predict(TABLE[::-1][:7]), run.predict(TABLE)[::-1][:7], rtol=1e-6)


def test_ordinary_rows_train_to_the_same_bits_beside_them() -> None:
    """A column of dates changes no other one, and float64 rows without any are float32 ones."""
    wide = NOISE[:, None].repeat(3, axis=1)
    one, other = (
        portanet.fit(nn.Sequential(nn.Dense(1)), x, NOISE, **SETTINGS) for x in (wide, wide.astype(np.float32))
    )
    assert equal(one.params, other.params)
    assert one.card.offsets == ()
    source = as_source(TABLE, MODEL, portanet.choose("numpy"), "float32")
    assert np.array_equal(source.batch(None)[:, 1], TABLE[:, 1].astype(np.float32))


def test_float64_needs_none() -> None:
    run = portanet.fit(MODEL, TABLE, TARGETS, dtype="float64", **SETTINGS)
    assert run.card.offsets == ()
    assert run.evaluate(TABLE, TARGETS)["r2"] > 0.999


def test_a_model_trained_further_keeps_its_offsets(tmp_path: Path) -> None:
    first = portanet.fit(MODEL, TABLE, TARGETS, **SETTINGS)
    later = TABLE + np.asarray([600.0, 0.0, 3.0])
    assert portanet.fit(MODEL, later, TARGETS, **SETTINGS).card.offsets != first.card.offsets
    still = {"task": "regress", "optimizer": Adam(1e-9), "epochs": 1}
    loaded = portanet.load(first.save(tmp_path / "m.safetensors"))
    for model, params in ((MODEL, first.params), (MODEL, loaded.params), fine_tune(first, 1), fine_tune(loaded, 1)):
        run = portanet.fit(model, later, TARGETS, params=params, **still)
        assert run.card.offsets == first.card.offsets
        np.testing.assert_allclose(run.predict(later), first.predict(later), atol=1e-4)
        assert portanet.fit(model, later, TARGETS, params=run.params, **still).card.offsets == first.card.offsets


def test_an_interrupted_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    alone = portanet.fit(MODEL, TABLE, TARGETS, **SETTINGS)
    portanet.fit(MODEL, TABLE, TARGETS, checkpoints=tmp_path, **SETTINGS | {"epochs": 9})
    resumed = portanet.fit(MODEL, TABLE, TARGETS, checkpoints=tmp_path, **SETTINGS)
    assert equal(alone.params, resumed.params)
    assert alone.card == resumed.card


def test_ids_of_an_embedding_are_checked_as_they_were_given() -> None:
    model = nn.Sequential(nn.Embedding(4, 2), nn.Flatten(), nn.Dense(2))
    with pytest.raises(DataError, match=r"0 to 3, got values from 2.02301e\+07"):
        portanet.fit(model, DATES[:, None], np.arange(28) % 2, epochs=1)


def test_bytes_reach_such_a_model_without_its_offsets() -> None:
    run = portanet.fit(nn.Sequential(nn.Dense(2)), DATES[:, None], np.arange(28) % 2, epochs=1)
    [row] = as_source(np.asarray([[7]], np.uint8), run.model, run.backend, "float32", offsets=run.card.offsets).blocks(
        9
    )
    assert row.tolist() == [[np.float32(7 - 20230114)]]


@pytest.mark.parametrize(
    "card",
    [
        {"offsets": [1.0]},
        {"offsets": [1.0, 2.0, float("nan")]},
        {"offsets": [1.0, 2.0, 10**400]},
        {"offsets": [1.0, 2.0, True]},
        {"offsets": {"0": 1.0}},
        {"offsets": "123"},
        {"offsets": [1.0] * 9, "input_shape": [3, 3, 1]},
    ],
)
def test_offsets_of_a_file_that_cannot_be(card: dict[str, Any]) -> None:
    with pytest.raises(portanet.errors.ConfigError, match="offsets"):
        ModelCard.from_dict({"input_shape": [3], "dtype": "float32"} | card)
    assert ModelCard.from_dict(ModelCard((3,), offsets=(0.1, 0.0, 1e300)).to_dict()).offsets == (0.1, 0.0, 1e300)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_csv_of_dates_and_large_targets(tmp_path: Path, mapped: bool) -> None:
    """R2 is measured against the numbers in the file, and is that of least squares in float64."""
    rng = np.random.default_rng(7)
    days, minutes, noise = np.arange(280) % 28, rng.permutation(280) % 60, rng.normal(size=280)
    prices = 1.7e9 + 10.0 * days + minutes + noise
    rows = zip(20230101 + days, 1_700_000_000 + 60 * minutes, prices, strict=True)
    path = tmp_path / "prices.csv"
    path.write_text("date,second,price\n" + "".join(f"{day},{second},{price:.3f}\n" for day, second, price in rows))
    data = portanet.read(str(path), label="price", task="regress", mapped=mapped)
    run = portanet.fit(MODEL, data.x, data.targets, **SETTINGS | {"epochs": 60})
    source = as_source(data.x, MODEL, portanet.choose("numpy"), "float32")
    assert [len(np.unique(column)) for column in np.concatenate(list(source.blocks(100))).T] == [28, 60]
    design = np.stack([days, minutes, np.ones(280)], axis=1)
    line = design @ np.linalg.lstsq(design, prices - 1.7e9, rcond=None)[0] + 1.7e9
    expected = 1.0 - ((prices - line) ** 2).sum() / ((prices - prices.mean()) ** 2).sum()
    assert run.evaluate(data.x, data.targets)["r2"] == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(run.predict(data.x), line, rtol=0, atol=1.0)
