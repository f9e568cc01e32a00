"""What a Jupyter kernel shows of a run and its model: a real one executes each notebook."""

from __future__ import annotations

import html
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import portanet

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install nbclient ipykernel")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: pip install nbclient ipykernel")
pytest.importorskip("ipykernel", reason="ipykernel is not installed: pip install nbclient ipykernel")

START = """
import numpy as np, portanet
from portanet import nn
x = np.arange(400.0).reshape(-1, 4) % 7
y = (x[:, 0] > 3).astype(int)
net = nn.Sequential(nn.Standardize(), nn.Dense(8), nn.ReLU(), nn.Dense(2))
def fit(**settings):
    return portanet.fit(net, x, y, valid=(x, y), epochs=3, batch_size=20, **settings)
"""

PRESSED = """
import os, signal
class Press(portanet.Callback):
    def advance(self, step):
        if step == 7:
            os.kill(os.getpid(), signal.SIGINT)
run = fit(callbacks=[Press()])
print(run.stopped, run.steps, run.history[-1]["step"])
"""


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The outputs of each cell, by its code; one kernel for all of them, since starting one takes long."""
    folder = tmp_path_factory.mktemp("notebook")
    codes = [
        START, "run = fit(); None", "fit(callbacks=[]); None", "run", "run.plot()", "print(run.report('page.html'))",
        "portanet.gradcheck(nn.Dense(2), x[:3])", "portanet.Dataset('table', x)", PRESSED,
    ]  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in codes])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(portanet.__file__).parents[1]))
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("JUPYTER_DATA_DIR", str(folder / "jupyter"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(folder / "runtime"))
        spec = f'{{"argv": ["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"], ' \
            '"display_name": "here", "language": "python"}'  # fmt: skip
        os.makedirs(folder / "jupyter/kernels/here")
        (folder / "jupyter/kernels/here/kernel.json").write_text(spec)
        client = nbclient.NotebookClient(
            notebook, timeout=120, kernel_name="here", resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
    found = {cell.source: cell.outputs for cell in notebook.cells}
    found["page"] = [(folder / "page.html").read_text()]
    return found


def test_the_progress_shows_by_itself(cells: dict[str, list[Any]]) -> None:
    [shown] = cells["run = fit(); None"]
    assert shown.output_type == "display_data"
    assert shown.data["text/plain"].startswith("15 of 15 steps  epoch 3/3  loss ")
    assert '<progress value="15" max="15">' in shown.data["text/html"]


def test_an_empty_list_of_callbacks_shows_nothing(cells: dict[str, list[Any]]) -> None:
    assert cells["fit(callbacks=[]); None"] == []


def test_a_model_shows_its_layers_and_its_last_figures(cells: dict[str, list[Any]]) -> None:
    [shown] = cells["run"]
    page = shown.data["text/html"]
    assert "<td>Dense(units=8)</td><td>8</td><td>40</td><td>32</td>" in page
    assert "&lt;numpy on cpu&gt;, 15 steps" in page
    assert "epoch 3/3  loss " in page
    assert "Dense(units=8)" in shown.data["text/plain"]


def test_a_model_shows_its_curves(cells: dict[str, list[Any]]) -> None:
    [shown] = cells["run.plot()"]
    frame = html.unescape(shown.data["text/html"])
    assert frame.startswith("<iframe srcdoc=")
    assert re.findall(r'data-chart="([^"]*)"', frame) == ["accuracy", "loss"]
    assert "Epoch 3" in frame


def test_a_model_writes_its_report(cells: dict[str, list[Any]]) -> None:
    [shown] = cells["print(run.report('page.html'))"]
    assert shown.text == "page.html\n"
    assert "Dense(units=8)" in cells["page"][0]
    assert "Confusion matrix" in cells["page"][0]


def test_checks_and_data_are_short(cells: dict[str, list[Any]]) -> None:
    [shown] = cells["portanet.gradcheck(nn.Dense(2), x[:3])"]
    assert shown.data["text/plain"].count(" right") == 3
    [shown] = cells["portanet.Dataset('table', x)"]
    assert shown.data["text/plain"] == "Dataset('table': 100 rows of 4 float64, no labels)"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
def test_the_stop_button_keeps_the_model(cells: dict[str, list[Any]]) -> None:
    shown = {output.name: output.text for output in cells[PRESSED]}
    assert shown["stdout"] == "interrupted 7 7\n"
    assert "Ctrl-C again raises KeyboardInterrupt" in shown["stderr"]
