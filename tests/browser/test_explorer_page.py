"""The explorer in a browser: drawing with mouse and touch, files, forms, and accessibility."""

from __future__ import annotations

import base64
import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from portanet import read

pytest.importorskip("playwright")

SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.55, 0.5), (0.45, 0.8)]
DRAWN = "() => explorer.state.pixels && Array.from(explorer.state.pixels)"


def until(page: Any, expression: str) -> None:
    """Wait until an expression is true; the page's policy forbids Playwright's own way, which evaluates text."""
    for _ in range(1200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def points(page: Any) -> list[tuple[float, float]]:
    box = page.locator("canvas.pad").bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in SEVEN]


def draw_by_mouse(page: Any) -> None:
    first, *others = points(page)
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def draw_by_touch(page: Any) -> None:
    finger = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(points(page)):
        kind = "touchMove" if number else "touchStart"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.parametrize("draw", [draw_by_mouse, draw_by_touch])
def test_a_drawing_is_answered_and_a_blank_pad_is_not(draw: Any, digits_page: Any, visit: Any) -> None:
    path, run = digits_page
    page = visit(path, has_touch=True)
    assert page.evaluate(DRAWN) is None
    assert page.locator(".answer strong").inner_text() == ""
    draw(page)
    until(page, "document.querySelector('.answer strong').textContent !== ''")
    pixels = np.array(page.evaluate(DRAWN), np.uint8).reshape(1, 1, 28, 28)
    assert page.locator(".answer strong").inner_text() == str(run.predict(pixels)[0])
    page.get_by_role("button", name="Clear").click()
    until(page, "document.querySelector('.answer strong').textContent === ''")
    until(page, "document.querySelector('[role=status]').textContent.startsWith('Draw')")


THROUGH_THE_PAD = """(digits) => digits.map((pixels) => {
  const picture = element("canvas");
  paintImage(picture, pixels, [1, 28, 28]);
  explorer.pad.put(picture);
  const drawn = asInput(explorer.pad.image()), given = answerOf(answer(network, drawn));
  return { drawn: Array.from(drawn), shares: given.shares };
})"""


def test_200_digits_on_the_pad_have_the_predictions_of_python(digits_page: Any, digits: Any, visit: Any) -> None:
    path, run = digits_page
    found = visit(path).evaluate(THROUGH_THE_PAD, digits.x[:200].reshape(200, -1).tolist())
    drawn = np.array([each["drawn"] for each in found], np.uint8).reshape(-1, 1, 28, 28)
    shares = np.array([each["shares"] for each in found])
    np.testing.assert_allclose(shares, run.probabilities(drawn), rtol=0, atol=1e-5)
    assert (shares.argmax(axis=1) == digits.targets[:200]).mean() >= 0.97


