"""The sections of a report about predictions, compared with counts by hand, NumPy or scikit-learn."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import pytest

from portanet.metrics import ACCURACY, R2
from portanet.report import beside, calibration, columns, confusion, errors, gallery, headline, png, rows, weights
from portanet.report.chart import Range, chart, integer, number, percent
from portanet.report.evidence import Evidence
from portanet.report.page import page
from portanet.storage.model_card import ModelCard
from portanet.storage.run_record import RunRecord
from portanet.storage.schema import CATEGORY, DATE, ID, Column, Schema

pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 'portanet[report]'")

RECORD = RunRecord("r", result={"valid_accuracy": 0.75, "test_accuracy": 0.7, "stopped": "finished"})
HOSTILE = ("<script>alert(1)</script>", "a & b", '"c"')


def classes(names: tuple[str, ...] = ("a", "b", "c"), **more: Any) -> Evidence:
    """Eight rows; 3 and 6 are predicted wrongly, 6 with more confidence."""
    targets = np.array([0, 1, 2, 0, 1, 2, 0, 0])
    predicted = np.array([0, 1, 2, 1, 1, 2, 2, 0])
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.95, 0.99, 0.97, 0.5])
    outputs = np.repeat(((1 - confidence) / 2)[:, None], 3, axis=1)
    outputs[np.arange(8), predicted] = confidence
    x = np.arange(8 * 9, dtype=np.uint8).reshape(8, 1, 3, 3)
    card = ModelCard((1, 3, 3), classes=names)
    return Evidence("validation", 8, x, targets, outputs, card, names, ACCURACY, 0.75, **more)


def numbers(predicted: list[float], true: list[float]) -> Evidence:
    both = [np.array(each)[:, None] for each in (true, predicted)]
    return Evidence(
        "validation", len(true), np.ones((len(true), 2)), *both, ModelCard((2,), label="price"), (), R2, 0.5
    )


def table() -> Evidence:
    """A table with each kind of column, a gap, and a column that is left out."""
    schema = Schema((
        Column("size", gaps=True),
        Column("town", CATEGORY, ("Oslo", "<b>Rome</b>")),
        Column("nr", ID, why="every number is another"),
        Column("day", DATE, form="year-month-day"),
    ))  # fmt: skip
    x = np.array([[1.5, 1, 2020, 3, 1, 7], [np.nan, 2, 2021, 4, 2, 8], [3.0, 0, 2022, 5, 3, 9]])
    card = ModelCard((6,), columns=schema.names, table=schema)
    outputs = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    importance = {"size": 0.1, "town": 0.4, "day": -0.01}
    return Evidence(
        "validation", 3, x, np.array([0, 1, 1]), outputs, card, ("no", "yes"), ACCURACY, 2 / 3, importance=importance
    )


def test_the_headline_compares_the_score_with_the_commonest_class() -> None:
    first, test = headline.figures(RECORD, classes())
    assert (first["title"], first["text"], first["level"]) == ("Validation accuracy", "75.00%", 0.75)
    assert (first["baseline"], first["compared"]) == (0.5, "50.00% by always predicting a, on 8 rows")
    assert (test["title"], test["text"], test["compared"]) == ("Test accuracy", "70.00%", "")


def test_the_headline_of_a_regression_shows_the_error_in_its_unit() -> None:
    evidence = numbers([10.0, 20.0, 40.0], [11.0, 22.0, 38.0])
    error = headline.section(RunRecord("r"), evidence)["error"]
    assert (error["text"], error["label"]) == (f"{np.sqrt(3.0):.4g}", "price")
    assert error["compared"].startswith(f"{np.std([11.0, 22.0, 38.0]):.4g} by always predicting the mean")


def test_the_confusion_matrix_is_scikit_learns() -> None:
    oracle = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    evidence = classes()
    assert confusion.matrix(evidence).tolist() == oracle.confusion_matrix(evidence.targets, evidence.predicted).tolist()
    found: Any = confusion.section(RECORD, evidence)
    expected = oracle.precision_recall_fscore_support(evidence.targets, evidence.predicted)
    measures = [[row[key] for row in found["classes"]] for key in ("precision", "recall", "f1", "rows")]
    np.testing.assert_allclose(measures, expected, rtol=1e-6)
    assert [cell["rows"] for cell in found["matrix"][0]] == [2, 1, 1]
    assert [cell["style"].split("-")[0] for cell in found["matrix"][0]] == ["hit", "miss", "miss"]


def test_many_classes_show_the_weakest_and_the_most_confused_pairs() -> None:
    names = tuple(f"class {i}" for i in range(120))
    targets = np.repeat(np.arange(120), 2)
    predicted = targets.copy()
    predicted[[7, 8, 9]] = [50, 60, 60]
    evidence = Evidence("test", 240, np.zeros((240, 2)), targets, np.eye(120)[predicted], ModelCard((2,)), names)
    found: Any = confusion.section(RECORD, evidence)
    assert found["matrix"] is None
    assert found["pairs"] == [("class 4", "class 60", 2), ("class 3", "class 50", 1)]
    assert (len(found["classes"]), found["hidden"], found["classes"][0]["name"]) == (100, 20, "class 4")


def test_multi_label_rows_have_measures_and_no_matrix() -> None:
    targets, outputs = np.array([[1, 0], [1, 1], [0, 1.0]]), np.array([[0.9, 0.2], [0.3, 0.8], [0.1, 0.6]])
    evidence = Evidence("test", 3, np.zeros((3, 2)), targets, outputs, ModelCard((2,)), ("a", "b"))
    found: Any = confusion.section(RECORD, evidence)
    assert found["matrix"] is None
    assert [(row["precision"], row["recall"]) for row in found["classes"]] == [(1.0, 0.5), (1.0, 1.0)]
    assert "Precision" in page(RECORD, evidence)


def test_calibration_bins_hold_every_row_once() -> None:
    found = calibration.bins(classes())
    assert sum(each.rows for each in found) == 8
    assert [(each.low, each.rows, each.accuracy) for each in found] == [
        (0.4, 1, 1.0), (0.5, 1, 0.0), (0.6, 1, 1.0), (0.7, 1, 1.0), (0.8, 1, 1.0), (0.9, 3, 2 / 3),
    ]  # fmt: skip
    for each in found:
        assert each.low < each.confidence <= each.high
    values: Any = calibration.section(RECORD, classes())
    gaps = [each.rows / 8 * abs(each.accuracy - each.confidence) for each in found]
    assert float(values["error"]) == pytest.approx(sum(gaps), abs=0.02)  # of 15 bins, which are finer


def test_mistakes_begin_with_the_most_confident_and_doubts_with_the_least() -> None:
    found: Any = gallery.section(RECORD, classes())
    groups = {group["key"]: group for group in found["groups"]}
    assert [(p["row"], p["true"], p["predicted"]) for p in groups["mistakes"]["pictures"]] == [
        (6, "a", "c"),
        (3, "a", "b"),
    ]
    assert [p["row"] for p in groups["unsure"]["pictures"]][:3] == [7, 3, 2]
    assert [(name, [p["row"] for p in shown]) for name, shown in groups["examples"]["examples"]] == [
        ("a", [0, 3, 6, 7]), ("b", [1, 4]), ("c", [2, 5]),
    ]  # fmt: skip


def test_rows_of_a_table_show_the_values_of_its_file() -> None:
    evidence = table()
    found: Any = gallery.section(RECORD, evidence)
    mistakes = found["groups"][0]
    assert mistakes["columns"] == ["size", "town", "day"]
    assert [(line["true"], line["predicted"], line["cells"]) for line in mistakes["lines"]] == [
        ("yes", "no", ["3", "", "2022-05"])
    ]
    assert [evidence.cell(1, column) for column in evidence.columns] == ["", "<b>Rome</b>", "2021-04"]


def test_columns_show_kind_missing_values_and_importance() -> None:
    found: Any = columns.section(RECORD, table())
    values = [(row["name"], row["kind"], row["missing"], row["level"]) for row in found["columns"]]
    assert values == [
        ("town", "category", "33.3%", 1.0),
        ("size", "number", "33.3%", 0.25),
        ("day", "date", "none", 0.0),
    ]
    html = page(RECORD, table())
    assert [row["summary"] for row in found["columns"] if f"<td>{escape(row['summary'])}</td>" not in html] == []
    assert "built-in" not in html  # a name of a key that dicts have too
    assert found["left_out"] == [("nr", "id", "every number is another")]


def test_numbers_are_short_and_below_ten_million_without_an_exponent() -> None:
    given = (0.0, 5.0, 0.123456, -999.96, 36504.3, -1234567.8, 1.2e7, 3e-5)
    assert [number(each) for each in given] == [
        "0", "5", "0.1235", "-1000", "36,504", "-1,234,568", "1.2e+07", "3e-05",
    ]  # fmt: skip


def test_each_residual_is_counted_once() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(50.0, 9.0, 500)
    evidence = numbers((true + rng.normal(0.0, 2.0, 500)).tolist(), true.tolist())
    found: Any = errors.section(RECORD, evidence)
    scatter, histogram = found["charts"]
    assert sum(tag == "circle" for tag, *_ in scatter.shapes) == 500
    assert sum(int(lines[0][2].replace(",", "")) for *_, lines in histogram.reading) == 500
    size = np.abs(evidence.outputs - evidence.targets)
    assert dict(found["measures"])["90th percentile of absolute errors"] == f"{np.quantile(size, 0.9):.4g}"
    assert dict(found["measures"])["Root mean squared error (RMSE)"] == f"{np.sqrt(np.mean(size**2)):.4g}"


def test_intervals_show_their_coverage_and_width() -> None:
    evidence = numbers([1.0, 2.0, 3.0, 4.0], [1.0, 9.0, 3.5, 4.0])
    bounds = np.stack([evidence.outputs - 1, evidence.outputs + np.array([[1], [1], [1], [2]])], axis=1)
    found: Any = errors.section(RECORD, replace(evidence, bounds=bounds, coverage=0.9))
    values = dict(found["measures"])
    assert values["Targets inside their 90% intervals"] == "75.0%"
    assert values["Median width of the intervals"] == "2"
    assert sum(attributes.get("class") == "interval" for _, _, attributes in found["charts"][0].shapes) == 4


def test_numbers_too_large_to_draw_have_measures() -> None:
    found: Any = errors.section(RECORD, numbers([1e200, -1e200], [1.0, 2.0]))
    assert found["charts"] == []


def test_constant_and_huge_targets_have_charts_too() -> None:
    assert "Residuals" in page(RECORD, numbers([5.0, 5.0, 5.0], [5.0, 5.0, 5.0]))
    assert "Residuals" in page(RECORD, numbers([1e30], [-1e30]))


def pixels_of(file: bytes) -> np.ndarray[Any, Any]:
    """The colours of a PNG whose lines have no filter."""
    width, height, depth, kind = struct.unpack(">IIBB", file[16:26])
    assert depth == 8
    chunks, place = {}, 8
    while place < len(file):
        (size,) = struct.unpack(">I", file[place : place + 4])
        name, content = file[place + 4 : place + 8], file[place + 8 : place + 8 + size]
        assert struct.unpack(">I", file[place + 8 + size : place + 12 + size])[0] == zlib.crc32(name + content)
        chunks[name], place = content, place + 12 + size
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not lines[:, 0].any()
    values = lines[:, 1:].reshape(height, width, -1)
    return np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)[values[..., 0]] if kind == 3 else values


def test_pictures_contain_the_pixels() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    np.testing.assert_array_equal(pixels_of(png.encode(png.picture(grey[None], 0, 255)))[..., 0], grey)
    colour = np.random.default_rng(0).integers(0, 256, (3, 5, 4)).astype(np.uint8)
    np.testing.assert_array_equal(pixels_of(png.encode(png.picture(colour, 0, 255))), np.moveaxis(colour, 0, -1))
    large = np.kron(np.array([[0, 255], [128, 64]]), np.ones((100, 100)))[None]
    small = png.picture(large, 0, 255)
    assert max(small.shape) <= 64
    assert [int(small[i, j]) for i in (0, -1) for j in (0, -1)] == [0, 255, 128, 64]


def test_weights_are_blue_below_0_and_orange_above() -> None:
    filters = np.zeros((2, 1, 1, 3))
    filters[1, 0, 0] = [-2.0, 0.0, 2.0]
    found: Any = weights.section(RECORD, classes(filters=filters))
    assert [unit for unit, _ in found["pictures"]] == [1, 0]
    pixels = pixels_of(png.encode(png.diverging(filters[1, 0]), png.PALETTE)).astype(int)[0]
    assert pixels[0][2] > pixels[0][0] + 100
    assert min(pixels[1]) > 240
    assert pixels[2][0] > pixels[2][2] + 100


def test_data_show_the_rows_of_each_class() -> None:
    data = {"name": "d.csv", "samples": 1200, "classes": ["a", "b"], "counts": [900, 300], "shape": [4]}
    found: Any = rows.section(RunRecord("r", data=data))
    assert ("training rows", "1,200") in found["pairs"]
    assert [(row["name"], row["rows"], row["level"]) for row in found["classes"]] == [
        ("a", 900, 1.0),
        ("b", 300, 1 / 3),
    ]
    assert rows.section(RunRecord("r", data={"name": "d.csv", "classes": []}))["pairs"] == [("source", "d.csv")]  # type: ignore[index]
    assert rows.section(RunRecord("r", data={"classes": ["a"], "counts": ["x"]}))["classes"] == []  # type: ignore[index]


@pytest.mark.parametrize("evidence", [classes(HOSTILE), table()], ids=["classes", "table"])
def test_names_from_files_are_escaped_everywhere(evidence: Evidence) -> None:
    data = {"classes": list(HOSTILE), "counts": [1, 2, 3]}
    html = page(RunRecord("r", result={"valid_accuracy": 0.5}, data=data), evidence)
    assert html.count("<script") == 2
    assert "<b>Rome" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


@pytest.mark.parametrize(
    "ends", [(0.0, 1.0), (0.91, 0.93), (-3.0, 1e9), (7.0, 7.0), (0.0, 0.0), (1e-12, 3e-12), (1, 1 + 1e-15)]
)
def test_ticks_are_round_and_inside(ends: tuple[float, float]) -> None:
    drawn = chart("k", "t", Range("x", *ends, number), Range("y", *ends, percent))
    for axis in (drawn.x, drawn.y):
        ticks = [at for at, _ in axis.marks]
        assert 2 <= len(ticks) <= 12
        assert len({text for _, text in axis.marks}) == len(ticks) or ends[1] - ends[0] < 1e-9
        assert all(min(axis.start, axis.end) - 0.1 <= at <= max(axis.start, axis.end) + 0.1 for at in ticks)
    assert drawn.y.low <= ends[0] <= ends[1] <= drawn.y.high


def test_axes_of_counts_have_ticks_at_integers_only() -> None:
    drawn = chart("k", "t", Range("x", 1, 3, integer), Range("y", 0, 2, integer))
    assert [text for _, text in drawn.x.marks] == ["1", "2", "3"]
    assert [text for _, text in drawn.y.marks] == ["0", "1", "2"]


def run(name: str, epochs: int, score: float, **spec: Any) -> RunRecord:
    history = [
        {"step": 10 * i, "epoch": i, "accuracy": 0.1, "valid_accuracy": score * i / epochs}
        for i in range(1, epochs + 1)
    ]
    return RunRecord(
        name, result={"valid_accuracy": score}, spec={"batch_size": 32, "epochs": epochs} | spec, history=history
    )


def test_runs_side_by_side_show_the_best_score_and_the_differing_settings() -> None:
    records = [run("a", 4, 0.8, optimizer={"rate": 0.1}), run("a", 8, 0.9, optimizer={"rate": 0.2}), RunRecord("c")]
    found = beside.section(records, ["a", "a (2)", "c"])
    assert found["scores"][0] == ("Validation accuracy", [("80.00%", False), ("90.00%", True), ("", False)])
    assert dict(found["differences"]) == {
        "batch_size": ["32", "32", ""],
        "epochs": ["4", "8", ""],
        "optimizer.rate": ["0.1", "0.2", ""],
    }
    [drawn] = found["charts"]
    assert drawn.title == "Accuracy, validation"
    assert drawn.x.title == "Epoch"
    assert drawn.reading[0][1:][1] == [
        [pytest.approx(drawn.y.at(0.2)), "a", "20.00%"],
        [pytest.approx(drawn.y.at(0.1125)), "a (2)", "11.25%"],
    ]


def test_runs_of_different_lengths_are_drawn_over_their_fraction() -> None:
    [drawn] = beside.section([run("a", 4, 0.8), run("b", 400, 0.9)], ["a", "b"])["charts"]
    assert drawn.x.title == "Fraction of the run"
    assert drawn.reading[-1][1] == "Fraction of the run 100%"
    assert {name for *_, lines in drawn.reading for _, name, _ in lines} == {"a", "b"}


def test_the_matrix_says_of_which_rows_it_is() -> None:
    assert "On 8 validation rows." in page(RECORD, classes())
    assert "On 8 of 42,000 validation rows." in page(RECORD, replace(classes(), total=42_000))
