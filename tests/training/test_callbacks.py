"""What watches a training hears of it in order, and does not make it wait for the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers import blobs

import portanet
from portanet import metrics
from portanet._tree import tree_items
from portanet.backends import Backend
from portanet.nn import Dense, Sequential
from portanet.training.callbacks import Callback

MODEL = Sequential(Dense(3))


class Listener(Callback):
    def __init__(self, stop_at: int | None = None) -> None:
        self.heard: list[Any] = []
        self.stop_at = stop_at

    def begin(self, run: portanet.TrainedModel, steps: int) -> None:
        self.heard.append(("begin", steps))

    def advance(self, step: int) -> None:
        self.heard.append(("advance", step))

    def log(self, row: dict[str, Any]) -> bool:
        self.heard.append(("log", row["epoch"]))
        return row["epoch"] == self.stop_at

    def end(self) -> None:
        self.heard.append("end")


def train(*callbacks: Callback, **settings: Any) -> portanet.TrainedModel:
    x, labels = blobs()
    return portanet.fit(MODEL, x, labels, callbacks=callbacks, **{"epochs": 3, "batch_size": 30} | settings)


def test_order() -> None:
    listener = Listener()
    train(listener, epochs=2, log_every=2)
    first_epoch = [("advance", 1), ("advance", 2), ("advance", 3), ("log", 1)]
    assert listener.heard == [("begin", 6), *first_epoch, ("advance", 4), ("advance", 5), ("advance", 6), "end"]


def test_many_steps_advance_in_runs() -> None:
    listener = Listener()
    train(listener, epochs=1, batch_size=1)
    steps = [step for kind, step in listener.heard[1:-2]]
    assert steps[-1] == 90
    assert len(steps) < 20
    assert steps == sorted(set(steps))


def test_stop() -> None:
    first, second = Listener(stop_at=2), Listener()
    run = train(first, second)
    assert first.heard == second.heard  # the one that stops does not keep the row from the next
    assert first.heard[-2:] == [("log", 2), "end"]
    assert len(run.history) == 2
    assert run.steps == 6


def test_a_callback_that_does_nothing() -> None:
    assert len(train(Callback()).history) == 3


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_end_is_heard_after_an_error(backend: Backend, error: type[BaseException]) -> None:
    class Failing(Listener):
        def log(self, row: dict[str, Any]) -> bool:
            raise error("no more")

    listener = Failing()
    with pytest.raises(error, match="no more"):
        train(listener, backend=backend)
    assert listener.heard[-1] == "end"


def test_nothing_is_read_between_logging_points(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the epochs that are not logged the host does not wait for the device once."""
    reads, seen = 0, []
    to_numpy = backend.to_numpy

    def counting(x: Any) -> Any:
        nonlocal reads
        reads += 1
        return to_numpy(x)

    class Look(Callback):
        def advance(self, step: int) -> None:
            seen.append(reads)

    monkeypatch.setattr(backend, "to_numpy", counting)
    run = train(Look(), epochs=4, log_every=4, backend=backend)
    assert len(run.history) == 1
    first_epoch, others = seen[:3], seen[3:]
    assert len(set(first_epoch)) == len(set(others)) == 1
    per_row = 2 * 3  # loss and right answers of the three runs of steps in the one epoch that is logged
    state = 5 if backend.name == "jax" else 3  # weights and Adam's sums to go back to, in JAX with their own weights
    assert others[0] - first_epoch[0] == per_row + state


def test_rows_hold_the_state_of_their_time(backend: Backend) -> None:
    """What was measured does not change when training goes on."""
    x, labels = blobs()
    copies = []

    class Keep(Callback):
        def log(self, row: dict[str, Any]) -> None:
            copies.append(dict(row))

    run = portanet.fit(MODEL, x, labels, valid=(x, labels), epochs=3, callbacks=[Keep()], backend=backend)
    assert copies == run.history
    assert all(type(value) in (int, float) for row in run.history for value in row.values())


def test_the_final_params_are_the_last_ones(backend: Backend) -> None:
    x, labels = blobs()
    stopped = train(Listener(stop_at=2), epochs=5, backend=backend)
    shorter = train(epochs=2, backend=backend)
    for (_, array), (_, other) in zip(tree_items(stopped.params), tree_items(shorter.params), strict=True):
        assert np.array_equal(backend.to_numpy(array), backend.to_numpy(other))
    assert stopped.evaluate(x, labels) == shorter.evaluate(x, labels)


def test_answers_are_counted_only_where_they_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []
    own = metrics.correct

    def counting(*arguments: Any) -> Any:
        counted.append(arguments)
        return own(*arguments)

    monkeypatch.setattr(metrics, "correct", counting)
    train(epochs=5, log_every=4, backend="strict")  # which computes each step as it is written
    assert len(counted) == 2 * 3
