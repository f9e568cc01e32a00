"""The fixture `write` of the tests of CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest
from csv_files import Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "digits.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
