"""The power fails during a training: whatever of the last calls is on the disk, it goes on to the same end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults import Disk, after_power_loss, fill
from helpers import blobs

import portanet
from portanet import nn, optim
from portanet._tree import tree_items
from portanet.cli.training import _Keep
from portanet.storage import atomic, history_file
from portanet.storage.history_file import HistoryFile
from portanet.training.checkpoints import Checkpoints

X, LABELS = blobs(40)
MODEL = nn.Sequential(nn.Standardize(), nn.Dense(3), nn.Dropout(0.2), nn.Dense(3))


def train(folder: Path) -> tuple[dict[tuple[str, ...], bytes], list[dict[str, Any]]]:
    """The weights, and the rows that are in the folder's history."""
    checkpoints = Checkpoints(folder, every=0.0, say=lambda words: None)
    checkpoints.due = lambda: True  # type: ignore[method-assign]
    run = portanet.fit(
        MODEL, X, LABELS, epochs=3, batch_size=20, optimizer=optim.SGD(0.1, momentum=0.9), backend="numpy",
        checkpoints=checkpoints, callbacks=[_Keep(HistoryFile(folder / "history.jsonl", print))],
    )  # fmt: skip
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    plain = [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
    return {path: np.asarray(array).tobytes() for path, array in tree_items(run.params)}, plain


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the names of open files come from /proc")
def test_power_loss_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first := tmp_path / "first").mkdir()
    (later := tmp_path / "later").mkdir()
    with monkeypatch.context() as patch:
        disk = Disk()
        patch.setattr(atomic, "os", disk)
        patch.setattr(history_file, "os", disk)
        whole = train(first)
    seen = set()
    for left in after_power_loss({}, disk.calls):
        if (state := tuple(sorted(left.items()))) in seen:
            continue
        seen.add(state)
        fill(later, left)
        assert train(later) == whole
    assert len(seen) > 50
