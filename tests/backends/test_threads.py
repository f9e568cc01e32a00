"""The threads of the BLAS while several trainings and predictions overlap, and afterwards."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from helpers import blobs, equal

import portanet
from portanet import _machine
from portanet.nn import Dense, ReLU, Sequential
from portanet.training.callbacks import Callback

threadpoolctl = pytest.importorskip("threadpoolctl")
X, LABELS = blobs(64)


def blas_threads() -> list[int]:
    """Of the libraries that were there when NumPy's was looked for: SciPy may have brought one since."""
    return [entry["num_threads"] for entry in _machine.blas().info() if entry["user_api"] == "blas"]


def test_the_last_user_restores_the_threads_of_the_blas() -> None:
    """Whoever ends first leaves the other its one thread."""
    backend = portanet.choose("numpy")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        assert set(before) == {2}
        first, second = backend.session(), backend.session()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before


class Reports(Callback):
    """What the BLAS had at each logging point."""

    def __init__(self, barrier: threading.Barrier | None = None) -> None:
        self.seen: set[int] = set()
        self.barrier = barrier

    def begin(self, run: Any, steps: int) -> None:
        if self.barrier:
            self.barrier.wait()

    def log(self, row: Any) -> None:
        self.seen |= set(blas_threads())


def test_trainings_that_overlap_give_the_same_bits() -> None:
    """Of different lengths, so that they end one after the other."""
    model, epochs = Sequential(Dense(40), ReLU(), Dense(3)), [2, 4, 6, 8]
    wide = np.tile(X, (1, 100))

    def train(count: int, barrier: threading.Barrier | None) -> Any:
        reports = Reports(barrier)
        run = portanet.fit(model, wide, LABELS, epochs=count, batch_size=64, callbacks=[reports], workers=1)
        return run, reports.seen

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        alone = [train(count, None)[0] for count in epochs]
        barrier = threading.Barrier(len(epochs))
        with ThreadPoolExecutor(len(epochs)) as pool:
            together = list(pool.map(lambda count: train(count, barrier), epochs))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: alone[0].predict(wide), range(80)))
        assert set(blas_threads()) == {2}
    for single, (run, seen) in zip(alone, together, strict=True):
        assert seen == {1}
        assert equal(run.params, single.params)
