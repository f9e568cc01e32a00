"""A training that is interrupted at any point goes on to the same bits, on any backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import IMAGE_MODEL, IMAGES, TABLE_MODEL, Host, blobs

import portanet
from portanet import Callback, optim
from portanet._tree import tree_items
from portanet.backends import Backend
from portanet.errors import CheckpointError, ConfigError
from portanet.storage.snapshot import read_snapshot
from portanet.training.callbacks import EarlyStopping, ReduceOnPlateau
from portanet.training.checkpoints import Checkpoints

X, LABELS = blobs(90)


class KilledError(Exception):
    pass


class Dies(Callback):
    """Ends the process, as far as a test can: after so many steps nothing more is written."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def advance(self, step: int) -> None:
        if step >= self.steps:
            raise KilledError


def train(
    folder: Path | Checkpoints | None, *callbacks: Callback, images: bool = False, **settings: Any
) -> portanet.TrainedModel:
    usual: dict[str, Any] = {
        "epochs": 4, "batch_size": 7, "optimizer": optim.AdamW(0.02),
        "schedule": optim.cosine_decay(warmup=5),
        "valid": (IMAGES[:20] if images else X[:20], LABELS[:20]), "seed": 3,
    }  # fmt: skip
    checkpoints = Checkpoints(folder, every=0.0) if isinstance(folder, Path) else folder
    if checkpoints is not None:
        checkpoints.due = lambda: True  # type: ignore[method-assign]
    x, model = (IMAGES, IMAGE_MODEL) if images else (X, TABLE_MODEL)
    return portanet.fit(model, x, LABELS, callbacks=callbacks, checkpoints=checkpoints, **usual | settings)


def bits(run: portanet.TrainedModel) -> dict[tuple[str, ...], bytes]:
    return {path: np.asarray(run.backend.to_numpy(array)).tobytes() for path, array in tree_items(run.params)}


def history(run: portanet.TrainedModel) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in run.history]


@pytest.mark.parametrize("images", [False, True], ids=["table", "images"])
def test_a_run_killed_again_and_again(backend: Backend, tmp_path: Path, images: bool) -> None:
    """Dropout, augmentation, batch statistics, a short last batch; killed inside of epochs and between them."""
    whole = train(None, images=images, backend=backend)
    for steps in (3, 13, 20, 26, 40):
        with pytest.raises(KilledError):
            train(tmp_path, Dies(steps), images=images, backend=backend)
    run = train(tmp_path, images=images, backend=backend)
    assert history(run) == history(whole)
    assert bits(run) == bits(whole)
    assert run.steps == whole.steps == 52


