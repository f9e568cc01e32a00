"""The replay of training: a slider that gives the page's network the weights of each snapshot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import Dataset, Snapshots, fit, nn
from portanet.export.rounding import round_params
from portanet.training.trained.params import TrainedParams

pytest.importorskip("playwright")


def test_each_snapshot_predicts_as_python_does_with_its_weights(visit: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(2).normal(size=(80, 2)).astype(np.float32)
    data = Dataset("points", x, (x[:, 0] * x[:, 1] > 0).astype(np.int32), ("no", "yes"))
    kept = Snapshots(points=5)
    model = nn.Sequential(nn.Standardize(), nn.Dense(12), nn.Tanh(), nn.Dense(2))
    run = fit(model, data, epochs=30, batch_size=20, callbacks=[kept])
    page_run = run.explore(tmp_path / "page.html", examples=data, precision="int8", snapshots=kept.kept)
    page = visit(tmp_path / "page.html")
    row = page.evaluate("Array.from(explorer.state.row)")
    for i, step in enumerate([*kept.kept, None]):
        page.get_by_label("Weights", exact=True).evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", i
        )
        expected = page_run
        if step is not None:
            expected = replace(run, params=TrainedParams(round_params(kept.kept[step], "int8"), run.card))
            assert f"step {step} of 120" in page.locator("section", has_text="Replay").inner_text()
        found = page.evaluate("answerOf(answer(network, explorer.state.row)).shares")
        np.testing.assert_allclose(found, expected.probabilities(np.array([row], np.float32))[0], rtol=0, atol=1e-5)
    assert page.locator("canvas.regions").count() == 1
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()


def test_a_large_network_replays_its_first_layer(visit: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x, labels, kept = rng.integers(0, 256, (40, 1, 28, 28), np.uint8), rng.integers(0, 2, 40), Snapshots(points=3)
    data = Dataset("noise", x, labels.astype(np.int32), ("0", "1"))
    model = nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(40), nn.ReLU(), nn.Dense(2))
    run = fit(model, data, epochs=2, batch_size=10, callbacks=[kept])
    run.explore(tmp_path / "page.html", examples=data, precision="int8", snapshots=kept.kept)
    page = visit(tmp_path / "page.html")
    assert page.locator(".filters canvas").count() == 20_000 // 784
    read = "() => document.querySelector('.filters canvas').toDataURL()"
    last = page.evaluate(read)
    page.get_by_label("Weights", exact=True).press("Home")
    assert page.evaluate(read) != last
