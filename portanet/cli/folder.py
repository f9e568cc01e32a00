"""The folder of a run, or of the folds of a cross-validation: new or resumed, and locked while in use."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from portanet.cli.ranks import lead, leads
from portanet.mpi.ranks import Ranks
from portanet.storage.fold_folder import FOLD, SUMMARY
from portanet.storage.run_folder import RunFolder, require_empty


@contextlib.contextmanager
def locked_folder(
    out: Path | None, name: str, *, resume: bool, say: Callable[[str], None], ranks: Ranks | None = None,
    of_folds: bool = False,
) -> Iterator[RunFolder]:  # fmt: skip
    """The locked folder, new or to be resumed; a new one is removed again if nothing is written to it."""

    def found() -> RunFolder:
        if not resume:
            return RunFolder.create(out, name)
        if of_folds:
            return RunFolder.unfinished(name, _is_summed_up) if out is None else RunFolder.open(out, _OF_FOLDS)
        return RunFolder.open(out) if out is not None else RunFolder.unfinished(name)

    folder = lead(ranks, found)
    if not leads(ranks):
        yield folder
        return
    if resume:
        say(f"resuming in {folder.path}")
    with folder.locked() as note:
        if note:
            say(note)
        if not resume:
            require_empty(folder.path)  # another run may have used the folder before this one locked it
        try:
            yield folder
        finally:
            folder.drop_if_empty()


def to_resume(command: list[str], folder: Path) -> str:
    """The advice on how to resume a command in a folder."""
    return f"and saved; to resume: {shlex.join([*command, '--out', str(folder), '--resume'])}"


_OF_FOLDS = (SUMMARY, FOLD.format(1))


def _is_summed_up(folder: Path) -> bool:
    return (folder / SUMMARY).exists()
