"""scripts/estimators_tour.py runs, and its assertions hold."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOUR = Path(__file__).parent.parent.parent / "scripts" / "estimators_tour.py"


@pytest.mark.filterwarnings("ignore:.*Maximum iterations")
def test_the_tour_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(TOUR))
    printed = capsys.readouterr().out
    for part in ("cross-validated", "importance", "text and gaps", "stopped after", "a stream"):
        assert part in printed