def drop(page: Any, name: str, kind: str, content: bytes) -> None:
    script = """([name, kind, text]) => {
      const files = new DataTransfer(), bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      files.items.add(new File([bytes], name, { type: kind }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(script, [name, kind, base64.b64encode(content).decode()])


def test_examples_pictures_and_csv_files_are_answered(digits_page: Any, digits: Any, visit: Any) -> None:
    path, run = digits_page
    page = visit(path)
    page.get_by_role("button", name="Example: 3").first.click()
    until(page, "document.querySelector('.answer').textContent.includes('labelled 3')")
    pixels = np.array(page.evaluate(DRAWN), np.uint8).reshape(1, 1, 28, 28)
    assert (pixels == digits.x).all(axis=(1, 2, 3)).any()  # those of the file, not of the pad
    dark = base64.b64decode(page.evaluate("explorer.pad.target.toDataURL('image/png').split(',')[1]"))
    page.get_by_role("button", name="Clear").click()
    drop(page, "three.png", "image/png", dark)
    until(page, "explorer.state.pixels !== null")
    drawn = np.array(page.evaluate(DRAWN), np.uint8).reshape(1, 1, 28, 28)
    assert run.predict(drawn)[0] == run.predict(pixels)[0]
    names = ",".join(f"pixel{i}" for i in range(784))
    rows = "\n".join(",".join(map(str, row)) for row in digits.x[:5].reshape(5, -1).tolist())
    drop(page, "rows.csv", "text/csv", f"sep=,\r\n{names}\n{rows}\n".encode())
    until(page, "document.querySelectorAll('tbody tr').length === 5")
    answers = [row.split("\t")[1] for row in page.locator("tbody tr").all_inner_texts()]
    assert answers == [str(label) for label in run.predict(digits.x[:5])]
    drop(page, "rows.csv", "text/csv", b"a,b\n1,2\n")
    until(page, "document.querySelector('#many-status').textContent.includes('784')")
    drop(page, "notes.txt", "text/plain", b"not a picture")
    until(page, "document.querySelector('.answer').textContent.includes('notes.txt')")
    page.set_viewport_size({"width": 700, "height": 900})  # the page is drawn again
    page.wait_for_timeout(300)
    assert "notes.txt" in page.locator(".answer").inner_text()
    page.get_by_role("button", name="Example: 3").first.click()
    until(page, "document.querySelector('.answer').textContent.includes('labelled 3')")


def test_a_unit_shows_its_weights_and_the_input_that_maximises_it(digits_page: Any, visit: Any) -> None:
    page = visit(digits_page[0], reduced_motion="reduce")
    page.get_by_label("Layer", exact=True).select_option("1")
    page.get_by_label("Unit", exact=True).fill("4")
    page.get_by_label("Unit", exact=True).press("Enter")
    until(page, "document.querySelector('.unit').textContent.includes('steps of gradient ascent')")
    best = page.locator(".unit canvas").nth(1)
    pixels = best.evaluate("c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)")
    image = np.array(pixels, np.uint8).reshape(1, 1, 28, 28, 4)[..., 0]
    assert digits_page[1].predict(image)[0] == 4


def test_a_form_predicts_as_python_does(table_page: Any, visit: Any) -> None:
    path, run, file = table_page
    page = visit(path)
    page.get_by_label("age, as a number").fill("77")
    page.get_by_label("colour", exact=True).select_option("blue <b>")
    page.get_by_label("smoker", exact=True).select_option("yes")
    page.get_by_label("height, as a number").fill("")
    page.get_by_label("day", exact=True).fill("2017-03-05")
    row = [f"77,blue <b>,yes,,2017-03-05,high\n{line}" for line in file.read_text().splitlines()[1:3]]
    (file.parent / "one.csv").write_text("age,colour,smoker,height,day,risk\n" + "\n".join(row) + "\n")
    expected = run.probabilities(read(file.parent / "one.csv", label="risk", table=run.card.table).x)[0]
    found = page.evaluate("answerOf(answer(network, explorer.state.row)).shares")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    assert page.locator(".bars .name").all_inner_texts() == list(run.card.classes)


def test_pasted_rows_are_answered_and_downloaded(table_page: Any, visit: Any) -> None:
    path, run, file = table_page
    page = visit(path, accept_downloads=True)
    page.get_by_label("Rows as CSV").fill(file.read_text())
    page.get_by_role("button", name="Answer all rows").click()
    until(page, "document.querySelector('#many-status').textContent.startsWith('120 rows')")
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Download the answers").click()
    text = Path(downloaded.value.path()).read_text()
    head, *rows = csv.reader(io.StringIO(text))
    data = read(file, label="risk")
    assert head == ["Row", "Label", *(f"probability of {name}" for name in run.card.classes)]
    assert [row[1] for row in rows] == run.predict(data).tolist()
    np.testing.assert_allclose([list(map(float, row[2:])) for row in rows], run.probabilities(data), rtol=0, atol=1e-5)


SIZES = {"phone": (360, 740), "tablet": (820, 1180), "desktop": (1440, 900)}


@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_every_screen_and_is_accessible(size: str, digits_page: Any, table_page: Any, visit: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    width, height = SIZES[size]
    for path in (digits_page[0], table_page[0]):
        scheme = "dark" if size == "tablet" else "light"
        page = visit(path, viewport={"width": width, "height": height}, color_scheme=scheme)
        if path == digits_page[0]:
            draw_by_mouse(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        violations = Axe().run(page).response["violations"]
        assert [each["id"] for each in violations if each["impact"] in ("serious", "critical")] == []
