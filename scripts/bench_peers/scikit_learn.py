"""scikit-learn's MLPClassifier on float32 rows. It draws its own first weights and its own order of the rows."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import threadpoolctl
from bench_peers.child import Pace, Way, on_threads
from bench_peers.jobs import Data, Job
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

FOREVER = 10**9


def run(job: Job, data: Data, pace: Pace, _: None) -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    x = data.x * np.float32(1 / 255)
    if job.name == "predict":
        predict(job, data, pace, x)
        return
    found = {}
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads):
            found[threads] = _Epochs(9 if job.batch is None else 2)
            network(job, found[threads], found[threads].count + 1).fit(x, data.labels)
    threads = min(found, key=lambda threads: found[threads].fastest)
    rounds = _Rounds(pace, pace.epochs(found[threads].fastest), f"BLAS on {threads} threads")
    with threadpoolctl.threadpool_limits(threads):
        network(job, rounds, FOREVER).fit(x, data.labels)


def predict(job: Job, data: Data, pace: Pace, x: Any) -> None:
    trained = MLPClassifier(job.units[:-1], max_iter=1).fit(x[:2048], data.labels[:2048])

    def passes(count: int) -> None:
        for _ in range(count):
            trained.predict_proba(x)

    pace.drive({f"BLAS on {threads} threads": on_threads(Way(passes), threads) for threads in (1, 2)})


def network(job: Job, watch: Any, epochs: int) -> MLPClassifier:
    made: MLPClassifier = _Watched(
        job.units[:-1], solver=job.optimizer, alpha=0.0, batch_size=job.batch or job.rows, learning_rate_init=job.rate,
        max_iter=epochs, shuffle=job.batch is not None, tol=0.0, momentum=0.0, n_iter_no_change=FOREVER,
        random_state=0,
    )  # fmt: skip
    made.watch = watch
    return made


class _Watched(MLPClassifier):  # type: ignore[misc]
    """Says when an epoch is over: what is overridden here is called once after each."""

    def __init__(self, hidden_layer_sizes: Any = (100,), **settings: Any) -> None:
        super().__init__(hidden_layer_sizes, **settings)

    def _update_no_improvement_count(self, *arguments: Any) -> None:
        super()._update_no_improvement_count(*arguments)
        if not self.watch.epoch():
            self.max_iter = self.n_iter_ + 1
            raise KeyboardInterrupt  # the way out of its loop that MLPClassifier knows


class _Epochs:
    """The seconds of the fastest epoch but the first."""

    def __init__(self, count: int) -> None:
        self.count, self.fastest, self._last = count, float("inf"), 0.0

    def epoch(self) -> bool:
        now = time.perf_counter()
        if self._last:
            self.fastest = min(self.fastest, now - self._last)
        self._last = now
        return True


class _Rounds:
    """Each `count` epochs are a round."""

    def __init__(self, pace: Pace, count: int, how: str) -> None:
        self._pace, self._count, self._how, self._done, self._start = pace, count, how, 0, 0.0

    def epoch(self) -> bool:
        self._done += 1
        if self._done == 1:
            self._pace.ready(self._how)
        elif (self._done - 1) % self._count == 0:
            self._pace.done(time.perf_counter() - self._start, self._count)
        else:
            return True
        more = self._pace.wait()
        self._start = time.perf_counter()
        return more
