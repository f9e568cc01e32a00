"""The run folder: one new folder for each training, with its model, its history and what is needed to repeat it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portanet import files
from portanet.errors import ConfigError, DataError


@dataclass(frozen=True)
class RunFolder:
    """`model.safetensors history.jsonl run.json report.html` of one training."""

    path: Path

    @classmethod
    def create(cls, out: Path | None, name: str) -> RunFolder:
        """The folder `out`, or the next free `runs/NAME-1`, `runs/NAME-2`, ...

        Raises ConfigError where `out` holds files already, DataError where it cannot be made.
        """
        if out is None:
            return _next_free(Path("runs"), name)
        need_empty(out)
        _make(out, exist_ok=True)
        return cls(out)

    def drop_if_empty(self) -> None:
        """Removes the folder if nothing was written to it, as when a training is stopped before its first result."""
        with contextlib.suppress(OSError):  # rmdir refuses a folder that holds something
            self.path.rmdir()

    @property
    def model(self) -> Path:
        """Where the model file lies."""
        return self.path / "model.safetensors"

    def append(self, row: dict[str, Any]) -> None:
        """Adds a line to history.jsonl."""
        try:
            with open(self.path / "history.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise DataError(f"cannot write {self.path / 'history.jsonl'}: {error.strerror}.") from error

    def write(self, record: dict[str, Any]) -> None:
        """Writes run.json."""
        files.write(self.path / "run.json", json.dumps(record, indent=2) + "\n")


def need_empty(out: Path) -> None:
    """Refuses a folder that holds files already, and what is no folder."""
    try:
        taken, is_file = out.is_dir() and any(out.iterdir()), out.exists() and not out.is_dir()
    except OSError as error:
        raise DataError(f"cannot look into {out}: {error.strerror}; choose another --out.") from error
    if is_file:
        raise ConfigError(f"{out} is a file; choose another --out.")
    if taken:
        raise ConfigError(f"{out} is not empty, and a run is never overwritten; choose another --out.")


def _next_free(above: Path, name: str) -> RunFolder:
    taken = [path.name.rpartition("-")[2] for path in above.glob(f"{name}-*")]
    number = max((int(n) for n in taken if n.isdecimal()), default=0) + 1
    while not _make(path := above / f"{name}-{number}", exist_ok=False):
        number += 1  # another run took the name between the look and the making
    return RunFolder(path)


def _make(path: Path, *, exist_ok: bool) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if exist_ok:
            raise ConfigError(f"{path} is a file; choose another --out.") from None
        return False
    except OSError as error:
        raise DataError(f"cannot make the folder {path}: {error.strerror}; choose another --out.") from error
    return True
