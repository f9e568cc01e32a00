"""Snapshots: which weights are kept, and that keeping them changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import blobs

from portanet import Callback, Snapshots, fit, nn
from portanet._tree import tree_items
from portanet.errors import CheckpointError, ConfigError, ModelError
from portanet.storage.snapshots_file import NAME, read_snapshots, write_snapshots
from portanet.training.snapshots import WEIGHTS

X, LABELS = blobs(60)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Standardize(), nn.Dense(8), nn.ReLU(), nn.Dense(int(LABELS.max()) + 1))


def trained(*callbacks: Any, epochs: int = 12, **settings: Any) -> Any:
    return fit(network(), X, LABELS, epochs=epochs, batch_size=10, callbacks=list(callbacks), **settings)


def same(a: Any, b: Any) -> bool:
    first, second = dict(tree_items(a)), dict(tree_items(b))
    return first.keys() == second.keys() and all(np.array_equal(first[path], second[path]) for path in first)


def test_they_begin_with_the_first_weights_and_end_with_the_last() -> None:
    kept = Snapshots(points=6)
    run = trained(kept)
    assert list(kept.kept) == [0, 3, 12, 26, 46, 72]  # 72 (i / 5)^2
    assert same(kept.kept[72], run.params)
    assert same(run.params, trained().params)
    assert same(kept.kept[12], trained(epochs=2).params)  # with a constant rate the first 12 steps are the same
    assert same(kept.kept[0], fit(network(), X, LABELS, epochs=1, optimizer="sgd", schedule=lambda *_: 0.0).params)


class Stop(Callback):
    def log(self, row: Any) -> bool:
        return bool(row["epoch"] >= 4)


def test_an_interrupted_run_keeps_what_it_had(tmp_path: Path) -> None:
    alone, resumed = Snapshots(points=6), Snapshots(points=6)
    trained(alone)
    trained(Snapshots(points=6), epochs=4, checkpoints=tmp_path)
    trained(resumed, checkpoints=tmp_path)
    assert next(iter(resumed.kept)) == 0
    assert same(resumed.kept[0], alone.kept[0])
    assert same(resumed.kept[72], alone.kept[72])


def test_a_large_network_keeps_some_units_of_its_first_layer() -> None:
    model = nn.Sequential(nn.Dense(9000), nn.ReLU(), nn.Dense(int(LABELS.max()) + 1))
    kept = Snapshots(points=2)
    run = fit(model, X, LABELS, epochs=1, callbacks=[kept])
    ((path, weight),) = tree_items(kept.kept[0])
    units = WEIGHTS // X.shape[1]
    assert path == ("0", "weight")
    assert weight.shape == (X.shape[1], min(units, 9000))
    last = kept.kept[max(kept.kept)]["0"]["weight"]
    np.testing.assert_array_equal(last, run.params["0"]["weight"][:, :units])


def test_the_file_gives_them_back(tmp_path: Path) -> None:
    kept = Snapshots(points=4)
    run = trained(kept)
    assert read_snapshots(tmp_path) == {}
    write_snapshots(tmp_path, kept.kept)
    found = read_snapshots(tmp_path)
    assert list(found) == list(kept.kept)
    assert all(same(found[step], kept.kept[step]) for step in found)
    run.save(tmp_path / "model.safetensors")
    (tmp_path / NAME).write_bytes((tmp_path / "model.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=NAME):
        read_snapshots(tmp_path)


def test_snapshots_of_another_model_are_refused(tmp_path: Path) -> None:
    kept = Snapshots(points=2)
    trained(kept)
    wider = nn.Sequential(nn.Standardize(), nn.Dense(9), nn.ReLU(), nn.Dense(int(LABELS.max()) + 1))
    run = fit(wider, X, LABELS, epochs=1)
    with pytest.raises(ModelError, match="snapshots"):
        run.explore(tmp_path / "page.html", snapshots=kept.kept)


def test_the_callback_itself_is_taken_and_other_things_are_refused(tmp_path: Path) -> None:
    kept = Snapshots(points=2)
    run = trained(kept, epochs=1)
    run.explore(tmp_path / "a.html", snapshots=kept)
    run.explore(tmp_path / "b.html", snapshots=kept.kept)
    texts = [(tmp_path / f"{name}.html").read_text().replace(f"<title>{name}", "<title>") for name in "ab"]
    assert all('"steps":[0,6]' in text for text in texts)
    assert len(texts[0]) == len(texts[1])
    for wrong in (True, [1, 2], Snapshots):
        with pytest.raises(ConfigError, match=r"snapshots must be.*Snapshots"):
            run.explore(tmp_path / "c.html", snapshots=wrong)
    for points in (1, 2.5, "4"):
        with pytest.raises(ConfigError, match=r"points.*2"):
            Snapshots(points=points)  # type: ignore[arg-type]
