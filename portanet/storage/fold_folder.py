"""The folder of a cross-validation: names of its files and folders."""

from __future__ import annotations

from pathlib import Path

SUMMARY = "folds.json"
"""The file with the scores of all folds."""
FOLD = "fold-{}"
"""The run folder of a fold, numbered from 1."""


def name_a_fold(folder: Path) -> str:
    """The remedy if a folder of folds was given in place of a run folder; "" for other folders."""
    fold = folder / FOLD.format(1)
    return f"{folder} holds folds; name one, such as {fold}" if fold.is_dir() else ""
