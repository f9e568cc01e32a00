"""What ends a run before its last step leaves a model: Ctrl-C, a time limit, numbers that are not finite."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import blobs, equal, tree

import portanet
from portanet import Callback, nn, optim
from portanet.backends import Backend
from portanet.errors import ConfigError, DivergenceError
from portanet.storage.snapshot import read_snapshot
from portanet.training import stopping
from portanet.training.callbacks import EarlyStopping
from portanet.training.checkpoints import Checkpoints

X, LABELS = blobs(90)
VALID = blobs(30, seed=6)
MODEL = nn.Sequential(nn.Standardize(), nn.Dense(8), nn.ReLU(), nn.Dropout(0.3), nn.Dense(3))


@pytest.fixture(autouse=True)
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Python's own, as in a script; and nobody has pressed Ctrl-C before."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(stopping.Stop, "_last", -1e9)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


class Presses(Callback):
    """Ctrl-C in these steps."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps

    def advance(self, step: int) -> None:
        for _ in range(self.steps.count(step)):
            os.kill(os.getpid(), signal.SIGINT)


def train(*callbacks: Callback, **settings: Any) -> portanet.TrainedModel:
    usual: dict[str, Any] = {"epochs": 4, "batch_size": 7, "optimizer": optim.Adam(0.02), "seed": 3, "valid": VALID}
    return portanet.fit(MODEL, X, LABELS, callbacks=callbacks, **usual | settings)


def host(run: portanet.TrainedModel) -> dict[str, Any]:
    return tree(run.params, lambda array: np.array(run.backend.to_numpy(array)))


def rows(run: portanet.TrainedModel) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in run.history]


def test_why_a_run_ended(tmp_path: Path) -> None:
    assert train().stopped == "finished"
    early = train(EarlyStopping(patience=1), optimizer=optim.Adam(0.5), epochs=60)
    assert early.stopped == "early stopping"
    assert early.steps < 60 * 13
    assert portanet.load(early.save(tmp_path / "m")).stopped == ""


@pytest.mark.parametrize("step", [6, 13, 20, 33])
def test_ctrl_c_returns_the_model_of_the_last_complete_step(
    backend: Backend, step: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Within the first epoch, at its end, and later: the weights are those of a run that ends there."""

    class Ends(Callback):
        def advance(self, done: int) -> None:
            if done == step:
                raise ZeroDivisionError

    run = train(Presses(step), backend=backend)
    assert (run.stopped, run.steps) == ("interrupted", step)
    assert "Ctrl-C again raises KeyboardInterrupt" in capfd.readouterr().err
    assert "interrupted" in repr(run)
    last = run.history[-1]
    assert last["step"] == step
    assert last["epoch"] == pytest.approx(step / 13, abs=0.01)
    assert run.evaluate(*VALID)["loss"] == pytest.approx(last["valid_loss"], rel=1e-5)
    shorter = train(backend=backend, epochs=step // 13) if step % 13 == 0 else None
    if shorter is not None:
        assert equal(host(run), host(shorter))
        assert rows(run) == rows(shorter)


def test_the_row_of_a_part_of_an_epoch_is_that_of_its_rows() -> None:
    """A run of those rows alone, all in one step of rate 0, has the same loss and accuracy; weighted ones too."""
    weights = np.random.default_rng(2).uniform(0.5, 2.0, 90)
    plain, still = nn.Sequential(nn.Dense(3)), optim.SGD(1e-30)
    for given in (None, weights):
        settings: dict[str, Any] = {"seed": 3, "optimizer": still}
        run = portanet.fit(
            plain, X, LABELS, batch_size=7, callbacks=[Presses(6)], sample_weight=given, epochs=2, **settings
        )
        from portanet.training.loop.batches import Batches

        seen = Batches(90, 7, 3).order(0)[: 6 * 7]
        [whole] = portanet.fit(
            plain, X[seen], LABELS[seen], batch_size="full", epochs=1, params=run.params, dtype="float32",
            sample_weight=None if given is None else given[seen], **settings,
        ).history  # fmt: skip
        [row] = run.history
        assert row["loss"] == pytest.approx(whole["loss"], rel=1e-5)
        assert row["accuracy"] == pytest.approx(whole["accuracy"])
        stopping.Stop._last = -1e9


def test_an_interrupted_regression_has_the_r2_of_the_rows_it_has_seen() -> None:
    run = portanet.fit(
        nn.Sequential(nn.Dense(1)), X, X[:, 0] * 3, batch_size=7, callbacks=[Presses(6)], epochs=2, seed=3,
        task="regress", optimizer=optim.SGD(1e-30),
    )  # fmt: skip
    from portanet.training.loop.batches import Batches

    seen = Batches(90, 7, 3).order(0)[: 6 * 7]
    assert run.history[-1]["r2"] == pytest.approx(run.evaluate(X[seen], X[seen, 0] * 3)["r2"], rel=1e-5)


@pytest.mark.parametrize("step", [6, 13, 20, 46])
def test_with_checkpoints_the_next_call_resumes(tmp_path: Path, step: int) -> None:
    def settings() -> list[Callback]:
        return [EarlyStopping(patience=3)]

    first = train(*settings(), Presses(step), checkpoints=tmp_path)
    assert (first.stopped, first.steps) == ("interrupted", step)
    assert read_snapshot(tmp_path)[0]["steps"] == step
    run, whole = train(*settings(), checkpoints=tmp_path), train(*settings())
    assert (run.stopped, rows(run)) == (whole.stopped, rows(whole))
    assert equal(host(run), host(whole))


def test_a_second_ctrl_c_raises(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(Presses(6, 6))


def test_a_second_ctrl_c_gets_out_of_a_loop_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one has ended its run, and the program has begun the next, when the second one comes."""
    now = [100.0]
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: now[0]))
    assert train(Presses(6)).stopped == "interrupted"
    now[0] += 1.0
    with pytest.raises(KeyboardInterrupt):
        train(Presses(6))
    now[0] += 10.0
    assert train(Presses(6)).stopped == "interrupted"


