"""The callbacks of a run, called as one; their states survive an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import blobs

import portanet
from portanet import Callback, nn
from portanet.training.callbacks import ReduceOnPlateau
from portanet.training.checkpoints import Checkpoints
from portanet.training.loop.watchers import Watchers

X, LABELS = blobs(60)


class Counter(Callback):
    """Counts its rows, and has a state once there is one."""

    def __init__(self, stop_at: int = 99) -> None:
        self.rows, self.stop_at = 0, stop_at

    def log(self, row: Any) -> bool:
        self.rows += 1
        return self.rows == self.stop_at

    def state(self) -> dict[str, Any]:
        return {"rows": self.rows} if self.rows else {}

    def restore(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]


def test_every_callback_hears_of_a_row_though_one_stops_the_run() -> None:
    first, second = Counter(stop_at=1), Counter()
    assert Watchers((first, second)).log({})
    assert (first.rows, second.rows) == (1, 1)
    assert not Watchers((second,)).log({})


def test_states_find_their_callbacks_though_others_come_and_go() -> None:
    first, second = Counter(), Counter()
    first.rows, second.rows = 3, 5
    states = Watchers((first, Callback(), second)).state()
    again, later = Counter(), Counter()
    Watchers((again, later, Counter())).restore(states)
    assert (again.rows, later.rows) == (3, 5)


def test_they_end_where_the_run_fails() -> None:
    ended: list[int] = []

    class Ends(Callback):
        def end(self) -> None:
            ended.append(1)

    class Fails(Callback):
        def advance(self, step: int) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        portanet.fit(nn.Dense(3), X, LABELS, callbacks=[Ends(), Fails(), Ends()])
    assert len(ended) == 2


def test_an_interrupted_run_keeps_their_states(tmp_path: Path) -> None:
    """Two of a kind, whose cuts of the learning rate multiply."""

    class Dies(Callback):
        def advance(self, step: int) -> None:
            if step == 27:
                raise ZeroDivisionError

    def rates(*others: Callback, checkpoints: Checkpoints | None = None) -> list[float]:
        cuts = [ReduceOnPlateau("loss", factor=factor, patience=2, threshold=0.9) for factor in (0.5, 0.3)]
        run = portanet.fit(
            nn.Dense(3), X, LABELS, epochs=12, batch_size=12, callbacks=[*cuts, *others], checkpoints=checkpoints
        )
        return [row["learning_rate"] for row in run.history]

    expected = rates()
    assert len(set(expected)) > 3
    checkpoints = Checkpoints(tmp_path, every=0.0)
    checkpoints.due = lambda: True  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        rates(Dies(), checkpoints=checkpoints)
    assert rates(checkpoints=checkpoints) == expected
