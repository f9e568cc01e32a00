"""Numbers in the explorer: the bounds of intervals are those of Python."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from portanet import fit, nn

pytest.importorskip("playwright")


@pytest.mark.parametrize("names", [("output 1", "output 2"), ("price", "area")])
def test_bounds_agree_with_python(visit: Any, tmp_path: Path, names: tuple[str, str]) -> None:
    x: Any = np.random.default_rng(2).normal(size=(60, 2)).astype(np.float32)
    y = [1e5, 3e6] + [2e4, 5e5] * np.column_stack([x.sum(axis=1), x[:, 0]]) + [1e4, 1e5] * x[::-1]
    loss = nn.Quantile((0.1, 0.5, 0.9))
    if names[0] == "price":
        x, y = pd.DataFrame(x, columns=["a", "b"]), pd.DataFrame(y, columns=names)
    run = fit(nn.Sequential(nn.Dense(8), nn.Tanh(), nn.Dense(6)), x, y, loss=loss, valid=0.3, epochs=20)
    run = run.explore(tmp_path / "page.html", precision="float32")
    page = visit(tmp_path / "page.html", accept_downloads=True)
    rows = "\n".join(f"{a!r},{b!r}" for a, b in np.asarray(x).tolist())
    page.get_by_label("Rows as CSV").fill(f"a,b\n{rows}\n")
    page.get_by_role("button", name="Answer all rows").click()
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Download the answers").click()
    head, *cells = csv.reader(io.StringIO(Path(downloaded.value.path()).read_text()))
    assert head == ["Row", *(name + end for end in ("", " lower", " upper") for name in names)]
    expected = np.concatenate([run.predict(x), run.intervals(x).reshape(60, 4)], axis=1)
    np.testing.assert_allclose([list(map(float, row[1:])) for row in cells], expected, rtol=1e-5)
    assert page.locator(".answer .quiet").inner_text().startswith("80 % lie between ")
    assert page.evaluate("ANSWER_UNIT") == 2  # of lower, lower, middle, middle, upper, upper
    assert [word for word in names if word in page.locator(".answer strong").inner_text()] == list(names)


def test_curves_are_those_of_the_target_that_is_chosen(visit: Any, tmp_path: Path) -> None:
    x = pd.DataFrame(np.random.default_rng(5).normal(size=(80, 2)), columns=["a", "b"])
    y = pd.DataFrame({"up": 9 + 5 * x["a"], "down": 1e6 - 4e5 * x["a"]})
    run = fit(nn.Sequential(nn.Standardize(), nn.Dense(2)), x, y, task="regress", optimizer="sgd", epochs=60)
    run.explore(tmp_path / "page.html", precision="float32")
    page = visit(tmp_path / "page.html")
    curve = page.locator("canvas[aria-label*='by a:']")
    for name, sign in (("up", 1), ("down", -1)):
        page.get_by_label("Curves of").select_option(label=name)
        page.wait_for_selector(f"canvas[aria-label^='{name} by a:']")
        ends = [float(text.split(" at ")[0].replace(",", "")) for text in
                curve.get_attribute("aria-label").split(": ")[1].split(", ")]  # fmt: skip
        at: Any = [
            [page.evaluate(f"facts.fields[0].range[{i}]"), page.evaluate("facts.fields[1].typical[0]")] for i in (0, 1)
        ]
        expected = run.predict(np.array(at))[:, 0 if name == "up" else 1]
        np.testing.assert_allclose(ends, expected, rtol=1e-3)
        assert np.sign(ends[1] - ends[0]) == sign