def test_early_stopping_gives_its_best_weights_to_an_interrupted_run() -> None:
    run = train(EarlyStopping(patience=50), Presses(13 * 30 + 6), optimizer=optim.Adam(0.3), epochs=100)
    losses = [row["valid_loss"] for row in run.history]
    assert np.argmin(losses) < len(losses) - 1
    assert run.evaluate(*VALID)["loss"] == pytest.approx(min(losses), rel=1e-5)


def test_a_handler_of_the_program_is_left_alone() -> None:
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        assert train(Presses(6)).stopped == "finished"
        assert came == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_other_threads_train_without_a_handler() -> None:
    found: list[Any] = []

    def work() -> None:
        found.append(train(time_limit=1000).stopped)
        found.append(train(Slow(), epochs=10_000, time_limit=0.2).stopped)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert found == ["finished", "time limit"]


class Slow(Callback):
    def advance(self, step: int) -> None:
        time.sleep(0.002)


def test_a_time_limit(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock of the test: each look at it takes a second, so that every machine stops in the same step."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(stopping, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    run = train(backend=backend, time_limit=20.0, checkpoints=tmp_path)
    assert (run.stopped, run.steps, run.history[-1]["step"]) == ("time limit", 20, 20)
    assert read_snapshot(tmp_path)[0]["steps"] == 20
    again = train(backend=backend, checkpoints=tmp_path)
    whole = train(backend=backend)
    assert (again.stopped, rows(again)) == ("finished", rows(whole))
    assert equal(host(again), host(whole))


def test_the_smallest_limit_takes_one_step() -> None:
    assert train(time_limit=1e-9).steps == 1


@pytest.mark.parametrize("step", ["log_every", "full"])
def test_limits_between_the_rows_of_the_history(step: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"epochs": 11, "log_every": 4} | ({"batch_size": "full"} if step == "full" else {})
    first = train(Presses(7 if step == "full" else 13 * 6 + 3), checkpoints=tmp_path, **settings)
    assert [row["epoch"] for row in first.history] == [1, 5]
    run, whole = train(checkpoints=tmp_path, **settings), train(**settings)
    assert rows(run) == rows(whole)
    assert equal(host(run), host(whole))


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), "60", True, [1]])
def test_impossible_limits(limit: Any) -> None:
    with pytest.raises(ConfigError, match=r"time_limit .*seconds above 0"):
        train(time_limit=limit)


def test_a_time_limit_is_no_setting(tmp_path: Path) -> None:
    run = train(time_limit=1000)
    assert run.spec == train().spec
    assert "time_limit" not in run.spec.to_dict()


def diverging(*callbacks: Callback, epochs: int = 8, **settings: Any) -> DivergenceError:
    """At step 60, in the fifth epoch."""
    with pytest.raises(DivergenceError) as caught:
        train(*callbacks, optimizer=optim.SGD(0.05), schedule=Jump(), epochs=epochs, **settings)
    return caught.value


def Jump() -> Any:  # noqa: N802
    return lambda step, steps: 1e39 if step == 60 else 1.0


def test_a_divergence_carries_the_last_finite_model(backend: Backend, tmp_path: Path) -> None:
    error = diverging(backend=backend)
    assert error.step in (60, 61)
    run = error.model
    assert run is not None
    assert (run.stopped, run.steps, len(run.history)) == ("diverged", 52, 4)
    assert run.evaluate(*VALID)["loss"] == pytest.approx(run.history[-1]["valid_loss"], rel=1e-5)
    usual = train(optimizer=optim.SGD(0.05), epochs=4, backend=backend)
    assert equal(host(run), host(usual))
    assert np.array_equal(portanet.load(run.save(tmp_path / "m")).predict(X), run.predict(X))


def test_a_divergence_carries_the_model_of_the_last_checkpoint(tmp_path: Path) -> None:
    """Which is later than the last row of the history."""
    checkpoints = Checkpoints(tmp_path)
    checkpoints.due = lambda: True  # type: ignore[method-assign]
    run = diverging(checkpoints=checkpoints).model
    assert run is not None
    assert 52 < run.steps == read_snapshot(tmp_path)[0]["steps"] <= 61
    alone = train(Presses(run.steps), optimizer=optim.SGD(0.05), schedule=Jump(), epochs=8)
    assert equal(host(run), host(alone))


def test_a_divergence_carries_the_best_model_of_early_stopping() -> None:
    class Worse(Callback):
        """Validation becomes worse after the second epoch, as far as others see."""

        def log(self, row: dict[str, Any]) -> None:
            if row["epoch"] > 2:
                row["valid_loss"] += 100.0

    error = diverging(Worse(), EarlyStopping(patience=50))
    assert error.model is not None
    best = train(optimizer=optim.SGD(0.05), epochs=2)
    assert equal(host(error.model), host(best))


def test_a_divergence_in_the_first_epoch_carries_the_first_weights() -> None:
    with pytest.raises(DivergenceError) as caught:
        train(optimizer=optim.SGD(1e38), checkpoints=None)
    assert caught.value.model is not None
    assert caught.value.model.steps == 0
    assert np.isfinite(caught.value.model.outputs(X)).all()
