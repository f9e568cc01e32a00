"""The outputs of a model for many rows: in blocks, traced, and the same bits."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from legs import kernels_at_once

import portanet
from portanet.backends import choose
from portanet.nn import BatchNorm, Conv2D, Dense, Dropout, Flatten, LayerNorm, MaxPool2D, ReLU, Rescale, Sequential
from portanet.tracing import Traced
from portanet.training.trained.outputs import Outputs

NETWORKS: list[Any] = [
    Sequential(Rescale(1 / 255), Flatten(), Dense(32), BatchNorm(), ReLU(), Dropout(0.5), Dense(3)),
    Sequential(Rescale(1 / 255), Conv2D(4, 3), ReLU(), MaxPool2D(2), Flatten(), LayerNorm(), Dense(3)),
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portanet.training.trained.outputs.block_rows", lambda *_: 16)


def trained(network: Any, **settings: Any) -> portanet.TrainedModel:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (200, 1, 8, 8)).astype(np.uint8)
    return portanet.fit(network, x, rng.integers(0, 3, 200), epochs=2, batch_size=50, **settings)


@pytest.mark.parametrize("network", NETWORKS, ids=["dense", "conv"])
@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_bits_as_without_tracing(network: Any, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many rows as a thread needs to trace it, and after the parameters have changed."""
    x = np.random.default_rng(1).integers(0, 256, (16 * 40 + 5, 1, 8, 8)).astype(np.uint8)
    replayed: list[int] = []
    call = Traced.__call__

    def noted(self: Traced, *args: Any, **kwargs: Any) -> Any:
        result = call(self, *args, **kwargs)
        replayed.append(len(self.programs()))
        return result

    with kernels_at_once():
        run, plain = (
            trained(network, backend=choose("numpy", trace=trace), workers=workers) for trace in (True, False)
        )
        monkeypatch.setattr(Traced, "__call__", noted)
        for _ in range(2):
            assert run.probabilities(x).tobytes() == plain.probabilities(x).tobytes()
            for model in (run, plain):
                model.params = {name: {k: v * 0.5 for k, v in own.items()} for name, own in model.params.items()}
    assert 1 in replayed, "nothing was traced"


def test_another_backend_is_not_mistaken() -> None:
    pytest.importorskip("array_api_strict")
    run = trained(NETWORKS[0])
    x = np.random.default_rng(1).integers(0, 256, (400, 1, 8, 8)).astype(np.uint8)
    before = run.probabilities(x)
    run.backend = choose("strict")
    run.params = {name: {k: run.backend.put(v) for k, v in own.items()} for name, own in run.params.items()}
    np.testing.assert_allclose(run.probabilities(x), before, rtol=1e-5, atol=1e-6)


def test_models_are_copied_and_pickled_after_a_prediction() -> None:
    run = trained(NETWORKS[0])
    x = np.random.default_rng(1).integers(0, 256, (400, 1, 8, 8)).astype(np.uint8)
    before = run.probabilities(x)
    for other in (copy.deepcopy(run), pickle.loads(pickle.dumps(run))):
        assert other.probabilities(x).tobytes() == before.tobytes()


@pytest.mark.parametrize(("macs", "rows"), [(0, 2048), (10_000, 2048), (100_000, 2048), (250_000, 1024), (10**7, 128)])
def test_the_size_of_a_block(macs: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """About as many multiplications in each, so that its arrays stay in the processor's cache."""
    monkeypatch.undo()
    monkeypatch.setattr(Dense, "macs", lambda *_: macs)
    assert Outputs(Dense(3), choose("numpy"), (5,)).rows == rows
