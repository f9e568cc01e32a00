"""The folder of a cross-validation: the names of the runs and of the file in it."""

from __future__ import annotations

from pathlib import Path

SUMMARY = "folds.json"
"""The scores of folds, in the folder of their runs."""
FOLD = "fold-{}"
"""The folder of a fold's run in it, by its number from 1."""


def name_a_fold(folder: Path) -> str:
    """What to do where a folder of folds is taken for that of a run, in words; "" for another folder."""
    fold = folder / FOLD.format(1)
    return f"{folder} holds folds; name one, such as {fold}" if fold.is_dir() else ""
