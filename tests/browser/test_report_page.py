"""Reports in a browser: reading and saving charts, filtering mistakes, and accessibility on every screen."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright")

from portanet import TrainedModel, fit, nn, read
from portanet.report.beside import write_beside
from portanet.training.trained.report import record_of

HOSTILE = '<script>document.title = "run"</script><img src=x onerror="document.title = 1">'
LIGHT, DARK = {"color_scheme": "light"}, {"color_scheme": "dark"}
SCREENS = [
    {"viewport": {"width": 360, "height": 740}, **LIGHT},
    {"viewport": {"width": 1280, "height": 900}, **DARK},
]


@pytest.fixture(scope="module")
def digits() -> TrainedModel:
    """A network for digits that makes mistakes."""
    rows = read("mnist:test").rows(slice(0, 1200))
    model = nn.Sequential(nn.Rescale(1 / 255), nn.Flatten(), nn.Dense(12), nn.ReLU(), nn.Dense(10))
    return fit(model, rows, valid=200 / 1200, epochs=8, batch_size=32)


@pytest.fixture(scope="module")
def pages(digits: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of each kind."""
    folder = tmp_path_factory.mktemp("reports")
    rng = np.random.default_rng(0)
    x, names = rng.normal(size=(80, 3)), np.array([HOSTILE, "b", "c"])[np.arange(80) % 3]
    table = fit(nn.Sequential(nn.Dense(3)), x, names, valid=0.25, epochs=2)
    numbers = fit(nn.Sequential(nn.Dense(1)), x, 40 + x[:, 0], valid=0.25, task="regress", epochs=2)
    runs = {"digits": digits, "table": table, "numbers": numbers}
    found = {name: run.report(folder / f"{name}.html") for name, run in runs.items()}
    records = [record_of(run, name) for name, run in runs.items()]
    return found | {"beside": write_beside(folder / "beside.html", records)}


@pytest.mark.parametrize("name", ["digits", "table", "numbers", "beside"])
def test_every_page_fits_every_screen_and_axe_finds_nothing_serious(name: str, pages: Any, visit: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for screen in SCREENS:
        page = visit(pages[name], **screen)
        assert page.evaluate("document.documentElement.scrollWidth") <= screen["viewport"]["width"]
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        found = axe.run(page).response["violations"]
        assert [
            (each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")
        ] == []


def test_a_name_from_the_data_is_escaped(pages: Any, visit: Any) -> None:
    page = visit(pages["table"])
    assert page.title() == "table"
    assert page.get_by_text(HOSTILE, exact=True).count() > 0


def test_pointer_and_arrow_keys_read_the_history(digits: TrainedModel, pages: Any, visit: Any) -> None:
    page = visit(pages["digits"])
    chart, tip = page.locator('[data-chart="accuracy"] svg'), page.locator('[data-chart="accuracy"] .tip')

    def text_of(row: dict[str, Any]) -> str:
        return f"Epoch {row['epoch']}Training {row['accuracy']:.2%}Validation {row['valid_accuracy']:.2%}"

    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 25, box["y"] + box["height"] / 2)
    assert tip.text_content() == text_of(digits.history[-1])
    page.mouse.move(0, 0)
    assert tip.text_content() == ""
    chart.focus()
    for key, row in (("ArrowLeft", -1), ("ArrowLeft", -2), ("ArrowRight", -1), ("Home", 0), ("ArrowRight", 1)):
        page.keyboard.press(key)
        assert tip.text_content() == text_of(digits.history[row])
    page.keyboard.press("Escape")
    assert tip.text_content() == ""


def test_a_chart_is_saved_as_a_picture(pages: Any, visit: Any) -> None:
    page = visit(pages["digits"], accept_downloads=True)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save Loss as an image").click()
    assert download.value.suggested_filename == "digits-loss.png"
    file = Path(download.value.path()).read_bytes()
    assert file[:8] == b"\x89PNG\r\n\x1a\n"
    _, _, width, height = page.locator('[data-chart="loss"] svg').get_attribute("viewBox").split()
    assert struct.unpack(">II", file[16:24]) == (2 * int(width), 2 * int(height))
    assert len(file) > 10_000  # and it is not empty


def test_a_count_filters_its_mistakes(pages: Any, visit: Any) -> None:
    page = visit(pages["digits"])
    cell = page.locator(".matrix td[data-pair] button").first
    count, pair = int(cell.text_content()), cell.locator("..").get_attribute("data-pair")
    shown = page.locator('[data-group="mistakes"] li:visible')
    every = page.locator('[data-group="mistakes"] li').count()
    cell.click()
    assert shown.evaluate_all("each => each.map((picture) => picture.dataset.pair)") == [pair] * count
    assert page.locator("#chosen").text_content().startswith(f"{count} of class ")
    page.get_by_role("button", name="Show all mistakes").click()
    assert page.locator('[data-group="mistakes"] li:not([hidden])').count() == every


def test_a_report_can_be_read_without_javascript_and_on_paper(pages: Any, visit: Any) -> None:
    page = visit(pages["digits"], java_script_enabled=False)
    assert page.locator('[data-chart="accuracy"] .line.validation').count() == 2  # the curve and its key
    assert page.get_by_role("button").count() == 0
    paper = visit(pages["digits"], **DARK)
    paper.emulate_media(media="print")
    colours = paper.evaluate(
        "(({ color, backgroundColor }) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    assert [re.findall(r"\d+", colour)[:3] for colour in colours] == [["0"] * 3, ["255"] * 3]
    assert not paper.get_by_role("button", name="Save").first.is_visible()
    assert paper.locator(".matrix button").first.is_visible()  # it holds a count
