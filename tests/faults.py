"""A disk that fails when told to, and one that loses what was not made to last; limits for hostile files."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

import portanet
from portanet.storage import atomic

CALLS = ("open", "write", "fsync", "replace", "link")


class Disk:
    """Stands for the module `os` in portanet.storage.atomic: records calls that change the disk, and fails the k-th.

    A write that fails has written half before, as a full disk does.
    """

    def __init__(self, fail_at: int = -1, error: int = 0, never: tuple[str, ...] = ()) -> None:
        self.fail_at, self.error, self.never = fail_at, error, never
        self.calls: list[tuple[Any, ...]] = []
        self.count = 0
        self._names: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @property
    def failed(self) -> bool:
        return 0 <= self.fail_at < self.count

    def _may(self, name: str, *, before: Callable[[], Any] = lambda: None) -> None:
        self.count += 1
        if name in self.never or self.count - 1 == self.fail_at:
            before()
            raise OSError(self.error, os.strerror(self.error))

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        self._may("open")
        descriptor = os.open(path, flags, mode)
        self._names[descriptor] = Path(path).name
        if flags & os.O_CREAT:
            self.calls.append(("create", Path(path).name))
        return descriptor

    def write(self, descriptor: int, content: Any) -> int:
        half = content[: len(content) // 2]
        self._may("write", before=lambda: os.write(descriptor, half))
        self.calls.append(("write", self._names[descriptor], bytes(content)))
        return os.write(descriptor, content)

    def fsync(self, descriptor: int) -> None:
        self._may("fsync")
        os.fsync(descriptor)
        is_folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
        self.calls.append(("sync folder",) if is_folder else ("sync", self._names[descriptor]))

    def replace(self, source: Path, target: Path) -> None:
        self._may("replace")
        os.replace(source, target)
        self.calls.append(("replace", source.name, target.name))

    def link(self, source: Path, target: Path) -> None:
        self._may("link")
        os.link(source, target)
        self.calls.append(("link", source.name, target.name))

    def unlink(self, path: Path) -> None:
        os.unlink(path)
        self.calls.append(("unlink", path.name))


def failing_disks(monkeypatch: pytest.MonkeyPatch, error: int, action: Callable[[Disk], None]) -> int:
    """Runs `action` on disks that fail the first call, the second, ... until none is left; gives their number."""
    for fail_at in range(1000):
        with monkeypatch.context() as patch:
            patch.setattr(atomic, "os", disk := Disk(fail_at, error))
            action(disk)
        if not disk.failed:
            return fail_at
    raise AssertionError("the action never ends")


@dataclass
class _File:
    content: bytes = b""
    lasting: bytes = b""


@dataclass
class _Folder:
    """What a sequence of calls has made of a folder: the names now, those that last, and the changes in between."""

    names: dict[str, _File]
    lasting: dict[str, _File] = field(default_factory=dict)
    pending: list[tuple[Any, ...]] = field(default_factory=list)

    def call(self, kind: str, *rest: Any) -> None:
        if kind == "write":
            self.names[rest[0]].content += rest[1]
        elif kind == "sync":
            self.names[rest[0]].lasting = self.names[rest[0]].content
        elif kind == "sync folder":
            self.lasting, self.pending = dict(self.names), []
        else:
            change = (kind, *rest, _File()) if kind == "create" else (kind, *rest)
            _rename(self.names, *change)
            self.pending.append(change)


def _rename(names: dict[str, _File], kind: str, name: str, other: Any = None) -> None:
    if kind == "create":
        names[name] = other
    elif kind == "unlink":
        del names[name]
    elif kind == "link":
        names[other] = names[name]
    elif names.get(other) is not names[name]:  # else both stay, as POSIX has it
        names[other] = names.pop(name)


_LOSSES: dict[str, Callable[[_File], bytes]] = {
    "nothing is lost": lambda file: file.content,
    "what was not synced is lost": lambda file: file.lasting,
    "half of it is lost": lambda file: file.content[: (len(file.lasting) + len(file.content)) // 2],
    "zeros are in its place": lambda file: file.lasting + bytes(len(file.content) - len(file.lasting)),
}


def after_power_loss(before: dict[str, bytes], calls: list[tuple[Any, ...]]) -> Iterator[dict[str, bytes]]:
    """Each folder that may be found when the power fails before, between or after the calls.

    Names change in the order of the calls, but only a sync of the folder makes sure that they have.
    """
    for count in range(len(calls) + 1):
        folder = _Folder({name: _File(content, content) for name, content in before.items()})
        folder.lasting = dict(folder.names)
        for call in calls[:count]:
            folder.call(*call)
        names = dict(folder.lasting)
        for change in [None, *folder.pending]:
            if change is not None:
                _rename(names, *change)
            for left in _LOSSES.values():
                yield {name: left(file) for name, file in names.items()}


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fill(folder: Path, content: dict[str, bytes]) -> None:
    """Makes the folder hold these files and no others."""
    for path in folder.iterdir():
        path.unlink()
    for name, data in content.items():
        (folder / name).write_bytes(data)


_LIMITED = """
import resource, sys, time
import numpy, pandas, safetensors.numpy
import portanet.data.csv.table
from portanet.errors import PortanetError
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2)
for path in sys.argv[1:]:
    start = time.monotonic()
    try:
        {action}
    except PortanetError as error:
        answer = str(error)
    else:
        answer = "taken"
    assert answer.count("\\n") == 0 and len(answer) < 1000, answer
    assert time.monotonic() - start < {seconds}, path
    print(answer)
"""


def limited(action: str, *paths: Path, megabytes: int, seconds: int = 20) -> list[str]:
    """What a statement over each `path` gives in a process of its own, with this much more memory and time at most."""
    code = textwrap.dedent(_LIMITED).format(action=action, megabytes=megabytes, seconds=seconds)
    environment = os.environ | {"PYTHONPATH": str(Path(portanet.__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@st.composite
def mutations(draw: Any, content: bytes) -> bytes:
    """The content with bytes changed, cut out or put in."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(changed)))
        kind = draw(st.sampled_from(["change", "cut", "insert", "end"]))
        if kind == "change" and place < len(changed):
            changed[place] = (changed[place] + draw(st.integers(1, 255))) % 256
        elif kind == "cut":
            del changed[place : place + draw(st.integers(1, 9))]
        elif kind == "insert":
            changed[place:place] = draw(st.binary(min_size=1, max_size=9))
        elif kind == "end":
            del changed[place:]
    return bytes(changed) if bytes(changed) != content else content[:-1]
