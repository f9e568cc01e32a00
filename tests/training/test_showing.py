"""How a model shows itself: as HTML, as curves, as a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers import blobs

import portanet
from portanet import nn, optim
from portanet.errors import DataError, PortanetError
from portanet.report import page

pytest.importorskip("plotly", reason="plotly is not installed: pip install 'portanet[report]'")
X, LABELS = blobs()


@pytest.fixture
def run() -> portanet.TrainedModel:
    model = nn.Sequential(nn.Dense(4), nn.ReLU(), nn.Dense(3))
    schedule = optim.step_decay(0.5, every=3)
    return portanet.fit(model, X, LABELS, valid=(X, LABELS), epochs=4, batch_size=20, schedule=schedule)


def test_the_curves_are_the_history(run: portanet.TrainedModel) -> None:
    lines = {(line["yaxis"], line["name"]): list(line["y"]) for line in run.plot().to_dict()["data"]}
    column = {key: [row[key] for row in run.history] for key in run.history[0]}
    assert lines == {
        ("y", "Training"): column["accuracy"], ("y", "Validation"): column["valid_accuracy"],
        ("y2", "Training"): column["loss"], ("y2", "Validation"): column["valid_loss"],
        ("y3", "Learning rate"): column["learning_rate"],
    }  # fmt: skip
    assert [line["x"] for line in run.plot().data[:1]] == [(1, 2, 3, 4)]


def test_the_report_is_that_of_a_run(run: portanet.TrainedModel, tmp_path: Path) -> None:
    assert run.report(tmp_path / "mine.html") == tmp_path / "mine.html"
    assert run.report(str(tmp_path)) == tmp_path / "report.html"
    html = (tmp_path / "mine.html").read_text()
    assert "<title>mine</title>" in html
    assert "Dense(units=4)" in html
    assert f"{run.history[-1]['accuracy']:.2%}" in html
    with pytest.raises(DataError, match="cannot write"):
        run.report(tmp_path / "nowhere" / "page.html")


def test_a_model_from_a_file_has_no_curves(run: portanet.TrainedModel, tmp_path: Path) -> None:
    again = portanet.load(run.save(tmp_path / "m"))
    with pytest.raises(PortanetError, match=r"no history to plot: .*; plot the model that fit returns"):
        again.plot()
    assert "has logged nothing" in again.report(tmp_path / "page.html").read_text()
    assert "epoch" not in again._repr_html_()


def test_without_its_packages(run: portanet.TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portanet.report.figure.find_spec", lambda name: None)
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(PortanetError, match=r"plot needs plotly: pip install 'portanet\[report\]'"):
        run.plot()
    with pytest.raises(PortanetError, match="report needs plotly and jinja2"):
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
