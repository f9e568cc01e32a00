"""Every kind of source gives the same rows, wherever they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import in_blocks

import portanet
from portanet import nn
from portanet.backends import Backend
from portanet.data.fingerprint import fingerprint
from portanet.data.memmap.rows import Rows
from portanet.errors import ConfigError, DataError
from portanet.training.steps.source import Mapped, Resident, Streamed, as_source

X = np.random.default_rng(0).normal(0.0, 1.0, (9000, 3)).astype(np.float32)
MODEL = nn.Sequential(nn.Standardize(), nn.Dense(2))


def places(tmp_path: Path) -> dict[str, Any]:
    """The same rows in memory, in a map, and as a selection of a map."""
    np.save(tmp_path / "x.npy", X)
    disk = np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False)
    order = np.random.default_rng(1).permutation(len(X))
    np.save(tmp_path / "shuffled.npy", X[order])
    shuffled = np.load(tmp_path / "shuffled.npy", mmap_mode="r", allow_pickle=False)
    return {"memory": X, "map": disk, "selection": Rows(shuffled, np.argsort(order))}


def test_kinds(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_host_memory = backend.computes_in_host_memory()
    for name, given in places(tmp_path).items():
        for room in (True, False):
            monkeypatch.setattr(backend, "free_memory", lambda room=room: 2 * X.nbytes if room else 2 * X.nbytes - 2)
            source = as_source(given, MODEL, backend, "float32")
            if in_host_memory:
                assert type(source) is (Resident if name == "memory" else Mapped)
            else:
                assert type(source) is (Resident if room else Streamed)
            assert type(as_source(given, MODEL, backend, "float32", place=False)) is Streamed
    assert type(as_source(backend.put(X), MODEL, backend, "float32")) is Resident


@pytest.mark.parametrize("room", [True, False])
def test_the_same_rows(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: bool) -> None:
    monkeypatch.setattr(backend, "free_memory", lambda: 2**40 if room else 0)
    numbers = np.asarray([8999, 0, 4096, 17])
    for given in (*places(tmp_path).values(), backend.put(X)):
        source = as_source(given, MODEL, backend, "float32")
        assert (source.shape, str(source.dtype).rpartition(".")[2], len(source)) == (X.shape, "float32", 9000)
        assert np.array_equal(backend.to_numpy(source.batch(numbers)[:, ...]), X[numbers])
        blocks = source.blocks(4000)
        assert [tuple(blocks[i].shape) for i in range(len(blocks))] == [(4000, 3), (4000, 3), (1000, 3)]
        assert np.array_equal(np.concatenate([backend.to_numpy(block) for block in blocks]), X)
        assert np.array_equal(backend.to_numpy(source.batch(None)[2:5, ...]), X[2:5])
        assert source.fingerprint() == fingerprint(X)


def test_preprocessing_is_fitted_in_blocks_of_4096_rows(tmp_path: Path) -> None:
    """The bits of the sums depend on it."""
    expected = nn.Standardize().fit({}, in_blocks(X, 4096))
    other = nn.Standardize().fit({}, in_blocks(X, 100))
    assert any(expected[name].tobytes() != other[name].tobytes() for name in expected)
    for given in places(tmp_path).values():
        blocks = as_source(given, MODEL, portanet.choose("numpy"), "float32").host_blocks()
        assert [len(block) for block in blocks] == [4096, 4096, 808]
        fitted = nn.Standardize().fit({}, blocks)
        assert all(fitted[name].tobytes() == expected[name].tobytes() for name in expected)


def test_fitting_sees_the_precision_that_was_given() -> None:
    wide = 1e9 + np.random.default_rng(0).normal(0.0, 1.0, (500, 2))
    source = as_source(wide, MODEL, portanet.choose("numpy"), "float32")
    assert [block.dtype for block in source.host_blocks()] == [np.float64]
    assert source.batch(None).dtype == np.float32


def test_bytes_stay_bytes_where_the_first_layer_casts_them(backend: Backend) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(6, 4)
    for model, dtype in ((MODEL, "uint8"), (nn.Sequential(nn.ReLU(), nn.Dense(2)), "float32")):
        for place in (True, False):
            source = as_source(pixels, model, backend, "float32", place=place)
            own = "float32" if place and backend.prefers_wide_rows else dtype
            assert str(source.batch(None).dtype).rpartition(".")[2] == own
            assert all(str(block.dtype) == own for block in source.host_blocks())


def test_a_full_batch_of_rows_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict := portanet.choose("strict"), "free_memory", lambda: 5e8)
    monkeypatch.setattr("portanet.training.steps.source._SHARE", 0.0)
    with pytest.raises(ConfigError, match=r"takes 0\.00011 GB, and strict on device1 has 0\.5 GB free"):
        as_source(X, MODEL, strict, "float32").require_full_batch()
    as_source(X, MODEL, portanet.choose("numpy"), "float32").require_full_batch()


@pytest.mark.parametrize("place", [True, False])
def test_values_that_a_model_cannot_take(place: bool) -> None:
    """At once, or when the block is read that holds them."""
    bad = X.copy()
    bad[8500, 1] = np.inf
    with pytest.raises(DataError, match="NaN or infinity"):
        list(as_source(bad, MODEL, portanet.choose("numpy"), "float32", place=place).blocks(1000))


def test_rows_are_cast_once_only_where_there_is_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, numpy = np.arange(24, dtype=np.uint8).reshape(6, 4), portanet.choose("numpy")
    monkeypatch.setattr(numpy, "prefers_wide_rows", True)
    for free, dtype in ((385, np.float32), (383, np.uint8)):
        monkeypatch.setattr(numpy, "free_memory", lambda free=free: free)
        assert as_source(pixels, MODEL, numpy, "float32").batch(None).dtype == dtype
