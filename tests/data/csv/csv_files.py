"""CSV files for tests: written from text or bytes, and read as classes or as numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from portanet.data.dataset import Dataset
from portanet.data.source import read

Write = Callable[..., Path]
"""Writes text or bytes as digits.csv."""


def read_table(path: Path, *, regress: bool = False, **settings: Any) -> Dataset:
    return read(path, task="regress" if regress else "classify", **settings)
