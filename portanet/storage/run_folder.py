"""The run folder: one new folder per run, with its model, its history and its settings."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from portanet.errors import ConfigError, DataError
from portanet.storage import atomic, lock
from portanet.storage.run_record import has_ended

_LOCK = ".lock"
_TRACES = (
    "model.safetensors",
    "checkpoint.safetensors",
    "checkpoint.previous.safetensors",
    "history.jsonl",
    "run.json",
)
_ELSEWHERE = "choose another folder with out=FOLDER"


@dataclass(frozen=True)
class RunFolder:
    """`model.safetensors checkpoint.safetensors history.jsonl run.json report.html` of one run.

    made  the topmost folder that was created for it; None if it existed before
    """

    path: Path
    made: Path | None = field(default=None, compare=False)

    @classmethod
    def create(cls, out: Path | None, name: str) -> RunFolder:
        """The folder `out`, or the next free `runs/NAME-1`, `runs/NAME-2`, ...

        Raises ConfigError if `out` already holds files, DataError if it cannot be created.
        """
        if out is None:
            return _next_free(Path("runs"), name)
        require_empty(out)
        made = _highest_missing(out)
        _make(out, exist_ok=True)
        return cls(out, made)

    @classmethod
    def open(cls, path: Path, traces: Sequence[str] = _TRACES) -> RunFolder:
        """The folder of a run, even if incomplete; raises ConfigError if it has none of the files in `traces`."""
        try:
            names = {entry.name for entry in path.iterdir() if not entry.name.startswith(".")}  # skips .lock and .*.tmp
        except FileNotFoundError:
            raise ConfigError(f"the run folder {path} does not exist.") from None
        except NotADirectoryError:
            raise ConfigError(f"{path} is a file, not a run folder.") from None
        except OSError as error:
            raise DataError(f"cannot look into {path}: {error.strerror or error}.") from error
        if names and not names & set(traces):
            raise ConfigError(f"{path} is not a run folder: it holds none of {', '.join(traces)}.")
        return cls(path)

    @classmethod
    def unfinished(cls, name: str, ended: Callable[[Path], bool] = has_ended) -> RunFolder:
        """The newest of `runs/NAME-1`, `runs/NAME-2`, ... that has not `ended`.

        Raises ConfigError if there are none.
        """
        for number in sorted(_numbers(Path("runs"), name), reverse=True):
            path = Path("runs", f"{name}-{number}")
            if path.is_dir() and not ended(path):
                return cls(path)
        raise ConfigError(
            f"runs/{name}-* holds no unfinished run.",
            remedy="the last one has ended; name another with out=FOLDER" if _numbers(Path("runs"), name) else "",
        )

    def drop_if_empty(self) -> None:
        """Remove the folder created for this run if nothing was written to it, as after an early error.

        Empty parent folders that were created with it are removed too. Call it while the folder is `locked`: only the
        process that holds the lock may remove anything.
        """
        if self.made is None:
            return
        with contextlib.suppress(OSError):
            if os.listdir(self.path) == [_LOCK]:
                os.unlink(self.path / _LOCK)
                self.path.rmdir()  # fails if the folder is not empty
            for above in self.path.parents:
                if not above.is_relative_to(self.made):
                    break
                above.rmdir()

    @contextlib.contextmanager
    def locked(self) -> Iterator[str | None]:
        """Keep other processes out while the block runs; yield None, or a note if locks are not supported.

        The lock ends with the process, even if it is killed. Raises ConfigError if another process holds it.
        """
        path = self.path / _LOCK
        try:
            if self.made is not None:  # the previous holder of the lock may have removed it
                self.path.mkdir(parents=True, exist_ok=True)
            handle, note = lock.acquire(path)
        except OSError as error:
            raise atomic.cannot_write(path, error) from error
        try:
            yield note
        finally:
            with contextlib.suppress(OSError):
                if lock.is_at(path, handle):
                    path.unlink()  # before closing, so that processes that opened it notice
            os.close(handle)

    @property
    def model(self) -> Path:
        """The path of the model file."""
        return self.path / "model.safetensors"

    @property
    def history(self) -> Path:
        """The path of the history file, with one JSON object per line."""
        return self.path / "history.jsonl"


def require_empty(out: Path) -> None:
    """Refuse a folder that already holds files, and a path that is not a folder."""
    try:
        taken = out.is_dir() and any(entry.name != _LOCK for entry in out.iterdir())
        is_file = out.exists() and not out.is_dir()
    except OSError as error:
        raise DataError(f"cannot look into {out}: {error.strerror}.", remedy=_ELSEWHERE) from error
    if is_file:
        raise ConfigError(f"{out} is a file.", remedy=_ELSEWHERE)
    if taken:
        raise ConfigError(f"{out} is not empty, and a run is never overwritten.", remedy=_ELSEWHERE)


def _numbers(above: Path, name: str) -> list[int]:
    """The numbers of the run folders with this name."""
    taken = [path.name.removeprefix(f"{name}-") for path in above.glob(f"{name}-*")]
    return [int(number) for number in taken if number.isdecimal()]


def _next_free(above: Path, name: str) -> RunFolder:
    made, number = _highest_missing(above), max(_numbers(above, name), default=0) + 1
    while not _make(path := above / f"{name}-{number}", exist_ok=False):
        number += 1  # another run took the name in the meantime
    return RunFolder(path, made or path)


def _highest_missing(path: Path) -> Path | None:
    """The topmost of a folder and its parents that does not exist; None if all exist."""
    missing = None
    for folder in (path, *path.parents):
        if folder.exists():
            break
        missing = folder
    return missing


def _make(path: Path, *, exist_ok: bool) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if exist_ok:
            raise ConfigError(f"{path} is a file.", remedy=_ELSEWHERE) from None
        return False
    except OSError as error:
        raise DataError(f"cannot make the folder {path}: {error.strerror}.", remedy=_ELSEWHERE) from error
    return True
