"""Early stopping, and a learning rate that falls on a plateau: when they act, and what they leave behind."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from helpers import blobs, equal, tree

import portanet
from portanet import Callback
from portanet.backends import Backend
from portanet.errors import ConfigError
from portanet.nn import BatchNorm, Dense, ReLU, Sequential
from portanet.optim import Adam
from portanet.training.callbacks import EarlyStopping, KeepBest, ReduceOnPlateau

X, LABELS = blobs(60)
VALID = blobs(30, seed=6)
MODEL = Sequential(Dense(30), ReLU(), Dense(3))
NAN = float("nan")


class Remember(Callback):
    """Keeps a copy of the weights at each logging point."""

    def begin(self, run: portanet.TrainedModel, steps: int) -> None:
        self.run, self.rows, self.params = run, [], []  # type: ignore[var-annotated]

    def log(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.params.append(tree(self.run.params, lambda array: np.array(self.run.backend.to_numpy(array))))


def train(*callbacks: Callback, **settings: Any) -> portanet.TrainedModel:
    usual = {"valid": VALID, "optimizer": Adam(0.05), "epochs": 40, "batch_size": 20}
    return portanet.fit(MODEL, X, LABELS, callbacks=callbacks, **usual | settings)


def test_the_best_weights_come_back(backend: Backend) -> None:
    remember = Remember()
    run = train(remember, EarlyStopping(patience=3), backend=backend)
    losses = [row["valid_loss"] for row in remember.rows]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3 < 40
    assert equal(tree(run.params, lambda array: np.asarray(backend.to_numpy(array))), remember.params[best])
    assert run.evaluate(*VALID)["loss"] == pytest.approx(losses[best], rel=1e-6)


def test_the_last_of_equally_good_weights_are_kept() -> None:
    """Accuracies of 30 rows are equal at many epochs: NumPy finds the first best of the reversed list."""
    remember = Remember()
    run = train(remember, KeepBest("valid_accuracy"), valid=(X[:30], LABELS[:30]))
    values = [row["valid_accuracy"] for row in remember.rows]
    assert len(values) == 40
    last = 39 - int(np.argmax(values[::-1]))
    assert last > int(np.argmax(values))
    assert equal(run.params, remember.params[last])


@pytest.mark.parametrize(
    ("values", "best"), [([2.0, 1.0, 1.0, 3.0], 2), ([NAN, 5.0, NAN, 6.0], 1), ([NAN, NAN], 1), ([1.0, NAN], 0)]
)
def test_what_is_kept_beside_nan(values: list[float], best: int) -> None:
    run, keeping = Nothing(), KeepBest()
    keeping.begin(run, 10)  # type: ignore[arg-type]
    for i, row in enumerate(rows(values)):
        run.params = {"epoch": i}
        assert not keeping.log(row)
    keeping.end()
    assert run.params == {"epoch": best}


@pytest.mark.parametrize(("monitor", "best"), [("valid_loss", np.argmin), ("valid_accuracy", np.argmax)])
def test_which_way_is_better(monitor: str, best: Any) -> None:
    remember = Remember()
    train(remember, EarlyStopping(monitor, patience=4))
    values = [row[monitor] for row in remember.rows]
    assert len(values) == int(best(values)) + 1 + 4


def rows(values: list[float], name: str = "valid_loss") -> list[dict[str, Any]]:
    return [{name: value} for value in values]


class Nothing:
    def __init__(self) -> None:
        self.params: dict[str, Any] = {}


def test_a_change_too_small_does_not_count() -> None:
    stopping = EarlyStopping(patience=2, min_change=0.1)
    stopping.begin(Nothing(), 10)  # type: ignore[arg-type]
    assert [stopping.log(row) for row in rows([1.0, 0.95, 0.89, 0.85, 0.80])] == [False, False, False, False, True]


def test_nan_is_never_better() -> None:
    stopping = EarlyStopping(patience=2)
    stopping.begin(Nothing(), 10)  # type: ignore[arg-type]
    assert [stopping.log(row) for row in rows([float("nan"), 1.0, float("nan"), float("nan")])] == [
        False, False, False, True,
    ]  # fmt: skip


SETTINGS = [
    {"factor": 0.5, "patience": 2},
    {"factor": 0.1, "patience": 0},
    {"factor": 0.5, "patience": 1, "cooldown": 2},
    {"factor": 0.5, "patience": 1, "threshold": 0.2},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("monitor", ["valid_loss", "valid_accuracy"])
def test_plateaus_are_those_of_torch(settings: dict[str, Any], monitor: str, torch: Any) -> None:
    values = np.abs(np.cumsum(np.random.default_rng(8).normal(-0.02, 0.1, 60)) + 3.0).round(2).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    mode = "min" if monitor.endswith("loss") else "max"
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, eps=0.0, **settings)
    ours = ReduceOnPlateau(monitor, **settings)
    ours.begin(Nothing(), 10)  # type: ignore[arg-type]
    found, expected = [], []
    for row in rows(values, monitor):
        assert not ours.log(row)
        oracle.step(row[monitor])
        found.append(ours.rate_factor)
        expected.append(optimizer.param_groups[0]["lr"])
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert found[-1] < 1


def test_the_rate_falls_in_training(backend: Backend) -> None:
    run = train(ReduceOnPlateau(patience=0, factor=0.5), epochs=25, backend=backend)
    rates = [row["learning_rate"] for row in run.history]
    assert rates[0] == 0.05
    assert rates[-1] < 0.05
    assert all(after in (before, before / 2) for before, after in pairwise(rates))


@pytest.mark.parametrize("make", [lambda: EarlyStopping(patience=2), KeepBest, lambda: ReduceOnPlateau(patience=1)])
def test_the_state_goes_on(make: Any) -> None:
    values = np.abs(np.random.default_rng(3).normal(1.0, 0.5, 12)).tolist()
    whole, first, second = make(), make(), make()
    for callback in (whole, first, second):
        callback.begin(Nothing(), 10)
    expected = [(whole.log(row), copy.deepcopy(whole.state())) for row in rows(values)]
    for row in rows(values[:5]):
        first.log(row)
    second.restore(first.state())
    assert [(second.log(row), copy.deepcopy(second.state())) for row in rows(values[5:])] == expected[5:]


def test_a_measure_that_the_history_lacks() -> None:
    with pytest.raises(ConfigError, match="EarlyStopping watches 'valid_loss', but the history has step"):
        train(EarlyStopping(), valid=None)


@pytest.mark.parametrize(("monitor", "best"), [("loss", np.argmin), ("accuracy", np.argmax)])
def test_the_training_rows_may_be_watched(monitor: str, best: Any) -> None:
    """Without rows held out, as in Keras; the weights are those at the end of the best epoch."""
    remember = Remember()
    run = train(remember, EarlyStopping(monitor, patience=2), valid=None, optimizer=Adam(0.5), epochs=200)
    values = [row[monitor] for row in run.history]
    place = int(best(values))
    assert len(values) == place + 1 + 2 < 200
    assert equal(run.params, remember.params[place])
    assert not equal(run.params, remember.params[-1])


@pytest.mark.parametrize("make", [EarlyStopping, ReduceOnPlateau])
def test_the_name_that_keras_has_for_it(make: Any) -> None:
    with pytest.raises(ConfigError, match=f"{make.__name__}: .*'val_loss'.*; watch 'valid_loss'"):
        make("val_loss")


class Keeps(Callback):
    """Keeps what run.params holds without a copy, as `log` and `advance` see it, and what `advance` predicts."""

    def begin(self, run: portanet.TrainedModel, steps: int) -> None:
        self.run, self.kept, self.outputs = run, [(run.params, self.host(run))], []  # type: ignore[var-annotated]

    def host(self, run: portanet.TrainedModel) -> Any:
        return tree(run.params, lambda array: np.array(run.backend.to_numpy(array)))

    def advance(self, step: int) -> None:
        self.kept.append((self.run.params, self.host(self.run)))
        self.outputs.append((self.run.outputs(X), self.kept[-1][1]))

    def log(self, row: dict[str, Any]) -> None:
        self.kept.append((self.run.params, self.host(self.run)))


def test_the_params_that_a_callback_keeps_stay(backend: Backend) -> None:
    """Weights and running values of one moment, in `advance` too."""
    keeps, model = Keeps(), Sequential(Dense(8), BatchNorm(), ReLU(), Dense(3))
    portanet.fit(model, X, LABELS, backend=backend, epochs=3, batch_size=20, callbacks=[keeps], dtype="float64")
    for params, then in keeps.kept:
        assert equal(tree(params, lambda array: np.array(backend.to_numpy(array))), then)
    for outputs, params in keeps.outputs:
        np.testing.assert_allclose(outputs, model.forward(params, X)[0], rtol=1e-9)
    rows = [params for _, params in keeps.kept]
    assert not equal(rows[0], rows[-1])


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("monitor", ["valid_loss", "valid_accuracy"])
def test_plateaus_of_negative_values_are_those_of_torch(settings: dict[str, Any], monitor: str, torch: Any) -> None:
    """As the loss of a Poisson model, on its way through 0."""
    values = (np.cumsum(np.random.default_rng(8).normal(-0.05, 0.2, 90)) + 1.0).round(2).tolist()
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    mode = "min" if monitor.endswith("loss") else "max"
    oracle = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode=mode, eps=0.0, **settings)
    ours = ReduceOnPlateau(monitor, **settings)
    ours.begin(Nothing(), 10)  # type: ignore[arg-type]
    for value in values:
        ours.log({monitor: value})
        oracle.step(value)
        assert ours.rate_factor == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
