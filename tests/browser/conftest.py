"""Pages in headless Chromium, opened from disk; a console error or any request fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import Dataset, TrainedModel, fit, nn, read

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
Visit = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser, started once."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


def leaves(url: str, page: str) -> bool:
    """Whether a request is for something outside of the page."""
    return url != page and not url.startswith(("data:", "blob:"))


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visit]:
    """`visit(path, **context settings)` opens a file, and watches its page until the test ends."""
    contexts, heard = [], []

    def opened(path: Path, **settings: Any) -> Any:
        context = chromium.new_context(**settings)
        context.set_default_timeout(60_000)  # other tests may keep the machine busy
        contexts.append(context)
        page, address = context.new_page(), path.as_uri()
        page.on("console", lambda message: heard.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda request: heard.append(request.url) if leaves(request.url, address) else None)
        page.goto(address)
        page.wait_for_selector("html[data-ready]" if settings.get("java_script_enabled", True) else "html")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert heard == []


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """Digits that no network here was trained on."""
    return read("mnist:test").rows(slice(0, 1000))


@pytest.fixture(scope="session")
def run() -> TrainedModel:
    """A network trained on digits."""
    model = nn.Sequential(nn.Standardize("all"), nn.Flatten(), nn.Dense(96), nn.ReLU(), nn.Dense(10))
    return fit(model, read("mnist"), epochs=2, optimizer="adamw", schedule="cosine_decay")


@pytest.fixture(scope="session")
def digits_page(run: TrainedModel, digits: Dataset, tmp_path_factory: Any) -> tuple[Path, TrainedModel]:
    """Its explorer, and the model with the explorer's weights."""
    path = tmp_path_factory.mktemp("digits") / "digits.html"
    return path, run.explore(path, examples=digits, precision="int8")


@pytest.fixture(scope="session")
def table_page(tmp_path_factory: Any) -> tuple[Path, TrainedModel, Path]:
    """The explorer of a table with every kind of column, the model with its weights, and the table."""
    folder, rng = tmp_path_factory.mktemp("table"), np.random.default_rng(3)
    lines = ["age,colour,smoker,height,day,risk"]
    for i in range(120):
        age, colour, smoker = rng.integers(18, 90), ("red", "green", "blue <b>")[i % 3], ("yes", "no")[i % 2]
        height = "" if i % 11 == 0 else f"{rng.normal(170, 9):.1f}"
        day = f"20{rng.integers(10, 24):02d}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}"
        lines.append(f"{age},{colour},{smoker},{height},{day},{'high' if age > 50 else '<script>low'}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    data = read(folder / "people.csv", label="risk")
    assert data.table is not None
    model = nn.Sequential(nn.Columns(data.table.kinds), nn.Dense(16), nn.Tanh(), nn.Dense(2))
    run = fit(model, data, epochs=20, batch_size=20)
    path = folder / "people.html"
    return path, run.explore(path, examples=data, precision="float32"), folder / "people.csv"
