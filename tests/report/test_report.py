"""The report: one file that opens offline, shows the history exactly, and escapes all text."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from portanet.errors import PortanetError
from portanet.report import available, write_report

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 & \"'"

HISTORY: list[dict[str, Any]] = [
    {"step": 0, "epoch": 1, "learning_rate": 0.2, "loss": 2.31, "accuracy": 0.108, "seconds": 0.1},
    {"step": 10, "epoch": 11, "learning_rate": 0.2, "loss": 1.52, "accuracy": 0.476, "seconds": 0.2},
    {"step": 20, "epoch": 21, "learning_rate": 0.2, "loss": 1.21, "accuracy": 0.621, "seconds": 0.3},
]

RUN: dict[str, Any] = {
    "run": "classic-1",
    "preset": "classic",
    "command": "portanet train mnist:article --preset classic --seed 0",
    "started": "2026-11-22T16:00:00+00:00",
    "result": {
        "backend": "numpy",
        "device": "cpu",
        "steps": 12350,
        "seconds": 5.12,
        "train_accuracy": 0.8752380952,
        "valid_accuracy": None,
        "test_accuracy": None,
    },
    "spec": {"optimizer": {"type": "SGD", "momentum": 0.5}, "batch_size": "full", "a": {"b": {"c": None}}},
    "data": {"name": "mnist:article", "fingerprint": "9f86d081", "classes": ["0", "1"]},
    "layers": [
        {"name": "1", "layer": "Flatten()", "output_shape": [1, 784], "parameters": 0},
        {"name": "2", "layer": "Dense(units=16)", "output_shape": [16], "parameters": 12560},
    ],
    "versions": {"python": "3.11.7", "numpy": "2.4.6"},
}


class Page(HTMLParser):
    """Every tag with its attributes, the text that is read, and the code of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.code: list[tuple[dict[str, str | None], str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        # Inside a script or a style the parser sees no tags, so the last one opened is the one we are in.
        if self.cdata_elem:
            self.code.append((self.tags[-1][1], data))
        elif data.strip():
            self.text.append(data.strip())

    @property
    def charts(self) -> dict[str, Any]:
        """The readings of each chart: {line: [text at each point]}, and the points' titles under ""."""
        text = "".join(data for attributes, data in self.code if attributes.get("id") == "readings")
        found: dict[str, Any] = {}
        for key, reading in json.loads(text).items():
            found[key] = {"": [title for _, title, _ in reading["points"]]}
            for _, _, lines in reading["points"]:
                for _, name, value in lines:
                    found[key].setdefault(name, []).append(value)
        return found


def folder_of(path: Path, run: dict[str, Any] = RUN, history: list[dict[str, Any]] = HISTORY) -> Path:
    (path / "run.json").write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in history)
    (path / "history.jsonl").write_text(lines, encoding="utf-8")
    return path


def page_of(path: Path, run: dict[str, Any] = RUN, history: list[dict[str, Any]] = HISTORY) -> Page:
    return Page(write_report(folder_of(path, run, history)).read_text(encoding="utf-8"))


pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 'portanet[report]'")


def test_a_report_is_one_file_without_external_references(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.jsonl", "report.html", "run.json"]
    code = [data.replace("http://www.w3.org/2000/svg", "") for _, data in page.code]
    assert not [data for data in code if "://" in data or "url(" in data or "@import" in data or "fetch(" in data]
    outside = {"src", "srcset", "href", "action", "formaction", "data", "poster", "background", "style", "ping"}
    assert not [tag for tag, attributes in page.tags if outside & set(attributes)]
    assert not {"link", "base", "iframe", "object", "embed", "img"} & {tag for tag, _ in page.tags}


def test_only_the_pages_own_script_and_style_are_allowed(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    [policy] = [a["content"] or "" for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data: blob:"
    code = [data for attributes, data in page.code if attributes.get("type") != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(data.encode()).digest()).decode() for data in code]
    assert [rules["style-src"], rules["script-src"]] == [f"'sha256-{digest}'" for digest in digests]


def test_equal_runs_have_equal_pages(tmp_path: Path) -> None:
    first = write_report(folder_of(tmp_path)).read_bytes()
    assert write_report(tmp_path).read_bytes() == first
    assert len(first) < 40_000


def test_charts_show_the_history_exactly(tmp_path: Path) -> None:
    charts = page_of(tmp_path).charts
    assert charts == {
        "accuracy": {"": ["Iteration 0", "Iteration 10", "Iteration 20"], "Training": ["10.80%", "47.60%", "62.10%"]},
        "loss": {"": ["Iteration 0", "Iteration 10", "Iteration 20"], "Training": ["2.31", "1.52", "1.21"]},
    }


def test_lines_agree_with_the_axes(tmp_path: Path) -> None:
    """The points of a line, read by the ticks of the axes, are the numbers of the history."""
    html = write_report(folder_of(tmp_path)).read_text(encoding="utf-8")
    [svg] = [part for part in html.split("<svg ") if "Accuracy</text>" in part]
    across = re.findall(r'<path class="tick" d="M([\d.]+) .*?>([\d,]+)</text>', svg)
    upward = re.findall(r'<path class="grid" d="M[\d.]+ ([\d.]+)H.*?>([\d.]+)%</text>', svg)
    (x0, a0), (x1, a1) = ([float(part) for part in pair] for pair in (across[0], across[-1]))
    (y0, b0), (y1, b1) = ([float(part) for part in pair] for pair in (upward[0], upward[-1]))
    [line] = re.findall(r'd="(M[^"]*)" class="line training"', svg)
    points = [[float(part) for part in point.split()] for point in re.findall(r"[\d.]+ [\d.]+", line)]
    assert [round(a0 + (x - x0) / (x1 - x0) * (a1 - a0)) for x, _ in points] == [0, 10, 20]
    shares = [(b0 + (y - y0) / (y1 - y0) * (b1 - b0)) / 100 for _, y in points]
    assert shares == pytest.approx([0.108, 0.476, 0.621], abs=0.002)


def test_validation_epochs_and_a_varying_rate_are_drawn(tmp_path: Path) -> None:
    history: list[dict[str, Any]] = [
        {"step": 400, "epoch": 1, "learning_rate": 0.1, "loss": 0.9, "accuracy": 0.7, "valid_accuracy": 0.8},
        {"step": 800, "epoch": 2, "learning_rate": 0.05, "loss": 0.5, "accuracy": 0.9, "valid_accuracy": None},
    ]
    page = page_of(tmp_path, RUN | {"spec": {"batch_size": 128}}, history)
    epochs = ["Epoch 1", "Epoch 2"]
    assert page.charts["accuracy"] == {"": epochs, "Training": ["70.00%", "90.00%"], "Validation": ["80.00%"]}
    assert page.charts["learning-rate"] == {"": epochs, "Learning rate": ["0.1", "0.05"]}
    assert page.text.count("best: epoch 1") == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e200, 10**200, "much", None, True])
def test_a_line_has_a_gap_where_the_run_diverged(tmp_path: Path, value: Any) -> None:
    history = [HISTORY[0], HISTORY[1] | {"loss": value}, HISTORY[2] | {"loss": value}]
    assert page_of(tmp_path, RUN, history).charts["loss"]["Training"] == ["2.31"]


@pytest.mark.parametrize(
    ("losses", "callback", "epoch"),
    [
        ([3, 1, 1, 2], {"type": "EarlyStopping", "monitor": "valid_loss", "patience": 2, "min_change": 0.0}, 2),
        ([3, 1, 1, 2], {"type": "KeepBest", "monitor": "valid_loss"}, 3),
        ([3, 2, 1.5, 1.4], {"type": "EarlyStopping", "monitor": "valid_loss", "min_change": 0.9}, 2),
        ([3, 1, 2, 2], {"type": "KeepBest", "monitor": "accuracy"}, 4),
    ],
)
def test_the_report_names_the_epoch_that_was_kept(
    tmp_path: Path, losses: list[float], callback: dict[str, Any], epoch: int
) -> None:
    history = [{"step": i, "epoch": i, "accuracy": i / 9, "valid_loss": loss} for i, loss in enumerate(losses, 1)]
    spec = {"epochs": 9, "callbacks": [callback]}
    page = page_of(tmp_path, RUN | {"spec": spec, "result": {"stopped": "early stopping"}}, history)
    assert any(text.startswith(f"The weights are those of epoch {epoch},") for text in page.text)
    assert any(text.startswith("It stopped early after epoch 4 of 9") for text in page.text)


def test_a_long_history_and_a_large_model_take_less_than_a_megabyte(tmp_path: Path) -> None:
    long = 50_000
    history = [{"step": i, "epoch": i, "loss": 1 / (1 + i), "accuracy": i / long, "seconds": i} for i in range(long)]
    layers = [{"name": "x" * 500, "layer": "y" * 5000, "output_shape": [3], "parameters": 7}] * 5000
    many = {f"setting {i}": "z" * 3000 for i in range(3000)}
    run = RUN | {"layers": layers, "spec": many, "data": {"classes": [f"class {i}" * 9 for i in range(20_000)]}}
    path = write_report(folder_of(tmp_path, run, history))
    assert path.stat().st_size < 1_000_000
    page = Page(path.read_text())
    assert page.charts["loss"][""][-1] == "Step 49,999" or page.charts["loss"][""][-1] == "Epoch 49,999"
    assert len(page.charts["loss"][""]) <= 400


def test_the_report_shows_settings_layers_and_scores(tmp_path: Path) -> None:
    text = page_of(tmp_path).text
    pairs = set(pairwise(text))
    assert text.count("classic-1") == 2
    assert pairs >= {
        ("Last logged training accuracy", "87.52%"),
        ("Steps", "12,350"),
        ("Seconds", "5.1"),
        ("Backend", "numpy"),
        ("Device", "cpu"),
        ("optimizer.type", "SGD"),
        ("optimizer.momentum", "0.5"),
        ("batch_size", "full"),
        ("a.b.c", "none"),
        ("Flatten()", "1 x 784"),
        ("Dense(units=16)", "16"),
        ("Total", "12,560"),
        ("source", "mnist:article"),
        ("fingerprint", "9f86d081"),
        ("classes", "0, 1"),
        ("numpy", "2.4.6"),
        ("To repeat it:", RUN["command"]),
    }
    assert "Test accuracy" not in text


def test_hostile_text_is_shown_and_never_executed(tmp_path: Path) -> None:
    run = {
        "run": HOSTILE,
        "preset": HOSTILE,
        "command": HOSTILE,
        "started": HOSTILE,
        "result": {"backend": HOSTILE, "seconds": HOSTILE},
        "spec": {HOSTILE: {HOSTILE: HOSTILE}},
        "data": {"classes": [HOSTILE, [HOSTILE]]},
        "layers": [{"name": HOSTILE, "layer": HOSTILE, "output_shape": HOSTILE, "parameters": HOSTILE}],
        "versions": {HOSTILE: HOSTILE},
    }
    page = page_of(tmp_path, run)
    plain = page_of(tmp_path)
    assert [tag for tag, _ in page.tags].count("script") == [tag for tag, _ in plain.tags].count("script")
    assert len(page.code) == len(plain.code)
    [name] = [attributes["data-name"] for tag, attributes in page.tags if tag == "body"]
    assert name == HOSTILE
    [data] = [data for attributes, data in page.code if attributes.get("id") == "readings"]
    assert not set("<>&\u2028") & set(data)
    assert page.text.count(HOSTILE.strip()) >= 10


def test_a_run_without_history_has_a_report(tmp_path: Path) -> None:
    page = page_of(tmp_path, {}, [])
    assert page.charts == {}
    assert {tmp_path.name, "This run has not finished.", "This run has not logged anything yet."} <= set(page.text)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", None, r"run\.json is missing"),
        ("history.jsonl", None, r"history\.jsonl is missing"),
        ("run.json", b'{\n"run": "a",\n!}', r"run\.json, line 3: not JSON"),
        ("run.json", b"[]", r"run\.json, line 1: expected a JSON object, got list"),
        ("run.json", b'{"layers": [1]}', r'run\.json: "layers" must be'),
        ("run.json", b'{"spec": [1]}', r'run\.json: "spec" must be'),
        ("run.json", b"[" * 100_000, r"run\.json, line 1: not JSON"),
        ("run.json", b'{"result": {"accuracy": 1%b}}' % (b"0" * 400), r"run\.json, line 1: not JSON that can be read"),
        ("history.jsonl", b'{"loss": 1%b}' % (b"0" * 400), r"history\.jsonl, line 1: not JSON that can be read"),
        ("history.jsonl", b'{"step": 0}\n\n{"step": 1', r"history\.jsonl, line 3: not JSON"),
        ("history.jsonl", b'{"step": 0}\n7\n', r"history\.jsonl, line 2: expected a JSON object, got int"),
        ("history.jsonl", b'{"step": 0}\n\xff\xfe\n', r"history\.jsonl, line 2: not UTF-8"),
    ],
)
def test_an_unreadable_file_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = folder_of(tmp_path) / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(PortanetError, match=message) as error:
        write_report(tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("name", ["run.json", "history.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a pipe", "folder", "sparse"])
def test_large_and_special_files_are_refused_at_once(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "run").mkdir()
    path = folder_of(tmp_path / "run") / name
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 20 * 2**30)
    else:
        os.mkfifo(pipe := tmp_path / "pipe")
        path.symlink_to(pipe) if kind == "link to a pipe" else pipe.rename(path)
    with pytest.raises(PortanetError, match=rf"{name} is (larger|a pipe, a device or a folder)"):
        write_report(tmp_path / "run")


def test_the_old_report_stays_when_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = folder_of(tmp_path) / "report.html"
    report.write_text("older")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(PortanetError, match=r"cannot write .*report\.html: No space left on device"):
        write_report(tmp_path)
    assert report.read_text() == "older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.jsonl", "report.html", "run.json"]


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert not available()
    with pytest.raises(PortanetError) as error:
        write_report(folder_of(tmp_path))
    assert str(error.value) == "report needs jinja2: pip install 'portanet[report]'"


def test_available_imports_nothing() -> None:
    heavy = "{'jinja2', 'numpy'}"
    code = f"import sys, portanet.report as report; report.available(); print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