OPTIMIZERS = [
    optim.SGD(momentum=0.9), optim.AdaGrad(), optim.RMSProp(), optim.Adam(), optim.NAdam(), optim.Lion(),
    optim.ClipByGlobalNorm(optim.EMA(optim.AdamW(), 0.9), 1.0),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer(optimizer: optim.Optimizer, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        train(tmp_path, Dies(17), optimizer=optimizer)
    run, whole = train(tmp_path, optimizer=optimizer), train(None, optimizer=optimizer)
    assert (bits(run), history(run)) == (bits(whole), history(whole))


@pytest.mark.parametrize("killed", [9, 14, 30, 45])
def test_callbacks_go_on(backend: Backend, tmp_path: Path, killed: int) -> None:
    settings: dict[str, Any] = {
        "epochs": 12,
        "optimizer": optim.AdamW(0.05),
        "schedule": optim.constant(),
        "backend": backend,
    }

    def callbacks() -> list[Callback]:
        return [EarlyStopping(patience=3), ReduceOnPlateau(patience=0, factor=0.5)]

    with pytest.raises(KilledError):
        train(tmp_path, *callbacks(), Dies(killed), **settings)
    run, whole = train(tmp_path, *callbacks(), **settings), train(None, *callbacks(), **settings)
    assert (bits(run), history(run)) == (bits(whole), history(whole))


def test_full_batches(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"batch_size": "full", "epochs": 11, "log_every": 3}
    with pytest.raises(KilledError):
        train(tmp_path, Dies(5), **settings)
    run, whole = train(tmp_path, **settings), train(None, **settings)
    assert (bits(run), history(run)) == (bits(whole), history(whole))


def test_another_backend_goes_on(backend: Backend, tmp_path: Path) -> None:
    """What NumPy has saved is there bit for bit, and the rest of the way is nearly the same."""
    seen: list[Host] = []

    class Look(Callback):
        def begin(self, run: portanet.TrainedModel, steps: int) -> None:
            self.run = run

        def log(self, row: dict[str, Any]) -> None:
            seen.append(np.array(self.run.backend.to_numpy(self.run.params["1"]["weight"])))

    with pytest.raises(KilledError):
        train(tmp_path, Dies(26), backend="numpy")
    tree, _ = read_snapshot(tmp_path)
    assert tree["steps"] == 25
    before = tree["flat"].tobytes()
    with pytest.raises(KilledError):
        train(tmp_path, Dies(26), backend=backend)
    tree, _ = read_snapshot(tmp_path)
    assert tree["flat"].tobytes() == before
    run, whole = train(tmp_path, Look(), backend=backend), train(None, backend="numpy")
    for path, array in tree_items(run.params):
        expected = dict(tree_items(whole.params))[path]
        np.testing.assert_allclose(backend.to_numpy(array), expected, rtol=1e-2, atol=1e-3)
    assert run.history[-1]["valid_accuracy"] == pytest.approx(whole.history[-1]["valid_accuracy"], abs=0.05)


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    first, again = train(tmp_path), train(tmp_path, Dies(0))
    assert (bits(again), history(again), again.steps) == (bits(first), history(first), 52)


def test_more_epochs_go_further(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"schedule": optim.constant(), "optimizer": optim.AdamW(0.01)}
    train(tmp_path, epochs=2, **settings)
    notes: list[str] = []
    checkpoints = Checkpoints(tmp_path, say=notes.append)
    run = portanet.fit(
        TABLE_MODEL, X, LABELS, epochs=5, batch_size=7, valid=(X[:20], LABELS[:20]), seed=3,
        checkpoints=checkpoints, **settings,
    )  # fmt: skip
    whole = train(None, epochs=5, **settings)
    assert (bits(run), history(run)) == (bits(whole), history(whole))
    assert len(notes) == 1
    assert "from 2 to 5 epochs" in notes[0]


def test_other_versions_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path)
    monkeypatch.setattr(np, "__version__", "9.9.9")
    notes: list[str] = []
    train(Checkpoints(tmp_path, say=notes.append))
    [note] = notes
    assert "with numpy " in note
    assert note.endswith(", now 9.9.9: the bits may differ")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 4}, "seed 3, now 4"),
        ({"epochs": 3}, "epochs 4, now 3"),
        ({"optimizer": optim.AdamW(0.02, beta1=0.8)}, "optimizer.beta1 0.9, now 0.8"),
        ({"epochs": 8}, "the schedule's factor in step 6 was "),
        ({"valid": (X[:21], LABELS[:21])}, "data "),
        ({"sample_weight": np.ones(90)}, "data "),
        ({"images": True}, "data "),
        ({"accumulate": 2}, "accumulate 1, now 2"),
    ],
)
def test_another_training_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    train(tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="other settings") as caught:
        train(tmp_path, **changes)
    assert words in str(caught.value)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        train(tmp_path, Dies(30))
    last = tmp_path / "checkpoint.safetensors"
    last.write_bytes(last.read_bytes()[:-100])
    notes: list[str] = []
    run = train(Checkpoints(tmp_path, say=notes.append))
    assert bits(run) == bits(train(None))
    [note] = notes
    assert "checkpoint.previous.safetensors" in note
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        train(tmp_path)


def test_saving_takes_little_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk makes checkpoints rarer: a second of writing buys a hundred of computing."""
    now = [0.0]
    monkeypatch.setattr("portanet.training.checkpoints.time.monotonic", lambda: now[0])

    def slow(folder: Path, tree: Any) -> None:
        now[0] += 2.0

    monkeypatch.setattr("portanet.storage.snapshot.write_snapshot", slow)
    checkpoints = Checkpoints(tmp_path, every=5.0)
    assert checkpoints.restore({}, optim.constant(), 0) is None
    due = [checkpoints.due()]
    now[0] = 5.0
    due.append(checkpoints.due())
    checkpoints.save({})
    for moment in (100.0, 206.0, 207.0):
        now[0] = moment
        due.append(checkpoints.due())
    assert due == [False, True, False, False, True]
