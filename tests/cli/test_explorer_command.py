"""`train --snapshots` and `export --to html`: from a run to its page."""

from __future__ import annotations

from pathlib import Path

from console import Call

import portanet
from portanet.storage.snapshots_file import read_snapshots

BASE = ("--preset", "mlp", "--hidden", "8", "--backend", "numpy", "--quiet", "--epochs", 3)


def test_a_run_with_snapshots_becomes_a_page_that_replays_it(cli: Call) -> None:
    assert cli("train", "flowers.csv", *BASE, "--out", "plain").code == 0
    assert cli("train", "flowers.csv", *BASE, "--out", "kept", "--snapshots").code == 0
    assert Path("kept/model.safetensors").read_bytes() == Path("plain/model.safetensors").read_bytes()
    kept = read_snapshots(Path("kept"))
    assert next(iter(kept)) == 0
    told = cli("export", "kept", "--to", "html", "--precision", "int8")
    assert told.code == 0
    assert "int8" in told.out
    page = Path("kept/explorer.html").read_text()
    assert '"snapshots":{"steps":[0,' in page
    assert '"examples":{' in page
    assert cli("export", "plain", "--to", "html", "--precision", "float16").code == 0
    assert '"snapshots"' not in Path("plain/explorer.html").read_text()


def test_without_its_data_a_page_has_no_examples_and_says_so(cli: Call) -> None:
    Path("flowers.csv").rename("moved.csv")
    told = cli("export", "flowers", "--to", "html", "--out", "a.html")
    assert told.code == 0
    assert "--examples" in told.err
    assert "float16" in told.out  # nothing to measure on
    assert cli("export", "flowers", "--to", "html", "--out", "b.html", "--examples", "moved.csv").code == 0
    assert '"examples":{' in Path("b.html").read_text()
    assert '"examples":{' not in Path("a.html").read_text()
    assert cli("export", "flowers/model.safetensors", "--to", "html", "--out", "c.html").code == 0
    assert portanet.load("flowers").explore("d.html").about["precision"] == "float16"
