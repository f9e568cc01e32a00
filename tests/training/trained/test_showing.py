"""How a model shows itself: as HTML, as curves, as a report."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers import blobs

import portanet
from portanet import nn, optim
from portanet.errors import DataError, PortanetError
from portanet.report import page

pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 'portanet[report]'")
X, LABELS = blobs()


@pytest.fixture
def run() -> portanet.TrainedModel:
    model = nn.Sequential(nn.Dense(4), nn.ReLU(), nn.Dense(3))
    schedule = optim.step_decay(0.5, every=3)
    return portanet.fit(model, X, LABELS, valid=(X, LABELS), epochs=4, batch_size=20, schedule=schedule)


def test_the_curves_are_the_history(run: portanet.TrainedModel, tmp_path: Path) -> None:
    path = run.plot().write_html(tmp_path / "curves.html")
    told = re.search(r'id="readings">(.*?)</script>', path.read_text())
    assert told is not None
    readings = json.loads(told[1])
    assert set(readings) == {"accuracy", "loss", "learning-rate"}
    for row, (_, epoch, lines) in zip(run.history, readings["accuracy"]["points"], strict=True):
        assert epoch == f"Epoch {row['epoch']}"
        pairs = [("Training", row["accuracy"]), ("Validation", row["valid_accuracy"])]
        assert [line[1:] for line in lines] == [[name, f"{value:.2%}"] for name, value in pairs]


def test_a_notebook_shows_pages_in_frames_of_their_own(run: portanet.TrainedModel) -> None:
    for shown in (run.plot(), run.report()):
        frame = shown._repr_html_()
        assert re.fullmatch(r'<iframe srcdoc="[^"<>]*"( \w+="[^"]*")*></iframe>', frame)
        assert 'data-chart="accuracy"' in html.unescape(frame)
        assert "write_html" in repr(shown)


def test_the_report_measures_on_the_rows_of_the_validation_or_on_those_given(run: portanet.TrainedModel) -> None:
    assert "Confusion matrix" in run.report().html
    wrong = (LABELS + 1) % 3
    count = int((run.predict(X) != wrong).sum())
    assert f"{count} of {len(X)} given rows are predicted wrongly" in run.report(x=X, labels=wrong).html


def test_the_report_is_that_of_a_run(run: portanet.TrainedModel, tmp_path: Path) -> None:
    assert run.report(tmp_path / "mine.html") == tmp_path / "mine.html"
    assert run.report(str(tmp_path)) == tmp_path / "report.html"
    page = (tmp_path / "mine.html").read_text()
    assert "<title>mine</title>" in page
    assert "Dense(units=4)" in page
    assert f"{run.history[-1]['accuracy']:.2%}" in page
    with pytest.raises(DataError, match="cannot write"):
        run.report(tmp_path / "nowhere" / "page.html")


def test_a_model_from_a_file_has_no_curves(run: portanet.TrainedModel, tmp_path: Path) -> None:
    again = portanet.load(run.save(tmp_path / "m"))
    with pytest.raises(PortanetError, match=r"history .*; plot the model that fit returns"):
        again.plot()
    page = again.report(tmp_path / "page.html").read_text()
    assert "has not logged anything" in page
    assert "without labelled rows" in page
    assert "Confusion matrix" in again.report(x=X, labels=LABELS).html
    assert "epoch" not in again._repr_html_()


def test_without_its_packages(run: portanet.TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(PortanetError, match=r"plot needs jinja2: pip install 'portanet\[report\]'"):
        run.plot()
    with pytest.raises(PortanetError, match="report needs jinja2"):
        run.report(tmp_path / "page.html")


@dataclass(frozen=True, repr=False)
class Named(nn.Layer):
    name: str

    def forward(self, params: Any, x: Any, *, train: bool = False, key: Any = None) -> Any:
        return x, None

    def backward(self, params: Any, cache: Any, dy: Any, *, need_dx: bool = True) -> Any:
        return dy, {}


def test_text_of_others_is_escaped() -> None:
    run = portanet.fit(nn.Sequential(Named("<script>&"), nn.Dense(3)), X, LABELS, epochs=1)
    assert "<script>" not in run._repr_html_()
    assert "&lt;script&gt;&amp;" in run._repr_html_()
