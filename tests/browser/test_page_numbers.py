"""Numbers in the explorer: the bounds of intervals are those of Python."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import fit, nn

pytest.importorskip("playwright")


def test_bounds_are_those_of_python(visit: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(2).normal(size=(60, 2)).astype(np.float32)
    y = [1e5, 3e6] + [2e4, 5e5] * np.column_stack([x.sum(axis=1), x[:, 0]]) + [1e4, 1e5] * x[::-1]
    loss = nn.Quantile((0.1, 0.5, 0.9))
    run = fit(nn.Sequential(nn.Dense(8), nn.Tanh(), nn.Dense(6)), x, y, loss=loss, valid=0.3, epochs=20)
    run = run.explore(tmp_path / "page.html", precision="float32")
    page = visit(tmp_path / "page.html", accept_downloads=True)
    rows = "\n".join(f"{a!r},{b!r}" for a, b in x.tolist())
    page.get_by_label("Rows as CSV").fill(f"a,b\n{rows}\n")
    page.get_by_role("button", name="Answer all rows").click()
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Download the answers").click()
    head, *cells = csv.reader(io.StringIO(Path(downloaded.value.path()).read_text()))
    assert head == ["Row", *(f"output {i}{end}" for end in ("", " lower", " upper") for i in (1, 2))]
    expected = np.concatenate([run.predict(x), run.intervals(x).reshape(60, 4)], axis=1)
    np.testing.assert_allclose([list(map(float, row[1:])) for row in cells], expected, rtol=1e-5)
    assert page.locator(".answer .quiet").inner_text().startswith("80 % lie between ")
    assert page.evaluate("ANSWER_UNIT") == 2  # of lower, lower, middle, middle, upper, upper
